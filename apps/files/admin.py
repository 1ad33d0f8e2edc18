"""Files in the console: list, page, and what can be done to them. Nothing here opens a file."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.access.console import actor_of
from apps.access.records import Right
from apps.common.dynamodb import Page, Position
from apps.console import people, render
from apps.console.actions import Action, Facts, NoForm
from apps.console.details import Related, Subject
from apps.console.filters import choice_filter, day_filters, exact_filter
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import UUID, StoreAdmin, partial_of
from apps.custody import reencryption
from apps.custody.reencryption import Suspect, SuspectKind
from apps.files import models, services, sharing
from apps.files.console import announce_view, download_view, upload_view
from apps.files.life import archive, deleting, versions
from apps.files.records import File, StorageClass
from apps.files.shown import with_defaults
from apps.files.states import FileStatus

RELATED = 25
TONES = {
    FileStatus.AWAITING_UPLOAD: Tone.WAIT,
    FileStatus.AWAITING_BODY: Tone.WAIT,
    FileStatus.ENCRYPTED: Tone.GOOD,
    FileStatus.ARCHIVING: Tone.WAIT,
    FileStatus.ARCHIVED: Tone.INFO,
    FileStatus.RECALLING: Tone.WAIT,
    FileStatus.SUPERSEDED: Tone.MUTED,
    FileStatus.APPLIED: Tone.MUTED,
    FileStatus.REJECTED: Tone.BAD,
    FileStatus.DELETED: Tone.MUTED,
    FileStatus.SHREDDING: Tone.MUTED,
    FileStatus.SHREDDED: Tone.MUTED,
}


def envelope_header(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the envelope was made: named fields only, so that nothing sealed reaches a page."""
    header = envelope.get("header", {})
    if not header:
        return {}
    return {
        "format_version": header.get("version"),
        "suite": header.get("suite"),
        "body": header.get("body"),
        "sealed_to": envelope.get("pool_suite"),
        "bound_to_context": bool(header.get("context_digest")),
        "passphrase_protected": bool(header.get("passphrase")),
    }


class ArchiveForm(forms.Form):
    """Asks for the cold storage class."""

    storage_class = forms.ChoiceField(
        choices=[
            (one.value, render.heading(one.value)) for one in StorageClass if one is not StorageClass.STANDARD
        ],
        help_text="From GLACIER and DEEP_ARCHIVE a file comes back within hours; GLACIER_IR is read at once.",
    )


class ShareForm(forms.Form):
    """Asks whom a file is shared with, and until when."""

    grantee = forms.CharField(
        max_length=255, label="With", help_text="A user name, or the id of a person, service or group."
    )
    right = forms.ChoiceField(choices=[(one.value, render.heading(one.value)) for one in Right])
    until = forms.DateTimeField(
        required=False,
        help_text="Day and time in UTC. Empty: until it is taken back.",
        widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
    )


def _file_facts(_request: HttpRequest, obj: DisplayModel) -> Facts:
    if not isinstance(obj, models.File):
        return ()
    return (
        ("Name", render.name(obj.name)),
        ("Status", render.badge(obj.status, TONES)),
        ("Owner", people.who(obj.owner)),
        ("Size", render.size(obj.size)),
        ("Version", render.number(obj.version)),
    )


def _archive(request: HttpRequest, file_id: str, given: dict[str, Any]) -> None:
    archive.archive(file_id, storage_class=StorageClass(given["storage_class"]), actor=actor_of(request))


def _restore(request: HttpRequest, file_id: str, given: dict[str, Any]) -> None:
    del given
    archive.restore(file_id, actor=actor_of(request))


def _delete(request: HttpRequest, file_id: str, given: dict[str, Any]) -> None:
    del given
    deleting.delete(file_id, actor=actor_of(request))


def _share(request: HttpRequest, file_id: str, given: dict[str, Any]) -> None:
    until: datetime | None = given["until"]
    sharing.share(
        file_id,
        grantee=people.id_of(given["grantee"]),
        right=Right(given["right"]),
        until=until,
        actor=actor_of(request),
    )


def _reencrypt(request: HttpRequest, file_id: str, given: dict[str, Any]) -> SafeString:
    suspect = Suspect(SuspectKind.FILE, file_id)
    job = reencryption.start(suspect, reason=given["reason"], actor=actor_of(request))
    return format_html("Job {} re-encrypts it.", render.link(request.user, "jobs.job", job.job_id))


def _takes_versions(obj: models.File) -> bool:
    return obj.document_id == obj.pk and obj.status in {FileStatus.ENCRYPTED, FileStatus.ARCHIVED}


def _in(*states: FileStatus) -> Any:
    def offered(obj: DisplayModel) -> bool:
        return isinstance(obj, models.File) and obj.status in states

    return offered


ACTIONS = (
    Action(
        name="share", label="Share…", title="Share a file", permission="share", button="Share", done="shared",
        warning="Lets somebody else read or write this document and its versions. What they were granted before is "
        "replaced.",
        destructive=False, several=False, act=_share, form_class=ShareForm, facts=_file_facts,
        offered=_in(FileStatus.ENCRYPTED, FileStatus.ARCHIVED),
    ),
    Action(
        name="archive", label="Archive…", title="Archive files", permission="write", button="Archive", done="archived",
        warning="Moves the encrypted content to cold storage, which costs less and is read later.",
        destructive=False, act=_archive, form_class=ArchiveForm, facts=_file_facts, offered=_in(FileStatus.ENCRYPTED),
    ),
    Action(
        name="restore", label="Restore…", title="Restore files", permission="write", button="Restore", done="restored",
        warning="Brings deleted files back to where they were, and archived ones out of cold storage.",
        destructive=False, act=_restore, form_class=NoForm, facts=_file_facts,
        offered=_in(FileStatus.DELETED, FileStatus.ARCHIVED),
    ),
    Action(
        name="reencrypt", label="Re-encrypt…", title="Re-encrypt a file", permission="custody.reencrypt_rotation", button="Re-encrypt",
        warning="Encrypts the file and its versions again: envelope and body, with new keys.",
        done="queued for re-encryption", destructive=False, several=False, act=_reencrypt, facts=_file_facts,
        offered=_in(FileStatus.ENCRYPTED),
    ),
    Action(
        name="delete", label="Delete…", title="Delete files", permission="write", button="Delete", done="deleted",
        warning="Hides these files. Documents can be restored until their window ends; then their keys are destroyed "
        "and nothing brings them back. An upload that is awaited or was rejected is deleted at once.",
        act=_delete, form_class=NoForm, facts=_file_facts,
        offered=_in(FileStatus.ENCRYPTED, FileStatus.ARCHIVED, FileStatus.AWAITING_UPLOAD, FileStatus.REJECTED),
    ),
)  # fmt: skip


@admin.register(models.File)
class FileAdmin(StoreAdmin):
    section, place = "Files", 1
    empty_text = "No files yet. Upload one, or let a service do so through the API."
    search_fields = ("file_id",)
    search_help_text = "Exact file id"
    id_pattern = rf"{UUID}(\.(v\d+|[0-9a-f]{{16}}))?|file-[A-Za-z0-9-]+"
    indexed = ("owner", "document_type", "status")
    moment_field = "uploaded_at"
    list_filter = (
        choice_filter("status", FileStatus),
        exact_filter("document_type", title="type"),
        exact_filter("owner", title="owner (id or user name)"),
        exact_filter("name", title="name begins with"),
        *day_filters(),
    )
    unlisted = ("source", "body", "envelope_header")
    list_display = ("title", "state", "type_of", "length", "who", "uploaded", "key")
    record_actions = ACTIONS
    fieldsets = (
        (None, {"fields": ("title", "state_and_why", "type_of", "media_type", "owned_by", "number")}),
        ("Times", {"fields": ("uploaded", "encrypted", "ends", "shredded")}),
        ("Attributes", {"fields": ("given",)}),
        ("Encryption", {"fields": ("how", "header", "key", "quantum_key")}),
        ("Objects", {"fields": ("length", "sealed_length", "storage", "plaintext", "ciphertext")}),
    )
    title = column("name", render.name, "name")
    state = column("status", lambda value: render.badge(value, TONES), "status")
    length = column("size", render.size, "size")
    sealed_length = column("ciphertext_size", render.size, "ciphertext size")
    who = column("owner", people.who, "owner")
    owned_by = column("owner", people.who_whole, "owner")
    type_of = column("document_type", render.name, "type")
    number = column("version", render.number, "version")
    storage = column("storage_class", lambda value: value or render.NONE, "storage class")
    ends = column("expires_at", render.moment, "deleted at")
    shredded = column("shred_after", render.moment, "shredded after")
    uploaded = column("uploaded_at", render.moment, "uploaded")
    encrypted = column("encrypted_at", render.moment, "encrypted")
    given = column("attributes", render.document, "attributes")
    how = column("suite", lambda value: value or render.NONE, "suite")
    header = column("envelope_header", render.document, "envelope")
    plaintext = column("source", render.document, "upload location")
    ciphertext = column("body", render.document, "ciphertext location")

    @admin.display(description="status")
    def state_and_why(self, obj: models.File) -> Any:
        return render.inline(
            [render.badge(obj.status, TONES), render.name(obj.reason), render.name(obj.damage)]
        )

    @admin.display(description="pool key")
    def key(self, obj: models.File) -> Any:
        return render.link(obj.viewer, "keys.poolkey", obj.pool_key_id)

    @admin.display(description="quantum key")
    def quantum_key(self, obj: models.File) -> Any:
        session = services.session_of(obj.quantum_key_id)
        if session is None:
            return render.NONE
        return render.inline(
            [
                render.code(obj.quantum_key_id),
                render.link(obj.viewer, "qkd_sessions.session", session, "session"),
            ]
        )

    def as_display(self, record: File) -> DisplayModel:
        return models.File.of(
            record, **with_defaults(record), envelope_header=envelope_header(record.envelope)
        )

    def buttons_for(self, request: HttpRequest, obj: DisplayModel) -> list[dict[str, Any]]:
        """Return the actions, and first the download where the file can be read."""
        buttons = super().buttons_for(request, obj)
        readable = isinstance(obj, models.File) and obj.status in {
            FileStatus.ENCRYPTED,
            FileStatus.SUPERSEDED,
        }
        if isinstance(obj, models.File) and _takes_versions(obj) and self.allows(request, "write"):
            url = reverse("admin:files_file_upload") + f"?{urlencode({'document': obj.pk})}"
            buttons.insert(0, {"name": "version", "label": "New version…", "destructive": False, "url": url})
        if not (readable and self.allows(request, "decrypt")):
            return buttons
        url = reverse("admin:files_file_download", args=[obj.pk])
        return [{"name": "download", "label": "Download…", "destructive": False, "url": url}, *buttons]

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        if not self.allows(request, "write"):
            return []
        return [{"label": "Upload files", "url": reverse("admin:files_file_upload")}]

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("upload/", guard(partial_of(upload_view, self)), name="files_file_upload"),
            path("announce/", guard(partial_of(announce_view, self)), name="files_file_announce"),
            path(
                "<str:file_id>/download/", guard(partial_of(download_view, self)), name="files_file_download"
            ),
            *super().get_urls(),
        ]

    def refresh_seconds(self, obj: DisplayModel) -> int | None:
        moving = {
            FileStatus.AWAITING_UPLOAD, FileStatus.AWAITING_BODY, FileStatus.ARCHIVING, FileStatus.RECALLING
        }  # fmt: skip
        return 3 if isinstance(obj, models.File) and obj.status in moving else None

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[File]:
        status = FileStatus(filters["status"]) if "status" in filters else None
        return services.files_page(
            actor=actor_of(request),
            limit=limit,
            position=position,
            document_type=filters.get("document_type"),
            status=status,
            owner=people.id_of(filters["owner"]) if "owner" in filters else None,
        )

    def fits(self, record: File, name: str, value: str) -> bool:
        """Return whether a file is one that a filter wants."""
        if name == "name":
            return record.name.casefold().startswith(value.casefold())
        return str(getattr(record, name)) == (people.id_of(value) if name == "owner" else value)

    def name_of(self, obj: DisplayModel) -> str:
        return render.spelt(str(getattr(obj, "name", "")))

    def subject_of(self, obj: DisplayModel) -> Subject:
        return Subject(by="file", value=str(obj.pk))

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return the file's keys, its versions or its document, and whom it is shared with."""
        if not isinstance(obj, models.File):
            return ()
        viewer = request.user
        owned = render.list_link(viewer, "files.file", "Other files of this owner", owner=obj.owner)
        keys = [
            ("Pool key", render.link(viewer, "keys.poolkey", obj.pool_key_id)),
            ("Session", render.link(viewer, "qkd_sessions.session", services.session_of(obj.quantum_key_id))),
            ("Owner", render.inline([people.who_whole(obj.owner), owned])),
        ]
        if obj.document_id != obj.pk:
            document = render.link(viewer, "files.file", obj.document_id)
            return [
                Related(title="Document", note=document),
                Related(title="Keys and owner", columns=("What", "Record"), rows=keys),
            ]
        return [
            Related(title="Keys and owner", columns=("What", "Record"), rows=keys),
            _versions_of(request, obj.pk),
            _shared_with(request, obj.pk),
        ]

    def find(self, request: HttpRequest, object_id: str) -> File:
        return services.find(object_id, actor=actor_of(request))


def _versions_of(request: HttpRequest, file_id: str) -> Related:
    page = versions.earlier_versions(file_id, actor=actor_of(request), limit=RELATED)
    rows = [
        (
            render.link(request.user, "files.file", one.file_id),
            render.number(one.version),
            render.name(one.name),
            render.size(one.size),
            render.moment(one.encrypted_at),
            render.badge(one.status, TONES),
        )
        for one in page.records
    ]
    columns = ("Version", "Number", "Name", "Size", "Encrypted", "Status")
    return Related(
        title="Earlier versions", columns=columns, rows=rows, note="" if rows else "None: this is the first."
    )


def _shared_with(request: HttpRequest, file_id: str) -> Related:
    page = sharing.shared_with(file_id, actor=actor_of(request), limit=RELATED)
    rows = [
        (
            people.who(one.grantee),
            render.words(one.right),
            render.moment(one.until) if one.until else "no end",
        )
        for one in page.records
    ]
    return Related(
        title="Shared with", columns=("Whom", "Right", "Until"), rows=rows, note="" if rows else "Nobody."
    )
