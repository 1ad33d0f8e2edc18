"""An id for each request: in its answer, in every line that is logged meanwhile, and with all that follows from it."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from django.core.signals import request_finished
from django.dispatch import receiver

from apps.common import tracing

HEADER = "X-Request-Id"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")


def begin(environ: Mapping[str, Any]) -> str:
    """Begin with a request; returns its id."""
    request_id = id_for(environ)
    told = {name: str(environ.get(name, "")) for name in ("HTTP_TRACEPARENT", "HTTP_X_AMZN_TRACE_ID")}
    tracing.begin(
        tracing.of_request(
            request_id, traceparent=told["HTTP_TRACEPARENT"], amazon=told["HTTP_X_AMZN_TRACE_ID"]
        )
    )
    return request_id


def id_for(environ: Mapping[str, Any]) -> str:
    """Return the gateway's id of a request, else a new one.

    Never one of the caller's choice: the trail names requests by it, and two of one id could not be told apart. Who
    wants to find requests by an id of their own gives a ``traceparent``, which stands in the trail beside it.
    """
    gateway = environ.get("apig_wsgi.request_context", {}).get("requestId", "")
    return str(gateway) if _GIVEN.fullmatch(gateway) else str(uuid.uuid4())


@receiver(request_finished)
def _forget(**_: Any) -> None:
    """Django logs about an answer after the middleware gave it; with this signal a request is really over."""
    tracing.forget()
