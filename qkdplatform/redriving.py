"""Dead letters, tried again: through the entry that they failed in. What they are says ``apps.operations.letters``.

What succeeds is deleted, what fails again stays.
"""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from django.conf import settings
from django.utils.module_loading import import_string

from apps.common import aws
from apps.common.errors import place_of
from apps.files.events import handle_uploads
from apps.jobs import kinds
from apps.jobs import services as jobs
from apps.jobs.delivery import TaskMessage
from apps.operations import letters
from apps.operations.letters import LetterKind

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

log = logging.getLogger(__name__)
ENTRY = "qkdplatform.lambda_handler.handler"
Entry = Callable[[Any, Any], Any]


class UnknownLetter(Exception):
    """Nothing here can try it again."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one dead letter."""

    message_id: str
    what: str
    error: str | None = None  # empty where it succeeded: the kind of the failure, never its text


def redrive(
    *,
    limit: int,
    only: Collection[str] | None = None,
    but: Collection[str] = (),
    tell: Callable[[Tried], None] = lambda _: None,
) -> Iterator[Tried]:
    """Try dead letters again, each once.

    Args:
        limit: of letters.
        only: ids of those that are tried; None for all. The others are shown again at the end.
        but: ids of those that are not.
        tell: told what became of a letter before that is deleted; where it fails the letter stays.
    """
    sqs, left = aws.client("sqs"), []
    entry: Entry = import_string(ENTRY)  # imported where it is needed: it sets Django up
    url = sqs.get_queue_url(QueueName=settings.DEAD_LETTER_QUEUE)["QueueUrl"]
    wanted, count = None if only is None else set(only).difference(but), 0
    try:
        while count < limit and (wanted is None or wanted):
            message = _next(url)
            if message is None:
                return
            left.append(message["ReceiptHandle"])
            if message["MessageId"] in but or (wanted is not None and message["MessageId"] not in wanted):
                continue
            count += 1
            tried = _try(message, entry)
            if wanted is not None:
                wanted.discard(tried.message_id)
            tell(tried)
            if tried.error is None:
                left.remove(message["ReceiptHandle"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            yield tried
    finally:
        for handle in left:
            _show_again(url, handle)


def _next(url: str) -> "MessageTypeDef | None":
    received = aws.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=letters.HELD_SECONDS, WaitTimeSeconds=1
    )
    return next(iter(received.get("Messages", [])), None)


def _show_again(url: str, handle: str) -> None:
    try:
        aws.client("sqs").change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    except ClientError as error:  # held for too long: SQS has shown it already
        log.warning("a dead letter was not shown again: %s", type(error).__name__)


def _try(message: "MessageTypeDef", entry: Entry) -> Tried:
    what = "unknown"
    try:
        what, again = _read(message["Body"], entry)
        again()
    except Exception as error:  # noqa: BLE001 - whatever fails again stays, and is told
        log.error("dead letter %s failed again at %s", message["MessageId"], place_of(error))  # noqa: TRY400 - I2
        return Tried(message["MessageId"], what, type(error).__name__)
    return Tried(message["MessageId"], what)


def _read(body: str, entry: Entry) -> tuple[str, Callable[[], object]]:
    """What a letter is, and how it is tried again.

    Raises:
        UnknownLetter: it is none of ours.
    """
    found = letters.read(body)
    if found.task is not None:
        task = found.task
        return "a job's message", lambda: _send_job(task)
    if found.kind is LetterKind.EVENT:
        return "an event", lambda: entry(found.document["requestPayload"], None)
    if found.kind is LetterKind.UPLOAD:
        return "an upload's notification", lambda: handle_uploads(found.document)
    raise UnknownLetter("neither an event, nor a notification, nor a job's message")


def _send_job(message: TaskMessage) -> None:
    """Send a job's message again; one that has ended needs none."""
    kinds.task_named(message.task)
    job = jobs.get(str(message.arguments[0]))
    if job is not None and not job.state.ended:
        kinds.send(job.kind, job.job_id)
