"""Dead letters: what failed at every attempt. Looked at without their content, dropped, or tried again by a job.

A dead letter is an event that Lambda gave up, in a document that holds it; a message of the jobs queues; or a
notification of the uploads queue. SQS lists nothing: letters are received, and shown again at once.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import record
from apps.common import aws
from apps.common.errors import NotFound
from apps.common.scheduling import Schedule
from apps.jobs import services as jobs
from apps.jobs.delivery import BadMessage, TaskMessage
from apps.jobs.records import Job
from apps.operations.job_kinds import OperationsJob
from apps.operations.trail import OperationEvent

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

MOST = 100  # letters that are looked at
BATCH = 10  # that SQS gives at a time
LOOK_SECONDS = 20  # while a look lasts; a process that ends within it hides them no longer
HELD_SECONDS = 900  # while one is tried again, and at the latest until it is seen again
NAME = 120  # characters of a name that is shown


class LetterNotFound(NotFound):
    """No such dead letter, or it is being tried just now."""


class LetterKind(StrEnum):
    """What a dead letter was."""

    EVENT = "event"
    JOB = "job"
    UPLOAD = "upload"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Read:
    """What a letter's body is. ``document`` holds the event or notification, ``task`` the job's message."""

    kind: LetterKind
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    task: TaskMessage | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it may be shown: names and ids, never its content."""

    message_id: str
    kind: LetterKind
    sent_at: datetime
    received: int
    size: int
    digest: str
    facts: Mapping[str, str]

    @property
    def job_id(self) -> str:
        """The job whose message it is; nothing where it is none's."""
        return self.facts.get("job", "")


def read(body: str) -> Read:
    """Tell what a letter is; nothing in it is run or believed."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        try:
            return Read(LetterKind.JOB, task=TaskMessage.read(body))
        except BadMessage:
            return Read(LetterKind.UNKNOWN)
    if isinstance(document, dict) and _is_event(document.get("requestPayload")):
        return Read(LetterKind.EVENT, document)
    if isinstance(document, dict) and _is_of_s3(document):
        return Read(LetterKind.UPLOAD, document)
    return Read(LetterKind.UNKNOWN)


def _is_event(payload: object) -> bool:
    """Return whether Lambda gives such an event up; a request or a command is answered at once, and never comes here."""
    return isinstance(payload, dict) and not {"manage", "requestContext"} & payload.keys()


def _is_of_s3(document: Mapping[str, Any]) -> bool:
    told = document.get("Records")
    return (
        isinstance(told, list)
        and bool(told)
        and all(isinstance(one, dict) and one.get("eventSource") == "aws:s3" for one in told)
    )


def look() -> list[Letter]:
    """Return the dead letters, the oldest first: at most MOST; one that is being tried just now is not among them."""
    held = _received()
    for message in held:
        _show_again(message)
    return sorted(map(_as_letter, held), key=lambda letter: letter.sent_at)


def find(message_id: str) -> Letter:
    """One dead letter.

    Raises:
        LetterNotFound: no such letter, or it is being tried just now.
    """
    found = next((letter for letter in look() if letter.message_id == message_id), None)
    if found is None:
        raise LetterNotFound(f"There is no dead letter {message_id!r} now.")
    return found


def drop(message_id: str, *, reason: str, actor: Actor) -> None:
    """Give a dead letter up for good. The entry is written first.

    Raises:
        LetterNotFound: no such letter, or it is being tried just now.
    """
    held: MessageTypeDef | None = None
    for message in _received():
        if message["MessageId"] == message_id:
            held = message
        else:
            _show_again(message)
    if held is None:
        raise LetterNotFound(f"There is no dead letter {message_id!r} now.")
    letter = _as_letter(held)
    told = {"message_id": message_id, "kind": letter.kind.value, "digest": letter.digest, "reason": reason}
    try:
        record(actor, OperationEvent.LETTER_DROPPED, **told)
    except BaseException:
        _show_again(held)
        raise
    aws.client("sqs").delete_message(QueueUrl=_url(), ReceiptHandle=held["ReceiptHandle"])


def redrive_later(message_ids: list[str] | None = None, *, actor: Actor) -> Job:
    """Have dead letters tried again by a job: these, or as many as there are now.

    Raises:
        TooManyJobs: the actor has too many jobs.
    """
    chosen: dict[str, Any] = {} if message_ids is None else {"message_ids": message_ids}
    total = max(1, len(look())) if message_ids is None else len(message_ids)
    return jobs.enqueue(OperationsJob.REDRIVE, total=total, parameters=chosen, actor=actor)


def _received() -> list["MessageTypeDef"]:
    """Receive the letters that nobody holds; whoever asks shows each again, or deletes it.

    All are held until the last has come: what is shown again at once would come again and again.
    """
    sqs = aws.client("sqs")
    found: dict[str, MessageTypeDef] = {}
    while len(found) < MOST:
        received = sqs.receive_message(
            QueueUrl=_url(),
            MaxNumberOfMessages=min(BATCH, MOST - len(found)),
            VisibilityTimeout=LOOK_SECONDS,
            AttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
        ).get("Messages", [])
        if not received:
            break
        found |= {message["MessageId"]: message for message in received}
    return list(found.values())


def _show_again(message: "MessageTypeDef") -> None:
    aws.client("sqs").change_message_visibility(
        QueueUrl=_url(), ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
    )


def _url() -> str:
    url: str = aws.client("sqs").get_queue_url(QueueName=settings.DEAD_LETTER_QUEUE)["QueueUrl"]
    return url


def _as_letter(message: "MessageTypeDef") -> Letter:
    body, attributes = message["Body"], message.get("Attributes", {})
    found = read(body)
    return Letter(
        message_id=message["MessageId"],
        kind=found.kind,
        sent_at=datetime.fromtimestamp(int(attributes.get("SentTimestamp", "0")) / 1000, UTC),
        received=int(attributes.get("ApproximateReceiveCount", "1")),
        size=len(body.encode()),
        digest=hashlib.sha256(body.encode()).hexdigest(),
        facts={name: value[:NAME] for name, value in _facts(found).items() if value},
    )


def _facts(found: Read) -> dict[str, str]:
    """Say what a letter is about, by the few names that are known to hold nothing secret."""
    if found.task is not None:
        first = found.task.arguments[0] if found.task.arguments else ""
        return {"task": found.task.task, "job": str(first)}
    if found.kind is LetterKind.UPLOAD:
        return {"what": "objects arrived", "object": _object_of(found.document)}
    if found.kind is not LetterKind.EVENT:
        return {}
    context, answer = found.document.get("requestContext"), found.document.get("responsePayload")
    event = found.document["requestPayload"]
    return {
        "what": _named(event),
        "object": _object_of(event) if _is_of_s3(event) else "",
        "why": _text(context, "condition"),
        "attempts": _text(context, "approximateInvokeCount"),
        "error": _text(answer, "errorType"),
    }


def _named(event: Mapping[str, Any]) -> str:
    if event.get("source") == "aws.events":
        return _schedule_of(event)
    records = event.get("Records")
    sources = {str(one.get("eventSource")) for one in records or [] if isinstance(one, dict)}
    return {"aws:s3": "objects arrived", "aws:dynamodb": "rows changed", "aws:sqs": "messages came"}.get(
        next(iter(sources), ""), "another event"
    )


def _schedule_of(event: Mapping[str, Any]) -> str:
    """Return which schedule it was, where its rule names one that there is: Zappa's ends with the name."""
    resources = event.get("resources")
    rule = resources[0] if isinstance(resources, list) and resources else ""
    name = str(rule).rpartition(".")[2]
    return f"the schedule {name}" if name in set(Schedule) else "a schedule"


def _object_of(event: Mapping[str, Any]) -> str:
    told = event["Records"][0].get("s3")
    return _text(told.get("object"), "key") if isinstance(told, dict) else ""


def _text(found: Any, name: str) -> str:
    value = found.get(name) if isinstance(found, dict) else None
    return str(value) if isinstance(value, str | int) else ""
