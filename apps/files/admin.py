"""Files in the console: list, page, and what can be done to them. Nothing here opens a file."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse

from apps.access.console import actor_of
from apps.access.console.whose import whose
from apps.common.dynamodb import Page, Position
from apps.console import people, render
from apps.console.actions import Action
from apps.console.details import Related, Subject
from apps.console.filters import choice_filter, day_filters, exact_filter
from apps.console.models import DisplayModel
from apps.console.render import column
from apps.console.store_admin import UUID, StoreAdmin, partial_of
from apps.files import models, services, sharing
from apps.files.console import (
    announce_view,
    download_view,
    messages,  # noqa: F401 - registers messages
    upload_view,
)
from apps.files.console.actions import ACTIONS
from apps.files.console.first_steps import session_view
from apps.files.display import READABLE, TONES, envelope_header, shared_with, versions_of
from apps.files.records import File
from apps.files.shown import with_defaults
from apps.files.states import FileStatus


def _takes_versions(obj: models.File) -> bool:
    return obj.document_id == obj.pk and obj.status in {FileStatus.ENCRYPTED, FileStatus.ARCHIVED}


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
    ends = column("expires_at", render.moment, "deleted by itself at")
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

    def applies(self, request: HttpRequest, obj: DisplayModel, action: Action) -> bool:
        """Return whether the user can do an action to a file: who was granted to read it cannot change it, nor share it."""
        if not super().applies(request, obj, action) or not isinstance(obj, models.File):
            return False
        actor = actor_of(request)
        if action.permission == "share":
            back = action.name == "unshare"
            return sharing.may_share(obj.document_id, obj.owner, actor=actor, back=back)
        return action.permission != "write" or services.may_write(obj, actor=actor)

    def buttons_for(self, request: HttpRequest, obj: DisplayModel) -> list[dict[str, Any]]:
        """Return the actions, and first the download where the file can be read."""
        buttons = super().buttons_for(request, obj)
        readable = isinstance(obj, models.File) and obj.status in READABLE
        if isinstance(obj, models.File) and _takes_versions(obj) and self._may_write(request, obj):
            url = reverse("admin:files_file_upload") + f"?{urlencode({'document': obj.pk})}"
            buttons.insert(0, {"name": "version", "label": "New version…", "destructive": False, "url": url})
        if not (readable and self.allows(request, "decrypt")):
            return buttons
        url = reverse("admin:files_file_download", args=[obj.pk])
        return [{"name": "download", "label": "Download…", "destructive": False, "url": url}, *buttons]

    def _may_write(self, request: HttpRequest, obj: models.File) -> bool:
        return self.allows(request, "write") and services.may_write(obj, actor=actor_of(request))

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        if not self.allows(request, "write"):
            return []
        return [{"label": "Upload files", "url": reverse("admin:files_file_upload")}]

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("upload/", guard(partial_of(upload_view, self)), name="files_file_upload"),
            path("announce/", guard(partial_of(announce_view, self)), name="files_file_announce"),
            path("first-session/", guard(session_view), name="files_file_first_session"),
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
        """Return the file's keys, its document, and whom it is shared with."""
        if not isinstance(obj, models.File):
            return ()
        viewer = request.user
        owned = render.list_link(viewer, "files.file", "Other files of this owner", owner=obj.owner)
        keys = [
            ("Pool key", render.link(viewer, "keys.poolkey", obj.pool_key_id)),
            ("Session", render.link(viewer, "qkd_sessions.session", services.session_of(obj.quantum_key_id))),
            ("Owner", render.inline([whose(viewer, obj.owner), owned])),
        ]
        if obj.document_id != obj.pk:
            document = render.link(viewer, "files.file", obj.document_id)
            return [
                Related(title="Document", note=document),
                Related(title="Keys and owner", columns=("What", "Record"), rows=keys),
            ]
        return [
            Related(title="Keys and owner", columns=("What", "Record"), rows=keys),
            shared_with(request, obj.pk),
        ]

    def versions_of(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return the versions of a document; a version leads to its document instead."""
        return [versions_of(request, obj)] if isinstance(obj, models.File) else ()

    def has_versions(self, obj: DisplayModel) -> bool:
        """Return whether it is a document, and not a version of one or an upload."""
        waiting = {FileStatus.AWAITING_UPLOAD, FileStatus.AWAITING_BODY, FileStatus.REJECTED}
        return isinstance(obj, models.File) and obj.document_id == obj.pk and obj.status not in waiting

    def find(self, request: HttpRequest, object_id: str) -> File:
        return services.find(object_id, actor=actor_of(request))
