"""This process's connection to DynamoDB."""

import threading
import time
from functools import cache
from typing import Any

from django.conf import settings
from pynamodb.connection import Connection

from apps.common import calls, whole_answers

whole_answers.install()

METERED = frozenset(
    {"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem"}
    | {"TransactGetItems", "TransactWriteItems"}
)


class ToldConnection(Connection):
    """A connection that tells of its calls, and of the capacity units that each took."""

    def _make_api_call(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        began = time.time()
        if operation_name in METERED:  # else DynamoDB tells of no units
            operation_kwargs.setdefault("ReturnConsumedCapacity", "TOTAL")
        try:
            answer: dict[str, Any] = super()._make_api_call(operation_name, operation_kwargs)
        except Exception as error:
            calls.tell("dynamodb", operation_name, began, failure=calls.failure_of(error))
            raise
        calls.tell("dynamodb", operation_name, began, answer)
        return answer


_making = threading.Lock()


def connection() -> Connection:
    """Return this process's connection to DynamoDB, the same one for every thread."""
    with _making:
        return _made()


@cache
def _made() -> Connection:
    return ToldConnection(
        region=settings.AWS_REGION, connect_timeout_seconds=3, read_timeout_seconds=10, max_retry_attempts=3
    )


def forget_connection() -> None:
    """Let the next caller make one anew: it keeps to the endpoint that it was made for."""
    _made.cache_clear()
