"""Spans around calls of AWS: to X-Ray beside a function, or as lines of the log. They name what was called, and no content.

A trace is recorded if its caller says so, else TRACE_SAMPLE of them are; what fails here fails nothing else.
"""

import json
import logging
import os
import re
import secrets
import socket
from typing import Any

from django.conf import settings

from apps.common import calls, tracing
from apps.common.calls import AwsCall

log = logging.getLogger(__name__)
HEADER = b'{"format": "json", "version": 1}\n'
_ROOT = re.compile(r"Root=([0-9a-f-]{35});Parent=([0-9a-f]{16});Sampled=1")
NAMES = {
    "dynamodb": "DynamoDB",
    "s3": "S3",
    "sqs": "SQS",
    "sns": "SNS",
    "kms": "KMS",
    "events": "EventBridge",
}


def _tell(call: AwsCall) -> None:
    if settings.TRACES == "xray":
        _to_xray(call)
    elif settings.TRACES == "log":
        found = tracing.current()
        if found is not None and found.sampled:
            log.info("span %s", json.dumps(span(call, found.trace_id, found.span_id)))


def span(call: AwsCall, trace_id: str, parent_id: str) -> dict[str, Any]:
    """A call as a subsegment of X-Ray.

    Source: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
    """
    aws = {"operation": call.operation} | ({"request_id": call.request_id} if call.request_id else {})
    told: dict[str, Any] = {
        "type": "subsegment",
        "id": secrets.token_hex(8),
        "trace_id": trace_id,
        "parent_id": parent_id,
        "name": NAMES.get(call.service, call.service),
        "namespace": "aws",
        "start_time": call.began,
        "end_time": call.began + call.seconds,
        "aws": aws,
        "annotations": tracing.ids(),
    }
    if call.failure:
        told |= {"error": True, "cause": {"exceptions": [{"type": call.failure}]}}
    return told


def _to_xray(call: AwsCall) -> None:
    """Send a call to the daemon that runs beside a function; elsewhere there is none."""
    place = os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "")
    found = _ROOT.search(os.environ.get("_X_AMZN_TRACE_ID", ""))
    host, _, port = place.rpartition(":")
    if found is None or not host or not port.isdecimal():
        return
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(HEADER + json.dumps(span(call, found[1], found[2])).encode(), (host, int(port)))
    except OSError as error:
        log.debug("a span was lost: %s", type(error).__name__)


def begin() -> None:
    """Have every call of this process told from now on."""
    calls.watch(_tell)
