"""Every address of the platform."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.defaults import bad_request, page_not_found, permission_denied, server_error
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView

from apps.access.api import Liveness, Readiness
from apps.audit.api import Entries
from apps.common import problems
from apps.common.errors import Forbidden, Invalid, NotFound, PlatformError
from apps.common.middleware import API
from apps.common.schema import ApiDocs
from apps.custody.urls import urlpatterns as custody
from apps.detections.api import DetectionDetail, Detections
from apps.files.api.views.documents import FileContent, FileDetail, FileDownload, FileRestoration, Files
from apps.files.api.views.messages import Decrypt, Encrypt
from apps.files.api.views.uploads import (
    FileAbortion,
    FileArchive,
    FileCompletion,
    FileParts,
    FileSecret,
    FileVersions,
    LocalFiles,
    LocalFinish,
)
from apps.jobs.api import JobCancellation, JobDetail, Jobs
from apps.keys.api import PoolKeyDetail, PoolKeys, PoolPolicy
from apps.sessions.api import (
    Batches,
    Generate,
    SessionDetail,
    SessionRevocation,
    Sessions,
    StockDetail,
    TakenKeys,
)

V1 = "api/v1"


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Under /api/ a problem document, else the page."""
    if request.path.startswith(API):
        return problems.response(NotFound("There is nothing at this address."))
    return page_not_found(request, exception or Exception())


def malformed(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Likewise for what Django refuses before any view: a wrong Host, too many parameters."""
    if request.path.startswith(API):
        return problems.response(Invalid("The request is malformed."))
    return bad_request(request, exception or Exception())


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Likewise for what is not allowed."""
    if request.path.startswith(API):
        return problems.response(Forbidden("You may not do this."))
    return permission_denied(request, exception or Exception())


def failed(request: HttpRequest) -> HttpResponse:
    """Likewise for what nobody caught."""
    if request.path.startswith(API):
        return problems.response(PlatformError("The error was recorded. If it stays, tell the operator."))
    return server_error(request)


handler400 = malformed
handler403 = forbidden
handler404 = not_found
handler500 = failed

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/", admin.site.urls),
    path(f"{V1}/health", Liveness.as_view(), name="health"),
    path(f"{V1}/health/ready", Readiness.as_view(), name="readiness"),
    path(f"{V1}/qkd/generate", Generate.as_view(), name="generate"),
    path(f"{V1}/qkd/batches", Batches.as_view(), name="batches"),
    path(f"{V1}/qkd/sessions", Sessions.as_view(), name="sessions"),
    path(f"{V1}/qkd/session/<str:session_id>", SessionDetail.as_view(), name="session"),
    path(f"{V1}/qkd/session/<str:session_id>/revoke", SessionRevocation.as_view(), name="session-revoke"),
    path(f"{V1}/qkd/session/<str:session_id>/keys", TakenKeys.as_view(), name="session-keys"),
    path(f"{V1}/qkd/stock", StockDetail.as_view(), name="stock"),
    path(f"{V1}/detections", Detections.as_view(), name="detections"),
    path(f"{V1}/detections/<str:session_id>", DetectionDetail.as_view(), name="detection"),
    path(f"{V1}/keys", PoolKeys.as_view(), name="pool-keys"),
    path(f"{V1}/keys/<str:key_id>", PoolKeyDetail.as_view(), name="pool-key"),
    path(f"{V1}/pool/policy", PoolPolicy.as_view(), name="pool-policy"),
    *(path(f"{V1}/{route.pattern}", route.callback, name=route.name) for route in custody),
    path(f"{V1}/files", Files.as_view(), name="files"),
    path(f"{V1}/files/<str:file_id>", FileDetail.as_view(), name="file"),
    path(f"{V1}/files/<str:file_id>/content", FileContent.as_view(), name="file-content"),
    path(f"{V1}/files/<str:file_id>/download", FileDownload.as_view(), name="file-download"),
    path(f"{V1}/files/<str:file_id>/restore", FileRestoration.as_view(), name="file-restore"),
    path(f"{V1}/files/<str:file_id>/parts", FileParts.as_view(), name="file-parts"),
    path(f"{V1}/files/<str:file_id>/complete", FileCompletion.as_view(), name="file-complete"),
    path(f"{V1}/files/<str:file_id>/abort", FileAbortion.as_view(), name="file-abort"),
    path(f"{V1}/files/<str:file_id>/versions", FileVersions.as_view(), name="file-versions"),
    path(f"{V1}/files/<str:file_id>/archive", FileArchive.as_view(), name="file-archive"),
    path(f"{V1}/files/<str:file_id>/key", FileSecret.as_view(), name="file-key"),
    path(f"{V1}/local-files", LocalFiles.as_view(), name="local-files"),
    path(f"{V1}/local-files/<str:file_id>/finish", LocalFinish.as_view(), name="local-finish"),
    path(f"{V1}/encrypt", Encrypt.as_view(), name="encrypt"),
    path(f"{V1}/decrypt", Decrypt.as_view(), name="decrypt"),
    path(f"{V1}/jobs", Jobs.as_view(), name="jobs"),
    path(f"{V1}/jobs/<str:job_id>", JobDetail.as_view(), name="job"),
    path(f"{V1}/jobs/<str:job_id>/cancel", JobCancellation.as_view(), name="job-cancel"),
    path(f"{V1}/audit", Entries.as_view(), name="audit"),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", ApiDocs.as_view(url_name="schema"), name="docs"),
]
