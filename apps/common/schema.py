"""The OpenAPI schema's shared parts, and the page that shows it."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

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
PUBLIC_STATUSES = {
    "400": "The input is not valid",
    "405": "Method not allowed",
    "406": "Only application/json is answered",
    "503": "Not available right now",
}
STATUSES = PUBLIC_STATUSES | {
    "401": "Credentials are missing or not valid",
    "403": "Not allowed",
    "404": "Not found",
    "409": "Not possible in this state",
    "413": "The body is too large",
    "415": "Send application/json in UTF-8",
}


def with_problem_responses(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add to every operation that it can answer with a problem document (a hook of drf-spectacular)."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in result["paths"].values():
        for operation in path.values():
            for status, title in STATUSES.items():
                operation["responses"].setdefault(status, {"description": title, "content": content})
    return result


class ApiDocs(SpectacularSwaggerSplitView):
    """The browsable page. Swagger UI sets styles inline; scripts stay restricted to our own files."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with the page and its own content security policy."""
        answer: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        policy = f"{settings.CONTENT_SECURITY_POLICY}; style-src 'self' 'unsafe-inline'"
        answer.headers["Content-Security-Policy"] = policy
        return answer
