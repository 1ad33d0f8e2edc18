"""Files in the console: uploads and how they are encrypted. Nothing here opens a file."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.access.console import actor_of
from apps.common.dynamodb import Page, Position
from apps.console import render
from apps.console.filters import choice_filter, exact_filter
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin
from apps.files import models, services
from apps.files.records import File
from apps.files.shown import with_defaults
from apps.files.states import FileStatus

TONES = {
    FileStatus.AWAITING_UPLOAD: Tone.WAIT,
    FileStatus.ENCRYPTED: Tone.GOOD,
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


@admin.register(models.File)
class FileAdmin(StoreAdmin):
    section, place = "Encryption", 2
    empty_text = "No files yet. Files uploaded through the API appear here."
    search_fields = ("file_id",)
    search_help_text = "Exact file id"
    list_filter = (choice_filter("status", FileStatus), exact_filter("document_type", title="type"))
    list_display = ("title", "state", "document_type", "length", "who", "uploaded", "key")
    fieldsets = (
        (None, {"fields": ("name", "state_and_why", "document_type", "media_type", "who", "related")}),
        ("Times", {"fields": ("uploaded", "encrypted")}),
        ("Attributes", {"fields": ("given",)}),
        ("Encryption", {"fields": ("how", "header", "key", "quantum_key")}),
        ("Objects", {"fields": ("length", "sealed_length", "plaintext", "ciphertext")}),
    )
    title = column("name", str, "name")
    state = column("status", lambda value: render.badge(value, TONES), "status")
    length = column("size", render.size, "size")
    sealed_length = column("ciphertext_size", render.size, "ciphertext size")
    who = column("owner", str, "owner")
    uploaded = column("uploaded_at", render.moment, "uploaded (UTC)")
    encrypted = column("encrypted_at", render.moment, "encrypted (UTC)")
    given = column("attributes", render.document, "attributes")
    how = column("suite", lambda value: value or render.NONE, "suite")
    header = column("envelope_header", render.document, "envelope")
    plaintext = column("source", render.document, "upload location")
    ciphertext = column("body", render.document, "ciphertext location")

    @admin.display(description="status")
    def state_and_why(self, obj: models.File) -> Any:
        return render.inline([render.badge(obj.status, TONES), obj.reason])

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

    @admin.display(description="related")
    def related(self, obj: models.File) -> Any:
        return render.inline([render.list_link(obj.viewer, "audit.entry", "Audit entries", file=obj.pk)])

    def as_display(self, record: File) -> DisplayModel:
        return models.File.of(
            record, **with_defaults(record), envelope_header=envelope_header(record.envelope)
        )

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
        )

    def find(self, request: HttpRequest, object_id: str) -> File:
        return services.find(object_id, actor=actor_of(request))
