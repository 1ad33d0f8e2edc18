"""The one Lambda entry: API Gateway, S3, the sessions table's stream, schedules, management commands.

An event that it does not know is an error, so that AWS keeps and retries it. Zappa's own handler is not used:
it answers unknown events with success and runs any code that a ``raw_command`` event brings.
"""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "qkdplatform.settings")

import django

django.setup()

from apig_wsgi import make_lambda_handler
from django.core.management import call_command

from apps.detections.events import handle_stream
from apps.files.events import handle_uploads
from qkdplatform.schedules import SCHEDULES
from qkdplatform.wsgi import application

COMMANDS = frozenset({"check", "migrate", "verify_audit"})  # what `zappa manage` may run


def _from_gateway(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answer a request with the address that the gateway saw; apig-wsgi takes one from a header that callers write."""
    identity = environ.get("apig_wsgi.request_context", {}).get("identity", {})
    if "sourceIp" in identity:
        environ["REMOTE_ADDR"] = identity["sourceIp"]
    return application(environ, start_response)


_api = make_lambda_handler(_from_gateway, binary_support=True)


class UnknownEvent(Exception):
    """Nothing here handles this event."""


def handler(event: Any, context: Any) -> Any:
    """Dispatch one event by its shape.

    Raises:
        UnknownEvent: its shape is none of those below.
    """
    if not isinstance(event, Mapping):
        raise UnknownEvent(f"an event is an object, not {type(event).__name__}")
    if "requestContext" in event and ("httpMethod" in event or "version" in event):
        return _api(dict(event), context)
    if event.get("source") == "aws.events" and event.get("resources"):
        return _run_schedule(str(event["resources"][0]))
    if "manage" in event:
        return _run_command(event["manage"])
    sources = {
        record.get("eventSource") for record in event.get("Records") or [] if isinstance(record, Mapping)
    }
    if sources == {"aws:dynamodb"}:
        return handle_stream(dict(event), context)
    if sources == {"aws:s3"}:
        return handle_uploads(event)
    # Keys only: an event can hold anything
    raise UnknownEvent(f"no handler for an event with {sorted(map(str, event))}")


def _run_schedule(rule_arn: str) -> None:
    """Run the schedule of a rule, which Zappa names ``<function>-<dotted path of the schedule>``."""
    name = rule_arn.rpartition("/")[2].rpartition("-")[2].rpartition(".")[2]
    if name not in SCHEDULES:
        raise UnknownEvent(f"no schedule named {name!r}")
    SCHEDULES[name]()


def _run_command(command: object) -> None:
    if not isinstance(command, str) or command not in COMMANDS:
        raise UnknownEvent(f"of the management commands only {', '.join(sorted(COMMANDS))} run here")
    call_command(command, interactive=False) if command == "migrate" else call_command(command)
