"""The audit trail in the console: entries by actor and subject, and the verification of the chains."""

import re
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.access.console import actor_of
from apps.audit import models, services, verification
from apps.audit.records import Entry, Outcome
from apps.audit.trail import AuditEvent
from apps.common.dynamodb import Page, Position
from apps.common.errors import NotFound
from apps.console import dashboard, render
from apps.console.filters import exact_filter
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin

TONES = {Outcome.OK: Tone.GOOD, Outcome.DENIED: Tone.WAIT, Outcome.FAILED: Tone.BAD}
LATEST = 8  # in the overview
_ID = re.compile(r"([0-9]{1,8})-([0-9]{1,15})")


def id_of(chain: str, sequence: int) -> str:
    """Return the id of an entry: its chain and its number."""
    return f"{chain}-{sequence}"


def subjects(viewer: Any, entry: Entry | models.Entry) -> Any:
    """Link to the subjects of an entry."""
    return render.inline(
        [
            render.link(viewer, "qkd_sessions.session", entry.session_id),
            render.link(viewer, "keys.poolkey", entry.key_id),
            render.link(viewer, "files.file", entry.file_id),
        ]
    )


@admin.register(models.Entry)
class EntryAdmin(StoreAdmin):
    section, place = "Oversight", 1
    empty_text = "No entries yet. Every operation on a key, session or file leaves one."
    search_fields = ("entry_id",)
    search_help_text = "Exact entry id: chain and number, such as 003-17"
    list_filter = (
        exact_filter("actor"),
        exact_filter("session"),
        exact_filter("key", title="pool key"),
        exact_filter("file"),
    )
    list_display = ("identity", "when", "what", "badge", "who", "about", "source_ip")
    fieldsets = (
        (None, {"fields": ("when", "what", "badge", "who_else", "key_shown", "source_ip")}),
        ("Subject", {"fields": ("session", "key", "file")}),
        ("Details", {"fields": ("details",)}),
        ("Place in the chain", {"fields": ("chain", "sequence", "before", "previous", "own")}),
    )
    identity = column("entry_id", render.short, "entry")
    when = column("timestamp", render.moment, "time (UTC)")
    what = column("event", lambda value: render.words(value).replace(".", ": "), "event")
    badge = column("outcome", lambda value: render.badge(value, TONES), "outcome")
    who = column("actor", str, "actor")
    details = column("detail", render.document, "details")
    key_shown = column("via", render.code, "API key")
    previous = column("previous_hash", render.code, "previous hash")
    own = column("hash", render.code, "hash")

    @admin.display(description="subject")
    def about(self, obj: models.Entry) -> Any:
        return subjects(obj.viewer, obj)

    @admin.display(description="actor")
    def who_else(self, obj: models.Entry) -> Any:
        more = render.list_link(obj.viewer, "audit.entry", "all their activity", actor=obj.actor)
        return render.inline([obj.actor, more])

    @admin.display(description="session")
    def session(self, obj: models.Entry) -> Any:
        return self._about(obj, "qkd_sessions.session", "session", obj.session_id)

    @admin.display(description="pool key")
    def key(self, obj: models.Entry) -> Any:
        return self._about(obj, "keys.poolkey", "key", obj.key_id)

    @admin.display(description="file")
    def file(self, obj: models.Entry) -> Any:
        return self._about(obj, "files.file", "file", obj.file_id)

    @staticmethod
    def _about(obj: models.Entry, target: str, by: str, pk: str | None) -> Any:
        if not pk:
            return render.NONE
        more = render.list_link(obj.viewer, "audit.entry", "related entries", **{by: pk})
        return render.inline([render.link(obj.viewer, target, pk, render.code(pk)), more])

    @admin.display(description="previous entry")
    def before(self, obj: models.Entry) -> Any:
        if obj.sequence <= 1:
            return "None. This is the first entry of its chain."
        return render.link(obj.viewer, "audit.entry", id_of(obj.chain, obj.sequence - 1))

    def as_display(self, record: Entry) -> DisplayModel:
        return models.Entry.of(record, entry_id=id_of(record.chain, record.sequence))

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Entry]:
        del request
        by, value = next(iter(filters.items()), (None, ""))
        return services.entries_page(limit=limit, position=position, by=by, value=value)

    def find(self, request: HttpRequest, object_id: str) -> Entry:
        del request
        place = _ID.fullmatch(object_id)
        found = services.find_entry(place[1], int(place[2])) if place else None
        if found is None:
            raise NotFound(f"There is no audit entry {object_id!r}.")
        return found

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        if not request.user.has_perm("audit.verify_audit"):
            return []
        return [{"label": "Verify the chains", "url": reverse("admin:audit_entry_verify")}]

    def get_urls(self) -> list[URLPattern]:
        return [
            path("verify/", self.admin_site.admin_view(self.verify_view), name="audit_entry_verify"),
            *super().get_urls(),
        ]

    def verify_view(self, request: HttpRequest) -> HttpResponse:
        """Verify every chain, show the result and record it as an entry."""
        if not request.user.has_perm("audit.verify_audit"):
            raise PermissionDenied
        found = verification.verify(records="records" in request.POST) if request.method == "POST" else None
        if found is not None:
            services.record(
                actor_of(request),
                AuditEvent.VERIFIED,
                outcome=Outcome.OK if found.whole else Outcome.FAILED,
                chains=found.chains,
                entries=found.entries,
                problems=len(found.problems),
                records=found.records,
                row_problems=len(found.row_problems),
            )
        context = {
            **self.admin_site.each_context(request),
            "title": "Verify the audit chains",
            "opts": self.opts,
            "found": found,
            "back_url": self.list_url(),
        }
        return TemplateResponse(request, "audit/verify.html", context)


def _latest(request: HttpRequest) -> dashboard.Content:
    rows = [
        (
            render.link(request.user, "audit.entry", id_of(entry.chain, entry.sequence)),
            render.moment(entry.timestamp),
            render.words(entry.event).replace(".", ": "),
            render.badge(entry.outcome, TONES),
            entry.actor,
            subjects(request.user, entry),
        )
        for entry in services.entries_page(limit=LATEST).records
    ]
    columns = ("Entry", "Time (UTC)", "Event", "Outcome", "Actor", "Subject")
    return dashboard.Content(columns=columns, rows=rows, note="" if rows else EntryAdmin.empty_text)


dashboard.register(
    dashboard.Panel(
        name="audit", title="Latest audit entries", permission="audit.view_entry", load=_latest, place=6, width="full",
        list_url="admin:audit_entry_changelist",
    )
)  # fmt: skip
