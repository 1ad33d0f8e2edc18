"""The platform's addresses, each part imported by the first request for it: a cold start answers by what it needs alone."""

from django.http import HttpRequest, HttpResponse
from django.urls import URLResolver, path
from django.urls.resolvers import RoutePattern
from django.views.defaults import bad_request, page_not_found, permission_denied, server_error
from django.views.generic import RedirectView

from apps.common.errors import Forbidden, Invalid, NotFound, PlatformError
from apps.common.liveness import live
from apps.common.middleware import API, problem
from apps.common.routes import V1


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer with a problem document under /api/, else with the page."""
    if request.path_info.startswith(API):
        return problem(NotFound("There is nothing at this address."))
    return page_not_found(request, exception or Exception())


def malformed(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer likewise to what Django refuses before any view: a wrong Host, too many parameters."""
    if request.path_info.startswith(API):
        return problem(Invalid("The request is malformed."))
    return bad_request(request, exception or Exception())


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer likewise to what is not allowed."""
    if request.path_info.startswith(API):
        return problem(Forbidden("You may not do this."))
    return permission_denied(request, exception or Exception())


def failed(request: HttpRequest) -> HttpResponse:
    """Answer likewise where nothing caught an exception."""
    if request.path_info.startswith(API):
        return problem(PlatformError("The error was recorded. If it persists, tell the operator."))
    return server_error(request)


handler400 = malformed
handler403 = forbidden
handler404 = not_found
handler500 = failed

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path(f"{V1}health", live, name="health"),  # before the rest, which it answers without
    URLResolver(RoutePattern("admin/"), "qkdplatform.console_urls", app_name="admin", namespace="admin"),
    URLResolver(RoutePattern("accounts/"), "apps.access.console.urls"),
    URLResolver(RoutePattern(""), "qkdplatform.api_urls"),
]
