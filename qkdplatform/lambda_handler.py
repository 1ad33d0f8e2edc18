"""The one Lambda entry: API Gateway, SQS, S3, the sessions table's stream, schedules, management commands.

An event that it does not know is an error, so that AWS keeps and retries it. Zappa's own handler is not used:
it answers unknown events with success and runs any code that a ``raw_command`` event brings.
"""

import importlib
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_began = time.perf_counter()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "qkdplatform.settings")

import django

django.setup()
from apig_wsgi import make_lambda_handler
from django.conf import settings

from apps.common import addresses, tracing
from apps.common.deadline import ending_in
from apps.metrics import recording
from apps.metrics.catalog import COLD_STARTS
from apps.metrics.units import spent_on
from qkdplatform.errors import UnknownEvent
from qkdplatform.rotation import refresh_settings
from qkdplatform.wsgi import application


def _from_gateway(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answer a request as the gateway saw it.

    Its caller's address is what the gateway or the configured load balancer saw, where apig-wsgi takes one from a header that callers write. Without a domain of
    its own the API stands under the name of the stage, which the gateway takes off the path: links need it back.
    """
    context = environ.get("apig_wsgi.request_context", {})
    environ["REMOTE_ADDR"] = addresses.of_caller(
        context, str(environ.get("HTTP_X_FORWARDED_FOR", "")), hops=settings.FORWARDED_HOPS
    )
    full, path = str(context.get("path", "")), environ["PATH_INFO"]
    if full != path and full.endswith(path):
        environ["SCRIPT_NAME"] = full.removesuffix(path)
    if settings.KME_DOMAIN and context.get("domainName") == settings.KME_DOMAIN:
        return _from_sae(environ, start_response)
    return application(environ, start_response)


def _from_sae(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answer an application by the certificate that the gateway verified: on this domain nothing else is served."""
    etsi014 = _late("apps.kme.api.etsi014")
    shown = environ["apig_wsgi.request_context"].get("identity", {}).get("clientCert") or {}
    environ[etsi014.CERTIFICATE] = str(shown.get("clientCertPem") or "")
    answer: Iterable[bytes] = etsi014.application(environ, start_response)
    return answer


if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency":
    # Nobody waits for this start, so that no request waits later
    importlib.import_module("qkdplatform.api_urls")
_api = make_lambda_handler(_from_gateway, binary_support=True)
_is_cold = [True]
_STREAMS = {"sessions": "apps.detections.events", "audit": "apps.following.events"}


def handler(event: Any, context: Any) -> Any:
    """Handle one event, and send the metrics of it: between events a function is frozen.

    Raises:
        UnknownEvent: its shape is none that the platform knows.
    """
    if _is_cold:
        _is_cold.clear()
        name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local")
        recording.observe(COLD_STARTS, time.perf_counter() - _began, function=name)
    # A request of the API begins with its own, within
    request_id = str(getattr(context, "aws_request_id", "") or uuid.uuid4())
    trace = tracing.of_request(request_id, amazon=os.environ.get("_X_AMZN_TRACE_ID", ""))
    try:
        with tracing.entered(trace), spent_on(lambda: _kind_of(event)), _until_ended(context):
            return _dispatch(event, context)
    finally:
        recording.flush()


def _until_ended(context: Any) -> AbstractContextManager[None]:
    """Let whatever handles the event know how long the function may run: a wait, a schedule's parts, a job."""
    left = getattr(context, "get_remaining_time_in_millis", None)
    return nullcontext() if left is None else ending_in(left() / 1000)


def _kind_of(event: Any) -> str:
    """What an event is, in a word or two, for metrics."""
    told = event if isinstance(event, Mapping) else {}
    sources = [one.get("eventSource") for one in told.get("Records") or [] if isinstance(one, Mapping)]
    if not sources:
        return "schedule" if told.get("source") == "aws.events" else "command"
    source = str(sources[0]).removeprefix("aws:")
    return f"stream {_table_of(told)}" if source == "dynamodb" else f"event {source}"


def _dispatch(event: Any, context: Any) -> Any:
    """Dispatch one event by its shape."""
    refresh_settings()
    if not isinstance(event, Mapping):
        raise UnknownEvent(f"an event is an object, not {type(event).__name__}")
    if "requestContext" in event and ("httpMethod" in event or "version" in event):
        return _api(dict(event), context)
    if event.get("source") == "aws.events" and event.get("resources"):
        return _run_schedule(str(event["resources"][0]))
    if "manage" in event:
        return _late("qkdplatform.commands").run_command(event["manage"])
    sources = {
        record.get("eventSource") for record in event.get("Records") or [] if isinstance(record, Mapping)
    }
    if sources == {"aws:dynamodb"}:
        return _late(_STREAMS[_table_of(event)]).handle_stream(dict(event), context)
    if sources == {"aws:sqs"}:
        return _late("qkdplatform.queues").handle_queue(event, context)
    if sources == {"aws:s3"}:
        return _late("apps.files.events").handle_uploads(event)
    # Keys only: an event can hold anything
    raise UnknownEvent(f"no handler for an event with {sorted(map(str, event))}")


def _table_of(event: Mapping[str, Any]) -> str:
    """The table whose stream an event is of: ``arn:…:table/<prefix>-<name>/stream/<when>``.

    Raises:
        UnknownEvent: nobody reads that table's stream.
    """
    arns = {str(record.get("eventSourceARN")) for record in event["Records"]}
    names = {arn.partition(":table/")[2].partition("/")[0] for arn in arns}
    name = names.pop().removeprefix(f"{settings.TABLE_PREFIX}-") if len(names) == 1 else ""
    if name not in _STREAMS:
        raise UnknownEvent(f"nobody reads a stream of {sorted(arns)}")
    return name


def _late(module: str) -> Any:
    """Import what one kind of event needs when the first of it comes: no request of the API waits for it."""
    return importlib.import_module(module)


def _run_schedule(rule_arn: str) -> None:
    """Run the schedule of a rule, which Zappa names ``<function>-<dotted path of the schedule>``."""
    name = rule_arn.rpartition("/")[2].rpartition("-")[2].rpartition(".")[2]
    schedules = _late("qkdplatform.schedules").SCHEDULES
    if name not in schedules:
        raise UnknownEvent(f"no schedule named {name!r}")
    schedules[name]()
