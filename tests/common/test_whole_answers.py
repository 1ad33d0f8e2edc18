"""An AWS that lies about lengths: half an answer is an error that is tried again, never an empty result."""

import http.server
import json
import threading

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, IncompleteReadError, ResponseStreamingError
from pynamodb.connection import Connection
from pynamodb.exceptions import PynamoDBException

from apps.common import aws
from apps.common.root_keys.interface import RootKeyUnavailable
from apps.common.root_keys.kms import KmsRootKey
from apps.files.bodies import objects
from tests import requirement

ITEM = {"Item": {"id": {"S": "x"}, "body": {"S": "y" * 100}}}


class Liar(http.server.ThreadingHTTPServer):
    """Answers what it is told, cut after as many bytes as the next of ``cuts`` says; whole when they are used up."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.body, self.status, self.kind = b"", 200, "application/x-amz-json-1.0"
        self.cuts: list[int] = []
        self.calls = 0


class _Answer(http.server.BaseHTTPRequestHandler):
    server: Liar

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.calls += 1
        cut = self.server.cuts.pop(0) if self.server.cuts else len(self.server.body)
        self.send_response(self.server.status)
        self.send_header("content-type", self.server.kind)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.server.body[:cut])
        self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST  # noqa: N815 - names of http.server

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def liar():
    server = Liar()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def client(liar, service, attempts=3):
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{liar.server_port}",
        region_name="us-east-1",
        config=Config(
            retries={"total_max_attempts": attempts, "mode": "standard"}, s3={"addressing_style": "path"}
        ),
    )


def rows(liar, attempts=2):
    return Connection(
        region="us-east-1",
        host=f"http://127.0.0.1:{liar.server_port}",
        max_retry_attempts=attempts - 1,
    )


@requirement("C1", "I4")
@pytest.mark.parametrize("cut", [0, 1, 40, -1])
def test_half_a_row_is_never_no_row(liar, cut):
    liar.body = json.dumps(ITEM).encode()
    liar.cuts = [cut if cut >= 0 else len(liar.body) - 1] * 9
    with pytest.raises(BotoCoreError):
        client(liar, "dynamodb").get_item(TableName="t", Key={"id": {"S": "x"}})
    assert liar.calls == 3
    with pytest.raises((BotoCoreError, PynamoDBException)):
        rows(liar).dispatch("GetItem", {"TableName": "t", "Key": {"id": {"S": "x"}}})
    assert liar.calls == 5


@requirement("C1")
def test_the_next_attempt_finds_the_row(liar):
    liar.body, liar.cuts = json.dumps(ITEM).encode(), [0, 30]
    assert client(liar, "dynamodb").get_item(TableName="t", Key={"id": {"S": "x"}})["Item"] == ITEM["Item"]
    liar.cuts = [30]
    assert rows(liar).dispatch("GetItem", {"TableName": "t", "Key": {}})["Item"] == ITEM["Item"]


@requirement("C1")
def test_half_an_error_is_not_another_error(liar):
    liar.status, liar.body = 400, b'{"__type": "ConditionalCheckFailedException", "message": "no"}'
    liar.cuts = [20]
    writing = client(liar, "dynamodb")
    with pytest.raises(writing.exceptions.ConditionalCheckFailedException):
        writing.put_item(TableName="t", Item={"id": {"S": "x"}})
    assert liar.calls == 2


@requirement("C1")
@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("sqs", lambda sqs: sqs.receive_message(QueueUrl="http://q/0/jobs")),
        ("s3", lambda s3: s3.list_object_versions(Bucket="b")),
        ("dynamodbstreams", lambda streams: streams.get_records(ShardIterator="x")),
    ],
)
def test_half_a_list_is_not_an_empty_list(liar, service, call):
    liar.kind = "application/xml" if service == "s3" else "application/x-amz-json-1.0"
    liar.body = b"<ListVersionsResult></ListVersionsResult>" if service == "s3" else b'{"Messages": []}   '
    liar.cuts = [2] * 9
    with pytest.raises(BotoCoreError):
        call(client(liar, service))


@requirement("C1", "I4")
def test_half_an_object_is_not_read_as_the_whole(liar, monkeypatch):
    liar.kind, liar.body, liar.cuts = "application/octet-stream", bytes(1000), [600]
    body = client(liar, "s3").get_object(Bucket="b", Key="k")["Body"]
    with pytest.raises(ResponseStreamingError):
        body.read()
    liar.cuts = [600]
    with pytest.raises((IncompleteReadError, ResponseStreamingError)):
        list(client(liar, "s3").get_object(Bucket="b", Key="k")["Body"].iter_chunks(256))
    liar.cuts = [600]
    monkeypatch.setattr(aws, "client", lambda service: client(liar, service))
    with pytest.raises((IncompleteReadError, ResponseStreamingError)):
        objects.part_of(objects.ObjectRef("b", "k"), 0, 1000)
    assert client(liar, "s3").head_object(Bucket="b", Key="k")["ContentLength"] == 1000


@requirement("C1")
def test_half_of_a_wrapped_key_is_no_key(liar):
    liar.body, liar.cuts = b'{"Plaintext": "c2VjcmV0"}', [10] * 9
    with pytest.raises(RootKeyUnavailable):
        KmsRootKey("key", client(liar, "kms")).unwrap(b"blob", context={"record": "x"})
