"""What Celery's worker does not understand is kept among the dead letters, not deleted."""

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from django.conf import settings

from apps.common import aws as clients
from qkdplatform.celery import app
from qkdplatform.consumer import KeepingConsumer
from tests import requirement


class Message:
    """One as kombu's transport makes it."""

    def __init__(self, body: str) -> None:
        self.delivery_info = {"sqs_message": {"MessageId": "one", "Body": body}}
        self.acknowledged = self.given_up = False

    def ack_log_error(self, *_: Any) -> None:
        self.acknowledged = True

    def reject_log_error(self, *_: Any) -> None:
        self.given_up = True


@pytest.fixture
def consumer():
    made = KeepingConsumer.__new__(KeepingConsumer)
    made.connection_errors = ()
    return made


CALLS = [
    lambda consumer, message: consumer.on_unknown_message({}, message),
    lambda consumer, message: consumer.on_unknown_task({}, message, KeyError("no.such.task")),
    lambda consumer, message: consumer.on_invalid_task({}, message, TypeError()),
    lambda consumer, message: consumer.on_decode_error(message, ValueError()),
]


def dead_letters():
    sqs = clients.client("sqs")
    url = sqs.get_queue_url(QueueName=settings.DEAD_LETTER_QUEUE)["QueueUrl"]
    return [m["Body"] for m in sqs.receive_message(QueueUrl=url).get("Messages", [])]


@requirement("G2", "I2")
@pytest.mark.parametrize("call", CALLS)
def test_what_is_not_understood_is_kept_as_it_came(aws, consumer, call, caplog):
    message = Message("a secret that somebody sent")
    call(consumer, message)
    assert message.acknowledged
    assert dead_letters() == ["a secret that somebody sent"]
    assert "secret" not in caplog.text


@requirement("G2", "C6")
def test_what_cannot_be_kept_stays_in_its_queue_and_takes_no_place_in_the_worker(aws, consumer, monkeypatch):
    message = Message("poison")
    with monkeypatch.context() as patched:
        patched.setattr(clients, "client", lambda _: Refusing())
        consumer.on_unknown_message({}, message)
    assert (message.acknowledged, message.given_up) == (False, True)


class Refusing:
    def get_queue_url(self, **_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="x")


def test_the_worker_is_that_one():
    assert app.conf.worker_consumer == "qkdplatform.consumer:KeepingConsumer"
