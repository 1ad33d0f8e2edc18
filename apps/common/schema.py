"""The OpenAPI schema's shared parts: problem documents and list envelopes."""

from typing import Any

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
    "503": "Not available right now",
}
STATUSES = PUBLIC_STATUSES | {
    "401": "Credentials are missing or not valid",
    "403": "Not allowed",
    "404": "Not found",
    "409": "Not possible in this state",
    "413": "The body is too large",
}


def with_problem_responses(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's hook: every operation can answer with a problem document."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in result["paths"].values():
        for operation in path.values():
            for status, title in STATUSES.items():
                operation["responses"].setdefault(status, {"description": title, "content": content})
    return result
