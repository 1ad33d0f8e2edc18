"""Headers of answers, as the OpenAPI schema declares them."""

from typing import Any

HEADERS: dict[str, dict[str, Any]] = {
    "Retry-After": {
        "description": "Seconds after which the same request can succeed.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "X-Request-Id": {
        "description": "Names the request; give it to the operator when you ask.",
        "required": True,
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "How many requests of this scope are admitted, in a second and in a minute; not sent where there is no limit.",
        "schema": {"type": "string"},
        "example": '"burst";q=500;w=1, "steady";q=12000;w=60',
    },
    "RateLimit": {
        "description": "How many are left in this minute, and the seconds until the next.",
        "schema": {"type": "string"},
        "example": '"steady";r=11999;t=42',
    },
    "Preference-Applied": {
        "description": "Which preferences of the request were followed.",
        "schema": {"type": "string"},
        "example": "wait=20",
    },
    "ETag": {
        "description": "The state of the record, for If-Match and If-None-Match.",
        "schema": {"type": "string"},
    },
}
"""Of answers, by name; operations refer to them."""


def refer_to(*headers: str) -> dict[str, Any]:
    """Return the declaration of headers of an answer."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
