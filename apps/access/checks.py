"""``manage.py check`` finds views that nobody declared scopes for (I9)."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import Error
from django.urls import URLPattern, URLResolver, get_resolver

from apps.common.liveness import live

METHODS = ("get", "post", "put", "patch", "delete")
OPEN = ("api/schema", "api/docs", "api/problems")  # the documentation; what it describes is not secret


def _views(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route, pattern.callback
        else:
            yield from _views(pattern, route)


def every_api_view_declares_scopes(**_: Any) -> list[Error]:
    """``manage.py check`` fails on a view under /api/ with a method that declares no scope."""
    found = []
    for route, callback in _views(get_resolver()):
        if not route.startswith("api/") or route.startswith(OPEN) or callback is live:
            continue  # of health the API's own view declares it
        view = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
        methods = {name.upper() for name in METHODS if hasattr(view, name)}
        undeclared = sorted(methods - set(getattr(view, "required_scopes", {})))
        if undeclared or not methods:
            found.append(
                Error(
                    f"/{route}: no scope declared for {', '.join(undeclared) or 'any method'}",
                    id="access.E001",
                )
            )
    return found
