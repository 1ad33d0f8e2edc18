"""What is kept between calls to the AWS in process is what botocore and moto would make again."""

from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.exceptions import ClientError, NoCredentialsError
from moto import mock_aws
from moto.core.request import Request
from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.moto_api._internal.moto_random import MotoRandom

from tests import moto_glue
from tests.moto_glue import fast_glue
from tests.test_moto_answers import ATTRIBUTES

EXPRESSIONS = ("attribute_exists(#a) AND b = :b", "a IN (:a, :b) OR NOT (size(c.d[1]) >= :c)", "x<>:x")


def conversation() -> list[Any]:
    """What a client of DynamoDB is answered, in all that the platform does with it."""
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName="kept-calls",
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    told: list[Any] = []

    def tell(operation: str, **arguments: Any) -> None:
        try:
            answer = getattr(dynamodb, operation)(**arguments)
        except ClientError as error:
            answer = error.response
        told.append({name: value for name, value in answer.items() if name != "ResponseMetadata"})

    item = {"key": {"S": "eins, zwölf"}, **ATTRIBUTES}
    values = {":t": {"S": "text"}, ":n": {"N": "2"}, ":b": {"B": b"\x00\xff"}}
    tell("put_item", TableName="kept-calls", Item=item)
    tell(
        "put_item",
        TableName="kept-calls",
        Item=item,
        ConditionExpression="attribute_not_exists(#k)",
        ExpressionAttributeNames={"#k": "key"},
    )
    tell(
        "update_item",
        TableName="kept-calls",
        Key={"key": item["key"]},
        UpdateExpression="SET #n = :n, added = :b",
        ConditionExpression="#t = :t AND (size(#t) > :n OR attribute_exists(#n))",
        ExpressionAttributeValues=values,
        ExpressionAttributeNames={"#n": "number", "#t": "text"},
        ReturnValues="ALL_NEW",
    )
    tell("get_item", TableName="kept-calls", Key={"key": item["key"]}, ConsistentRead=True)
    tell("get_item", TableName="none", Key={"key": item["key"]})
    tell(
        "query",
        TableName="kept-calls",
        KeyConditionExpression="#k = :k",
        ExpressionAttributeNames={"#k": "key"},
        ExpressionAttributeValues={":k": item["key"]},
    )
    tell(
        "scan",
        TableName="kept-calls",
        FilterExpression="and = :n",
        ExpressionAttributeValues={":n": {"N": "1"}},
    )
    for key in ("a", "b"):
        put = {
            "TableName": "kept-calls",
            "Item": {"key": {"S": key}},
            "ConditionExpression": "attribute_not_exists(absent)",
        }
        gone = {
            "TableName": "kept-calls",
            "Key": {"key": {"S": "c"}},
            "ConditionExpression": "attribute_exists(absent)",
        }
        tell(
            "transact_write_items", TransactItems=[{"Put": put}, *([{"Delete": gone}] if key == "b" else [])]
        )
    tell("scan", TableName="kept-calls")
    return told


def test_what_is_answered_is_what_moto_answers():
    answers = []
    for faster in (fast_glue, pytest.MonkeyPatch.context):
        with mock_aws(), faster():
            answers += [conversation(), conversation_of_others()]
    assert answers[:2] == answers[2:]
    assert [answer["Error"]["Code"] for answer in answers[0] if "Error" in answer] == [
        "ConditionalCheckFailedException",
        "ResourceNotFoundException",
        "ValidationException",
        "TransactionCanceledException",
    ]


def conversation_of_others() -> list[Any]:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="kept-calls")
    s3.put_object(Bucket="kept-calls", Key="a/ü+b", Body=b"body", Metadata={"some_name": "x"})
    got = s3.get_object(Bucket="kept-calls", Key="a/ü+b")
    queue = boto3.client("sqs").create_queue(QueueName="kept-calls")["QueueUrl"]
    boto3.client("sqs").send_message(QueueUrl=queue, MessageBody="message")
    [message] = boto3.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"plain")["CiphertextBlob"]
    return [got["Body"].read(), got["Metadata"], queue, message["Body"], kms.decrypt(CiphertextBlob=sealed)["Plaintext"]]  # fmt: skip


def test_a_request_is_seen_as_moto_sees_it():
    """Whole requests, so that a header is missed by nobody."""
    seen = []

    def both(method: str, url: str, headers: Any, body: Any = None) -> Request:
        if not isinstance(body, bytes):  # read once
            return moto_glue._request(method, url, headers, body)
        fast, whole = (
            make(method, url, headers, body) for make in (moto_glue._request, moto_glue._from_primitives)
        )
        without = ("wsgi.input", "wsgi.errors", "werkzeug.request")
        seen.append([{k: v for k, v in one.environ.items() if k not in without} for one in (fast, whole)])
        assert fast.get_data() == whole.get_data()
        return fast

    with mock_aws(), mock.patch.object(Request, "from_primitives", both):
        conversation()
        conversation_of_others()
    assert len(seen) > 10
    for fast, whole in seen:
        assert fast == whole


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_condition_is_cut_into_the_same_words_each_time(expression):
    parser = ConditionExpressionParser(expression, None, None)
    for _ in range(2):
        words = moto_glue._lexed(parser)
        assert words == moto_glue._lex(parser)
        words.clear()


def test_nobody_signs_without_credentials():
    unsigned = SigV4Auth(None, "dynamodb", "us-east-1")  # type: ignore[arg-type]
    with pytest.raises(NoCredentialsError):
        moto_glue._add_auth(unsigned, None)


def test_names_of_requests_are_as_long_and_of_the_same_letters():
    class Last(MotoRandom):
        def choices(self, letters, *, k):  # type: ignore[override]
            return [letters[-1]] * k

        def choice(self, letters):
            return letters[-1]

    for arguments in ({}, {"length": 52}, {"include_digits": False, "lower_case": True}):
        assert moto_glue._random_string(Last(), **arguments) == Last().get_random_string(**arguments)
