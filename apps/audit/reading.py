"""Pages of a chain as DynamoDB sends them, read consistently.

botocore takes 50 microseconds to parse an entry, by its model of the answer; JSON alone takes 10. So a client of its
own hands out the answer's JSON; texts and numbers, which is all that entries hold, are the same in it.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from django.conf import settings

from apps.audit.store import EntryTable
from apps.common import whole_answers

Item = Mapping[str, Mapping[str, Any]]
_PLAIN = "PlainAnswer"


@cache
def _client() -> Any:
    import boto3  # noqa: PLC0415 - as in apps.common.aws
    from botocore.config import Config  # noqa: PLC0415 - likewise

    whole_answers.install()
    config = Config(connect_timeout=3, read_timeout=30, retries={"mode": "standard", "max_attempts": 4})
    client = boto3.session.Session().client("dynamodb", region_name=settings.AWS_REGION, config=config)
    client.meta.events.register("before-parse.dynamodb.Query", _hand_out)
    return client


def _hand_out(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    if response_dict["status_code"] == 200:
        customized_response_dict[_PLAIN] = json.loads(response_dict["body"])
        response_dict["body"] = b"{}"


def pages(chain: str, *, after: int = 0, until: int | None = None) -> Iterator[list[Item]]:
    """Yield the stored entries of a chain that follow a number, up to another one; a page of at most 1 MB at a time."""
    bounds = "#sequence > :after" if until is None else "#sequence BETWEEN :first AND :last"
    values = (
        {":after": {"N": str(after)}}
        if until is None
        else {":first": {"N": str(after + 1)}, ":last": {"N": str(until)}}
    )
    query: dict[str, Any] = {
        "TableName": EntryTable.Meta.table_name,
        "KeyConditionExpression": f"#chain = :chain AND {bounds}",
        "ExpressionAttributeNames": {"#chain": "chain", "#sequence": "sequence"},
        "ExpressionAttributeValues": {":chain": {"S": chain}, **values},
        "ConsistentRead": True,
    }
    while True:
        answer = _client().query(**query)[_PLAIN]
        yield answer["Items"]
        if not answer.get("LastEvaluatedKey"):
            return
        query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
