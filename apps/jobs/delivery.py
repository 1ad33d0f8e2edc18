"""A message of the jobs queue, run where no Celery worker is: Celery's message names a task and its arguments."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.jobs import kinds


class BadMessage(Exception):
    """Not a message that Celery sends for a job."""


@dataclass(frozen=True, slots=True)
class TaskMessage:
    """What Celery's protocol 2 says in a message: which task, its arguments, and the message's own id."""

    task: str
    task_id: str
    arguments: list[Any]
    named: Mapping[str, Any] = field(default_factory=dict)
    trace: str = ""

    @classmethod
    def read(cls, body: str) -> "TaskMessage":
        """Read the body of an SQS message as kombu writes it: JSON in Base64, within it the arguments likewise.

        Raises:
            BadMessage: it is not of that form.
        """
        try:
            message = json.loads(base64.b64decode(body, validate=True))
            if message["content-type"] != "application/json":
                raise BadMessage("its content is not JSON")
            arguments, named, _ = json.loads(base64.b64decode(message["body"], validate=True))
            headers = message["headers"]
            read = cls(
                str(headers["task"]),
                str(headers["id"]),
                list(arguments),
                dict(named),
                str(headers.get(kinds.TRACE, "")),
            )
        except (binascii.Error, ValueError, KeyError, TypeError) as error:
            # Without the cause: that quotes what was sent
            raise BadMessage(f"it is not written as Celery does ({type(error).__name__})") from None
        return read


def run_message(body: str, *, receipt: str) -> None:
    """Run the task of a message once, here and now; whatever it raises, the message is not done.

    Args:
        body: as SQS delivers it.
        receipt: the message's receipt handle, by which the task keeps it hidden.

    Raises:
        BadMessage: it is not one of Celery's.
        UnknownKind: its task works on no kind of job.
    """
    message = TaskMessage.read(body)
    task: Any = kinds.task_named(message.task)
    # Not task.apply(): that runs what the message's headers chain to it, too
    task.push_request(
        id=message.task_id, properties={"delivery_tag": receipt}, headers={kinds.TRACE: message.trace}
    )
    try:
        task.run(*message.arguments, **message.named)
    finally:
        task.pop_request()
