"""Whether the process is up: what ``GET /api/v1/health`` answers, without the API's framework.

A cold start answers by this before anything of the API is imported. ``apps.access.api.health`` describes it for the
schema, and answers all that is asked for otherwise.
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt

CONDITIONS = frozenset({"If-Match", "If-None-Match", "Prefer"})
VIEW = "apps.access.api.health.Liveness"


def body() -> Mapping[str, Any]:
    """What is told to everybody."""
    return {"status": "ok", "version": settings.VERSION}


@csrf_exempt  # as the API's views are, which no cookie opens
def live(request: HttpRequest) -> HttpResponseBase:
    """Answer a plain question at once; the API's view answers any other method or header."""
    if _is_plain(request):
        headers = {"Allow": "GET, HEAD, OPTIONS"}
        return JsonResponse(body(), json_dumps_params={"separators": (",", ":")}, headers=headers)
    answer: HttpResponseBase = import_string(VIEW).as_view()(request)
    return answer


def _is_plain(request: HttpRequest) -> bool:
    if request.method not in {"GET", "HEAD"} or request.GET or not CONDITIONS.isdisjoint(request.headers):
        return False
    return request.accepts("application/json")
