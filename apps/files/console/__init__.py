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
from apps.audit.records import Actor
from apps.common.errors import NotFound, PlatformError
from apps.console import once, pages, render
from apps.console.dashboard import Step
from apps.console.failures import FAILURES, problem_of
from apps.console.once import Fate
from apps.console.store_admin import StoreAdmin
from apps.files import names, services
from apps.files.bodies import presigned
from apps.files.console import first_steps
from apps.files.reading import downloads
from apps.files.records import DEFAULT_DOCUMENT_TYPE, UNKNOWN_TYPE, Document, File
from apps.files.tasks import decrypt_later
from apps.files.uploads import announce
from apps.files.uploads.announce import UploadMethod

AGAIN = "This form was sent already: the file was decrypted once, for the first answer. Decrypt it again to have it here."
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
        **(_next_version_of(request) or _first_upload(request)),
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


def _first_upload(request: HttpRequest) -> dict[str, Any]:
    """Tell the page where it leads once the file was sent, for who takes the first steps."""
    way = first_steps.look(request)
    if way is None or way.ready is not None:
        return {}
    return {"steps": first_steps.steps(request, first_steps.UPLOAD), "onwards": reverse("admin:index")}


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
    way = first_steps.look(request)  # before it is read: then they are behind whoever takes them
    form = DownloadForm(request.POST if request.method == "POST" else None)
    found: downloads.Download | None = None
    if form.is_valid():
        fate = once.spend(request)
        if fate is not Fate.FIRST:
            form.add_error(None, AGAIN if fate is Fate.DONE else fate.told)
        else:
            found = _published(request, form, file_id)
    if found is not None and found.job_id:
        return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[found.job_id]))
    steps = [] if way is None or way.ready is None else _steps(request, file, found)
    return _download_page(model_admin, request, file, form, found, steps)


def _published(request: HttpRequest, form: DownloadForm, file_id: str) -> downloads.Download | None:
    """Decrypt a file; None where that was refused, which the form says."""
    try:
        found = downloads.publish(
            file_id,
            actor=actor_of(request),
            passphrase=form.cleaned_data["passphrase"] or None,
            later=decrypt_later,
        )
    except FAILURES as error:
        once.note(request, Fate.REFUSED)
        form.add_error(None, problem_of(error).detail)
        return None
    once.note(request, Fate.DONE)
    return found


def _steps(request: HttpRequest, file: File, found: downloads.Download | None) -> list[Step]:
    """Show where somebody is who reads their first file."""
    if found is None:
        return first_steps.steps(request, first_steps.READ)
    return first_steps.after_reading(request, file.file_id)


def _download_page(
    model_admin: StoreAdmin,
    request: HttpRequest,
    file: File,
    form: DownloadForm,
    found: downloads.Download | None,
    steps: list[Step],
) -> HttpResponse:
    context: dict[str, Any] = {
        **model_admin.page_context(request, "Download a file"),
        "file_name": render.name(file.name),
        "size": render.size(getattr(file, "size", None)),
        "found": found,
        "expires": render.moment(found.expires_at) if found else "",
        "form": form,
        "steps": steps,
        "once": once.new_token(),
        "back_url": reverse("admin:files_file_change", args=[file.file_id]),
        "may_see_trail": request.user.has_perm("audit.view_entry"),
    }
    return TemplateResponse(
        request, "files/download.html", context
    )  # never cached, as every page of the admin


pages.lead_to(
    pages.Shortcut(
        name="upload", title="Upload", section="Files", place=2, permissions=("files.view_file", "files.write_file"),
        address="admin:files_file_upload",
    )
)  # fmt: skip
