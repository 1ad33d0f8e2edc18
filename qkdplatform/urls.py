"""Every address of the platform; those of the API each app declares in its ``urls.py``."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLResolver, path
from django.urls.resolvers import RoutePattern
from django.views.defaults import bad_request, page_not_found, permission_denied, server_error
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView

from apps.common import problem_pages, problems
from apps.common.errors import Forbidden, Invalid, NotFound, PlatformError
from apps.common.middleware import API
from apps.common.routes import api_routes
from apps.common.schema import ApiDocs
from apps.metrics.api import MetricsPage


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer with a problem document under /api/, else with the page."""
    if request.path_info.startswith(API):
        return problems.response(NotFound("There is nothing at this address."))
    return page_not_found(request, exception or Exception())


def malformed(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer likewise to what Django refuses before any view: a wrong Host, too many parameters."""
    if request.path_info.startswith(API):
        return problems.response(Invalid("The request is malformed."))
    return bad_request(request, exception or Exception())


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer likewise to what is not allowed."""
    if request.path_info.startswith(API):
        return problems.response(Forbidden("You may not do this."))
    return permission_denied(request, exception or Exception())


def failed(request: HttpRequest) -> HttpResponse:
    """Answer likewise where nothing caught an exception."""
    if request.path_info.startswith(API):
        return problems.response(PlatformError("The error was recorded. If it persists, tell the operator."))
    return server_error(request)


handler400 = malformed
handler403 = forbidden
handler404 = not_found
handler500 = failed

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/", admin.site.urls),
    # Imported by the first request for one of them: a cold start of the API needs no pages
    URLResolver(RoutePattern("accounts/"), "apps.access.console.urls"),
    *api_routes(),
    path("metrics", MetricsPage.as_view(), name="metrics"),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path(problem_pages.ADDRESS, problem_pages.index, name="problems"),
    path(f"{problem_pages.ADDRESS}/<str:name>", problem_pages.page, name="problem"),
    path("api/docs", ApiDocs.as_view(url_name="schema"), name="docs"),
]
