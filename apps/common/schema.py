"""The OpenAPI schema's shared parts, and the page that shows it."""

from collections.abc import Set as AbstractSet
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.declared_headers import HEADERS, refer_to

PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem document",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
LATER = frozenset({"429", "503"})
PUBLIC_STATUSES = {
    "400": "The input is not valid",
    "405": "Method not allowed",
    "406": "Nothing that Accept names is answered here",
    "503": "Not available right now",
}
STATUSES = PUBLIC_STATUSES | {
    "401": "Credentials are missing or not valid",
    "403": "Not allowed",
    "404": "Not found",
    "409": "Not possible in this state",
    "413": "The body is too large",
    "415": "Send application/json in UTF-8",
    "429": "Too many requests",
}
CHANGED = "The record is not in a state that If-Match names"
KEY_REUSED = "The Idempotency-Key belongs to another request"


def with_problem_responses(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add to every operation that it can answer with a problem document (a hook of drf-spectacular)."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    result["components"]["headers"] = HEADERS
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in result["paths"].values():
        for method, operation in path.items():
            public = not operation.get("security")
            sent = {one["name"] for one in operation.get("parameters", [])}
            for status, title in _possible(reads=method == "get", public=public, sent=sent).items():
                answer = operation["responses"].setdefault(status, {"description": title, "content": content})
                if status in LATER and operation["operationId"] != "readiness":
                    answer.setdefault("headers", {}).update(refer_to("Retry-After"))
            for answer in operation["responses"].values():
                limits = () if public else ("RateLimit-Policy", "RateLimit")
                answer.setdefault("headers", {}).update(refer_to("X-Request-Id", *limits))
    return result


def _possible(*, reads: bool, public: bool, sent: AbstractSet[str]) -> dict[str, str]:
    """Which errors an operation can end in, by status; ``sent`` are the names of its parameters."""
    if public:
        return PUBLIC_STATUSES
    found = STATUSES | ({"422": KEY_REUSED} if "Idempotency-Key" in sent else {})
    found |= {"412": CHANGED} if "If-Match" in sent else {}
    if reads:  # no body to be read, or refused
        found = {status: title for status, title in found.items() if status not in {"413", "415"}}
    return found


class ApiDocs(SpectacularSwaggerSplitView):
    """The browsable page. Swagger UI sets styles inline; scripts stay restricted to our own files."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with the page and its own content security policy."""
        answer: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        policy = f"{settings.CONTENT_SECURITY_POLICY}; style-src 'self' 'unsafe-inline'"
        answer.headers["Content-Security-Policy"] = policy
        return answer
