"""Messages in the console: who sealed each, when, and to which keys. Nothing here opens one, and there is no form."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.access.console import actor_of
from apps.access.console.whose import whose
from apps.common.dynamodb import Page, Position
from apps.console import people, render
from apps.console.details import Related, Subject
from apps.console.filters import day_filters, exact_filter
from apps.console.models import DisplayModel
from apps.console.render import column
from apps.console.store_admin import UUID, StoreAdmin
from apps.files import models
from apps.files.messages import listing
from apps.sessions.records import QuantumKey

FIELDS = {"owner": "taken_by", "key": "sealed_by", "session": "session_id"}  # of a filter


@admin.register(models.Message)
class MessageAdmin(StoreAdmin):
    section, place = "Files", 3
    empty_text = "No messages yet. Programs seal and open them through the API."
    intro = "Of a message the platform keeps who sealed it, when, and which keys it needs: neither its text nor its package."
    search_fields = ("message_id",)
    search_help_text = "Exact id of a message, a batch or a quantum key"
    id_pattern = rf"((msg|batch)-{UUID}|{UUID}\.\d+)(/\d+)?"
    indexed = ("session", "key", "owner")
    moment_field = "taken_at"
    list_filter = (
        exact_filter("owner", title="sealed by (id or user name)"),
        exact_filter("key", title="pool key"),
        exact_filter("session"),
        *day_filters(),
    )
    list_display = ("identity", "of_kind", "who", "when", "pool_key", "session", "entries")
    fieldsets = (
        (None, {"fields": ("whole", "of_kind", "sealer", "when")}),
        ("Keys that it needs", {"fields": ("quantum_key", "session", "pool_key")}),
    )
    identity = column("message_id", render.code, "message")
    whole = column("message_id", render.copied, "message")
    of_kind = column("kind", str, "kind")
    who = column("owner", people.who, "sealed by")
    sealer = column("owner", people.who_whole, "sealed by")
    when = column("sealed_at", render.moment, "sealed")
    quantum_key = column("quantum_key_id", render.code, "quantum key")

    @admin.display(description="pool key")
    def pool_key(self, obj: models.Message) -> Any:
        return render.link(obj.viewer, "keys.poolkey", obj.pool_key_id)

    @admin.display(description="session")
    def session(self, obj: models.Message) -> Any:
        return render.link(obj.viewer, "qkd_sessions.session", obj.session_id)

    @admin.display(description="trail")
    def entries(self, obj: models.Message) -> Any:
        return render.list_link(obj.viewer, "audit.entry", "Entries", file=obj.message_id)

    def as_display(self, record: QuantumKey) -> DisplayModel:
        return models.Message(
            quantum_key_id=record.key_id,
            message_id=record.subject,
            kind=listing.kind_of(record.subject),
            owner=record.taken_by,
            sealed_at=record.taken_at,
            session_id=record.session_id,
            pool_key_id=record.sealed_by or "",
        )

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[QuantumKey]:
        return listing.messages_page(
            actor=actor_of(request),
            limit=limit,
            position=position,
            owner=people.id_of(filters["owner"]) if "owner" in filters else None,
            pool_key=filters.get("key"),
            session=filters.get("session"),
        )

    def fits(self, record: QuantumKey, name: str, value: str) -> bool:
        """Return whether a message is one that a filter wants."""
        wanted = people.id_of(value) if name == "owner" else value
        return str(getattr(record, FIELDS[name])) == wanted

    def find(self, request: HttpRequest, object_id: str) -> QuantumKey:
        return listing.find(object_id, actor=actor_of(request))

    def name_of(self, obj: DisplayModel) -> str:
        return str(getattr(obj, "message_id", ""))

    def subject_of(self, obj: DisplayModel) -> Subject:
        return Subject(by="file", value=str(getattr(obj, "message_id", "")))

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return the keys that the message needs, who sealed it, and the other messages of each."""
        if not isinstance(obj, models.Message):
            return ()
        viewer = request.user

        def others(text: str, **by: str) -> Any:
            return render.list_link(viewer, "files.message", text, **by)

        pool_key = render.link(viewer, "keys.poolkey", obj.pool_key_id)
        session = render.link(viewer, "qkd_sessions.session", obj.session_id)
        rows = [
            ("Pool key", render.inline([pool_key, others("Messages sealed to it", key=obj.pool_key_id)])),
            ("Session", render.inline([session, others("Messages of its keys", session=obj.session_id)])),
            (
                "Sealed by",
                render.inline([whose(viewer, obj.owner), others("Their messages", owner=obj.owner)]),
            ),
        ]
        return [Related(title="Keys and sender", columns=("What", "Record"), rows=rows)]
