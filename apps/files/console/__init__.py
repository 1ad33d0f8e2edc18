"""Files uploaded from the console, straight to the bucket, and downloaded decrypted."""

import json
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from apps.access.console import actor_of
from apps.access.records import Right
from apps.audit import services as audit
from apps.audit.records import Actor
from apps.common.errors import NotFound, PlatformError
from apps.console import dashboard, once, render
from apps.console.failures import FAILURES, problem_of
from apps.console.render import Tone
from apps.console.store_admin import StoreAdmin
from apps.files import names, services
from apps.files.bodies import presigned
from apps.files.reading import downloads
from apps.files.records import DEFAULT_DOCUMENT_TYPE, UNKNOWN_TYPE, Document, File
from apps.files.states import FileStatus
from apps.files.tasks import decrypt_later
from apps.files.trail import FileEvent
from apps.files.uploads import announce
from apps.files.uploads.announce import UploadMethod
from apps.sessions import services as sessions

TYPE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class AnnounceForm(forms.Form):
    """What is said of a file before its bytes are sent."""

    name = forms.CharField(max_length=names.MAX_NAME_BYTES)
    media_type = forms.CharField(required=False, max_length=255)
    document = forms.CharField(required=False, max_length=64)  # of which it is the next version
    document_type = forms.RegexField(
        TYPE,
        required=False,
        error_messages={"invalid": "Letters, digits, dots, dashes and underscores, up to 64."},
    )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        wrong = names.problem_of(name)
        if wrong:
            raise forms.ValidationError(wrong)
        return name


def upload_view(model_admin: StoreAdmin, request: HttpRequest) -> HttpResponse:
    """Show the page that files are dropped on; its script may reach the bucket of uploads, and nothing else beside us."""
    if not model_admin.allows(request, "write"):
        raise PermissionDenied
    context = {
        **model_admin.page_context(request, "Upload files"),
        "announce_url": reverse("admin:files_file_announce"),
        "limit": settings.UPLOAD_MAX_BYTES,
        "limit_text": render.size(settings.UPLOAD_MAX_BYTES),
        "document_type": DEFAULT_DOCUMENT_TYPE,
        **_next_version_of(request),
    }
    answer = TemplateResponse(request, "files/upload.html", context)
    bucket = _bucket_origin()
    answer.headers["Content-Security-Policy"] = (
        f"{settings.CONTENT_SECURITY_POLICY}; connect-src 'self' {bucket}"
    )
    return answer


def _next_version_of(request: HttpRequest) -> dict[str, Any]:
    """Tell the page the document that a version is uploaded of, where its address names one."""
    asked = request.GET.get("document", "")
    if not asked:
        return {}
    try:
        found = services.find(asked, actor=actor_of(request), right=Right.WRITE) if len(asked) <= 64 else None
    except NotFound:
        found = None
    if not isinstance(found, Document):
        raise Http404
    return {"document": found.file_id, "document_name": render.name(found.name)}


def _bucket_origin() -> str:
    """Where the browser sends the bytes: made from an address, without a call."""
    parts = urlsplit(str(presigned.form(settings.UPLOADS_BUCKET, "x", limit=1)["url"]))
    return f"{parts.scheme}://{parts.netloc}"


def announce_view(model_admin: StoreAdmin, request: HttpRequest) -> HttpResponse:
    """Announce a file, and tell the page's script where its bytes go."""
    if not model_admin.allows(request, "write"):
        raise PermissionDenied
    if request.method != "POST":
        raise Http404
    form = AnnounceForm(request.POST)
    if not form.is_valid():
        field, wrong = next(iter(json.loads(form.errors.as_json()).items()))
        return JsonResponse({"problem": f"{field}: {wrong[0]['message']}"}, status=400)
    given = form.cleaned_data
    try:
        target = _announced(given, actor_of(request))
    except FAILURES as error:
        return _problem(problem_of(error))
    page = reverse("admin:files_file_change", args=[given["document"] or target.file.file_id])
    return JsonResponse({"url": target.url, "fields": dict(target.fields), "page": page})


def _announced(given: dict[str, Any], actor: Actor) -> announce.Target:
    if given["document"]:
        return announce.announce_version(
            given["document"],
            media_type=given["media_type"] or UNKNOWN_TYPE,
            method=UploadMethod.POST,
            actor=actor,
        )
    return announce.announce(
        name=given["name"],
        media_type=given["media_type"] or UNKNOWN_TYPE,
        document_type=given["document_type"] or DEFAULT_DOCUMENT_TYPE,
        method=UploadMethod.POST,
        actor=actor,
    )


def _problem(problem: PlatformError) -> HttpResponse:
    return JsonResponse({"problem": problem.detail}, status=problem.status)


class DownloadForm(forms.Form):
    """Asks for the passphrase, where one is a part of the key."""

    passphrase = forms.CharField(
        required=False,
        widget=forms.PasswordInput({"autocomplete": "off"}),
        help_text="Only for a file that a passphrase protects. It is kept nowhere.",
    )


def download_view(model_admin: StoreAdmin, request: HttpRequest, file_id: str) -> HttpResponse:
    """Decrypt a file to a short-lived copy; the trail says who read it, before it is read."""
    if not (model_admin.allows(request, "decrypt") and model_admin.has_view_permission(request)):
        raise PermissionDenied
    actor = actor_of(request)
    try:
        file = services.find(file_id, actor=actor)
    except NotFound:
        raise Http404 from None
    form = DownloadForm(request.POST if request.method == "POST" else None)
    found: downloads.Download | None = None
    if form.is_valid() and once.spend(request):
        try:
            passphrase = form.cleaned_data["passphrase"] or None
            found = downloads.publish(file_id, actor=actor, passphrase=passphrase, later=decrypt_later)
        except FAILURES as error:
            form.add_error(None, problem_of(error).detail)
    if found is not None and found.job_id:
        return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[found.job_id]))
    return _download_page(model_admin, request, file, form, found)


def _download_page(
    model_admin: StoreAdmin,
    request: HttpRequest,
    file: File,
    form: DownloadForm,
    found: downloads.Download | None,
) -> HttpResponse:
    context: dict[str, Any] = {
        **model_admin.page_context(request, "Download a file"),
        "file_name": render.name(file.name),
        "size": render.size(getattr(file, "size", None)),
        "found": found,
        "expires": render.moment(found.expires_at) if found else "",
        "form": form,
        "once": once.new_token(),
        "back_url": reverse("admin:files_file_change", args=[file.file_id]),
        "may_see_trail": request.user.has_perm("audit.view_entry"),
    }
    return TemplateResponse(
        request, "files/download.html", context
    )  # never cached, as every page of the admin


FEW = 4  # whoever has as many files needs no first steps
_done: set[str] = set()  # remembered by this process once it is so: it does not change back


def _first_steps(request: HttpRequest) -> dashboard.Content:
    """Lead from an empty platform to a file that was encrypted, read, and recorded; then go away."""
    if "first steps" in _done:
        return dashboard.Content()
    actor = actor_of(request)
    found = services.files_page(actor=actor, limit=FEW).records
    ready = next((file for file in found if file.status is FileStatus.ENCRYPTED), None)
    was_read = ready is not None and any(
        entry.event == FileEvent.READ
        for entry in audit.entries_page(limit=10, by="file", value=ready.file_id).records
    )
    if len(found) >= FEW or was_read:
        _done.add("first steps")
        return dashboard.Content()
    ran = any(not one.is_platforms for one in sessions.listed(actor=actor, limit=20).records)
    download = reverse("admin:files_file_download", args=[ready.file_id]) if ready else ""
    generate, trail = reverse("admin:qkd_sessions_session_generate"), reverse("admin:audit_entry_changelist")
    steps = [
        (title, url if request.user.has_perm(permission) else "", done)
        for title, url, done, permission in (
            ("Generate a session", generate, ran, "qkd_sessions.generate_session"),
            (
                "Upload a file: it is encrypted by itself",
                reverse("admin:files_file_upload"),
                bool(found),
                "files.write_file",
            ),
            ("Download it, decrypted", download, was_read, "files.decrypt_file"),
            ("See who did what", trail, False, "audit.view_entry"),
        )
    ]
    rows = [
        (
            str(number),
            render.url_link(url, title) if url else title,
            render.badge("done", Tone.GOOD) if done else "",
        )
        for number, (title, url, done) in enumerate(steps, 1)
    ]
    note = "These steps go away once a file was read."
    return dashboard.Content(columns=("Step", "What to do", ""), rows=rows, note=note)


dashboard.register(
    dashboard.Panel(
        name="first-steps", title="First steps", permission="files.write_file", load=_first_steps, place=1,
        width="full", goes_away=True,
    )
)  # fmt: skip
