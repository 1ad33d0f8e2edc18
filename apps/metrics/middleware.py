"""Every request is counted and timed, by the route that answered it."""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from apps.metrics.catalog import REQUEST_SECONDS, REQUESTS, THROTTLED
from apps.metrics.recording import observe
from apps.metrics.units import spent_on

UNMATCHED, STATIC, CONSOLE = "unmatched", "static", "admin"
TOO_MANY = 429
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measured:
    """Stands outermost, so that what others do counts too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        with spent_on(lambda: _route(request)):
            answer = self.get_response(request)
        route, method = _route(request), request.method if request.method in METHODS else "other"
        method = method or "other"
        observe(REQUEST_SECONDS, time.perf_counter() - began, route=route, method=method)
        observe(REQUESTS, route=route, method=method, status=f"{answer.status_code // 100}xx")
        if answer.status_code == TOO_MANY:
            observe(THROTTLED, route=route)
        return answer


def _route(request: HttpRequest) -> str:
    """The pattern of the address, never the address: that holds ids. The console is one."""
    if request.path_info.startswith(settings.STATIC_URL):
        return STATIC
    found = request.resolver_match
    route = str(found.route) if found is not None else UNMATCHED
    return CONSOLE if route.startswith("admin/") else route or "home"
