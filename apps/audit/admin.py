"""The audit trail in the console: entries by actor and subject, and the verification of the chains by a job."""

import re
from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from apps.access.console import actor_of
from apps.access.console.whose import whose
from apps.audit import archiving, models, services, tasks
from apps.audit.console import TONES, file_or_message, id_of, spoken, subjects
from apps.audit.forms import VerifyForm
from apps.audit.records import Entry, Outcome
from apps.audit.verifying import Depth
from apps.common import clock
from apps.common.caching import TimedCache
from apps.common.dynamodb import Page, Position
from apps.common.errors import NotFound
from apps.console import kept, people, render
from apps.console.details import Related
from apps.console.filters import choice_filter, day_filters, exact_filter
from apps.console.form_page import form_page
from apps.console.models import DisplayModel
from apps.console.render import column
from apps.console.store_admin import StoreAdmin, partial_of

_held = TimedCache[tuple[archiving.Held | None]](max_items=1, ttl_seconds=60.0)  # it changes once a day
_ID = re.compile(r"([0-9]{1,8})-([0-9]{1,15})")


@admin.register(models.Entry)
class EntryAdmin(StoreAdmin):
    section, place = "Audit", 1
    empty_text = "No entries yet. Every operation on a key, session or file leaves one."
    id_pattern = _ID.pattern
    search_fields = ("entry_id",)
    search_help_text = "Exact entry id: chain and number, such as 003-17"
    indexed = ("approval", "file", "session", "key", "actor")
    moment_field = "timestamp"
    list_filter = (
        exact_filter("actor", title="actor (id or user name)"),
        exact_filter("session"),
        exact_filter("key", title="pool key"),
        exact_filter("file", title="file or message"),
        exact_filter("approval"),
        exact_filter("event", title="event begins with"),
        choice_filter("outcome", Outcome),
        *day_filters(),
    )
    list_display = ("identity", "when", "what", "badge", "who", "about", "source_ip")
    fieldsets = (
        (None, {"fields": ("when", "what", "badge", "who_else", "key_shown", "source_ip")}),
        ("Subject", {"fields": ("session", "key", "file")}),
        ("Details", {"fields": ("details",)}),
        ("Place in the chain", {"fields": ("chain", "sequence", "previous", "own")}),
    )
    identity = column("entry_id", render.code, "entry")
    when = column("timestamp", render.moment, "time")
    what = column("event", spoken, "event")
    badge = column("outcome", lambda value: render.badge(value, TONES), "outcome")
    who = column("actor", people.who, "actor")
    details = column("detail", render.document, "details")
    key_shown = column("via", render.code, "API key")
    previous = column("previous_hash", render.code, "previous hash")
    own = column("hash", render.copied, "hash")

    @admin.display(description="subject")
    def about(self, obj: models.Entry) -> Any:
        return subjects(obj.viewer, obj)

    @admin.display(description="actor")
    def who_else(self, obj: models.Entry) -> Any:
        more = render.list_link(obj.viewer, "audit.entry", "all their activity", actor=obj.actor)
        return render.inline([whose(obj.viewer, obj.actor), more])

    @admin.display(description="session")
    def session(self, obj: models.Entry) -> Any:
        link = render.link(obj.viewer, "qkd_sessions.session", obj.session_id, render.code(obj.session_id))
        return self._about(obj, link, session=obj.session_id)

    @admin.display(description="pool key")
    def key(self, obj: models.Entry) -> Any:
        link = render.link(obj.viewer, "keys.poolkey", obj.key_id, render.code(obj.key_id))
        return self._about(obj, link, key=obj.key_id)

    @admin.display(description="file or message")
    def file(self, obj: models.Entry) -> Any:
        link = file_or_message(obj.viewer, obj.file_id, render.code(obj.file_id))
        return self._about(obj, link, file=obj.file_id)

    @staticmethod
    def _about(obj: models.Entry, link: Any, **by: str | None) -> Any:
        """Return a subject of an entry, and where all entries about it are."""
        named = {name: pk for name, pk in by.items() if pk}
        if not named:
            return render.NONE
        return render.inline([link, render.list_link(obj.viewer, "audit.entry", "related entries", **named)])

    def as_display(self, record: Entry) -> DisplayModel:
        return models.Entry.of(record, entry_id=id_of(record.chain, record.sequence))

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Entry]:
        by, value = next(iter(filters.items()), (None, ""))
        if by == "actor":
            value = people.id_of(value)
        found = services.entries_page(limit=limit, position=position, by=by, value=value)
        held = _held.get("held", lambda: (archiving.held(),))[0] if found.older is None else None
        if held is not None:
            messages.info(
                request,
                f"{held.entries:,} older entries, up to {clock.as_text(held.until)[:10]}, are in the archive: bucket"
                f" {held.bucket}, {held.prefix}. Each is shown here by its id.",
            )
        return found

    def fits(self, record: Entry, name: str, value: str) -> bool:
        """Return whether an entry is one that a filter wants; what its index answers for one filter, this does for more."""
        if name == "event":
            return record.event.startswith(value)
        if name == "actor":
            return record.actor == people.id_of(value)
        if name == "approval":
            return record.detail.get("approval_id") == value
        return str(getattr(record, f"{name}_id" if name != "outcome" else name)) == value

    def find(self, request: HttpRequest, object_id: str) -> Entry:
        del request
        place = _ID.fullmatch(object_id)
        found = services.find_entry(place[1], int(place[2])) if place else None
        if found is None:
            raise NotFound(f"There is no audit entry {object_id!r}.")
        return found

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return what an entry is about, beyond its subjects, and its neighbours in the chain."""
        if not isinstance(obj, models.Entry):
            return ()
        viewer, detail = request.user, obj.detail
        about = [
            ("Job", render.link(viewer, "jobs.job", detail.get("job_id"))),
            ("Rotation", render.link(viewer, "custody.rotation", detail.get("rotation_id"))),
            ("Approval", render.link(viewer, "custody.approval", detail.get("approval_id"))),
            ("API key", render.link(viewer, "access.apikey", obj.via or detail.get("api_key"))),
            ("Link", render.link(viewer, "links.link", detail.get("link"))),
            ("Subjects", subjects(viewer, obj)),
        ]
        rows = [(label, shown) for label, shown in about if shown != render.NONE]
        after = services.find_entry(obj.chain, obj.sequence + 1)
        neighbours = [
            (
                "Previous",
                render.link(viewer, "audit.entry", id_of(obj.chain, obj.sequence - 1))
                if obj.sequence > 1
                else "This is the first entry of its chain.",
            ),
            (
                "Next",
                render.link(viewer, "audit.entry", id_of(obj.chain, obj.sequence + 1))
                if after
                else "This is the newest entry of its chain.",
            ),
        ]
        return [
            Related(title="About", columns=("What", "Record"), rows=rows, note="" if rows else "No record."),
            Related(title="In the chain", columns=("Place", "Entry"), rows=neighbours),
        ]

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        if not request.user.has_perm("audit.verify_audit"):
            return []
        return [{"label": "Verify the chains", "url": reverse("admin:audit_entry_verify")}]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial_of(_verify_view, self))
        return [path("verify/", view, name="audit_entry_verify"), *super().get_urls()]


@kept.keeps_what_was_typed
def _verify_view(model_admin: EntryAdmin, request: HttpRequest) -> HttpResponse:
    """Start a job that verifies every chain, whose page shows the result: however many entries there are."""
    if not request.user.has_perm("audit.verify_audit"):
        raise PermissionDenied

    def submit(form: VerifyForm) -> HttpResponse:
        job = tasks.verify_later(depth=Depth(form.cleaned_data["depth"]), actor=actor_of(request))
        if not request.user.has_perm("jobs.view_job"):
            return HttpResponseRedirect(model_admin.list_url())
        return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.job_id]))

    context = model_admin.page_context(request, "Verify the audit chains")
    intro = (
        "Reads every entry of every chain and checks that none was changed, removed, added or moved outside the "
        "platform. A job does it, and its page shows the result, which the trail records."
    )
    return form_page(
        request,
        context,
        VerifyForm,
        submit,
        intro=intro,
        button="Verify now",
        back_url=model_admin.list_url(),
    )
