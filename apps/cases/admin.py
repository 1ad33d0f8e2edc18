"""Cases in the console: list, page, acknowledgement, notes, closing, re-encryption and the quarantine of links."""

from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.access.console import actor_of
from apps.cases import affected, models, services
from apps.cases.console import HOLDING, MAY_MANAGE_LINKS
from apps.cases.records import Case, CaseStatus, Severity
from apps.common.dynamodb import Page, Position
from apps.console import attention, people, render
from apps.console.actions import Action, Facts, NoForm
from apps.console.attention import Item
from apps.console.details import Related, Subject
from apps.console.filters import choice_filter, day_filters, exact_filter
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin
from apps.custody import reencryption
from apps.custody.reencryption import Suspect, SuspectKind
from apps.sessions.display import taken_for

TONES = {CaseStatus.OPEN: Tone.BAD, CaseStatus.ACKNOWLEDGED: Tone.WAIT, CaseStatus.CLOSED: Tone.MUTED}
SEVERITIES = {Severity.CRITICAL: Tone.BAD, Severity.WARNING: Tone.WAIT, Severity.INFO: Tone.INFO}
SHOWN = 50  # notes and keys on the page of a case


class TextForm(forms.Form):
    """Asks for a text. A subclass says what it is."""

    text = forms.CharField(
        label="Note", max_length=2000, widget=forms.Textarea({"rows": 4}), help_text="Kept with the case."
    )
    called = ""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.fields["text"].label = self.called


class NoteForm(TextForm):
    """Asks for a note."""

    called = "Note"


class EndForm(TextForm):
    """Asks how a case ended."""

    called = "How it ended"


class WhyForm(TextForm):
    """Asks why files are re-encrypted."""

    called = "Reason"


def _facts(_request: HttpRequest, obj: DisplayModel) -> Facts:
    if not isinstance(obj, models.Case):
        return ()
    return (
        ("Status", render.badge(obj.status, TONES)),
        ("Severity", render.badge(obj.severity, SEVERITIES)),
        ("Link", render.name(obj.link)),
        ("Findings", ", ".join(map(render.words, obj.reasons)) or render.NONE),
    )


def _acknowledge(request: HttpRequest, case_id: str, given: dict[str, Any]) -> None:
    del given
    services.acknowledge(case_id, actor=actor_of(request))


def _note(request: HttpRequest, case_id: str, given: dict[str, Any]) -> None:
    services.note(case_id, text=given["text"], actor=actor_of(request))


def _close(request: HttpRequest, case_id: str, given: dict[str, Any]) -> None:
    services.close(case_id, reason=given["text"], actor=actor_of(request))


def _reencrypt(request: HttpRequest, case_id: str, given: dict[str, Any]) -> SafeString:
    """Start the job, and say which it is."""
    suspect = Suspect(SuspectKind.CASE, case_id)
    job = reencryption.start(suspect, reason=given["text"], actor=actor_of(request))
    told = render.link(request.user, "jobs.job", job.job_id)
    return format_html("Job {} re-encrypts the files of {}.", told, case_id)


def _is_not(*statuses: CaseStatus) -> Any:
    def offered(obj: DisplayModel) -> bool:
        return isinstance(obj, models.Case) and obj.status not in statuses

    return offered


ACTIONS = (
    Action(
        name="acknowledge", label="Acknowledge…", title="Acknowledge cases", permission="manage", button="Acknowledge",
        warning="You take these cases on. Alerts about them are no longer escalated.", done="acknowledged",
        destructive=False, act=_acknowledge, form_class=NoForm, facts=_facts,
        offered=_is_not(CaseStatus.ACKNOWLEDGED, CaseStatus.CLOSED),
    ),
    Action(
        name="note", label="Note…", title="Write a note", permission="manage", button="Write", done="noted",
        warning="The note stays with each of these cases as it is.", destructive=False, act=_note,
        form_class=NoteForm, facts=_facts,
    ),
    Action(
        name="close", label="Close…", title="Close cases", permission="manage", button="Close", done="closed",
        warning="Closes these cases permanently. Say how they ended.", destructive=False, act=_close,
        form_class=EndForm, facts=_facts, offered=_is_not(CaseStatus.CLOSED),
    ),
    Action(
        name="reencrypt", label="Re-encrypt what used the link's keys…", title="Re-encrypt files", permission="manage",
        button="Re-encrypt", done="given to a job that re-encrypts", act=_reencrypt, form_class=WhyForm, facts=_facts,
        warning="A job revokes the link's ready sessions of the case's window, then re-encrypts every file that used "
        "their keys. Messages are kept by their owners, who have to encrypt them again.",
    ),
    *HOLDING,
)  # fmt: skip


@admin.register(models.Case)
class CaseAdmin(StoreAdmin):
    section, place = "Quantum", 4
    empty_text = "No cases. A verdict that is not clean opens one."
    search_fields = ("case_id",)
    search_help_text = "Exact case id"
    id_pattern = r"case-.+|.+#.+"
    indexed = ("link", "status")
    moment_field = "opened_at"
    list_filter = (
        choice_filter("status", CaseStatus),
        choice_filter("severity", Severity),
        exact_filter("link"),
        *day_filters(),
    )
    list_display = ("identity", "badge", "urgency", "on", "why", "when", "taken")
    record_actions = ACTIONS
    fieldsets = (
        (None, {"fields": ("badge", "urgency", "on_link", "why", "when")}),
        ("Handling", {"fields": ("taken", "acknowledged", "done", "ended", "resolution")}),
        ("Notes", {"fields": ("notes_table",), "classes": ("whole",)}),
        ("Used keys of the link in the window", {"fields": ("window", "keys_table"), "classes": ("whole",)}),
    )
    identity = column("case_id", render.code, "case")
    badge = column("status", lambda value: render.badge(value, TONES), "status")
    urgency = column("severity", lambda value: render.badge(value, SEVERITIES), "severity")
    on = column("link", render.name, "link")
    why = column("reasons", lambda value: ", ".join(map(render.words, value)) or render.NONE, "findings")
    when = column("opened_at", render.moment, "opened")
    taken = column("acknowledged_by", people.who, "acknowledged by")
    acknowledged = column("acknowledged_at", render.moment, "acknowledged")
    done = column("closed_by", people.who, "closed by")
    ended = column("closed_at", render.moment, "closed")

    @admin.display(description="link")
    def on_link(self, obj: models.Case) -> Any:
        return render.link(obj.viewer, "links.link", obj.link, render.name(obj.link))

    @admin.display(description="window")
    def window(self, obj: models.Case) -> Any:
        return format_html("{} to {}", render.moment(obj.window_from), render.moment(obj.window_until))

    @admin.display(description="notes")
    def notes_table(self, obj: models.Case) -> Any:
        found = services.notes(obj.pk, limit=SHOWN).records
        if not found:
            return "No notes yet."
        rows = [(render.moment(one.noted_at), people.who(one.author), render.name(one.text)) for one in found]
        return render.table(("Time", "Author", "Note"), rows)

    @admin.display(description="used keys")
    def keys_table(self, obj: models.Case) -> Any:
        page = affected.affected_page(services.find(obj.pk), limit=SHOWN)
        if not page.records:
            if not page.older:
                return "No key of these sessions was used."
            return f"No key of the newest {affected.SESSIONS_A_PAGE} sessions was used. Older ones: {_by_the_api(obj)}."
        rows = [
            (
                render.short(key.key_id),
                render.words(key.purpose),
                taken_for(obj.viewer, key),
                people.who(key.taken_by),
                render.moment(key.taken_at),
            )
            for key in page.records
        ]
        table = render.table(("Quantum key", "For", "What", "Taken by", "Taken"), rows)
        more = f"The first {len(rows)}; all: {_by_the_api(obj)}." if page.older else ""
        return format_html("{}{}", table, more)

    def may_do(self, request: HttpRequest, action: Action) -> bool:
        """Return whether the user may ask for an action; what touches the link needs the right to links too."""
        may = super().may_do(request, action)
        return may and (action not in HOLDING or self.allows(request, MAY_MANAGE_LINKS))

    def subject_of(self, obj: DisplayModel) -> Subject:
        return Subject(by="session", value=str(getattr(obj, "session_id", "")))

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return the verdict and session that opened it, and its link."""
        if not isinstance(obj, models.Case):
            return ()
        viewer = request.user
        rows = [
            ("Verdict", render.link(viewer, "detections.detection", obj.session_id)),
            ("Session", render.link(viewer, "qkd_sessions.session", obj.session_id)),
            ("Link", render.link(viewer, "links.link", obj.link, render.name(obj.link))),
            ("Other cases of the link", render.list_link(viewer, "cases.case", "All", link=obj.link)),
        ]
        return [Related(title="Verdict and link", columns=("What", "Record"), rows=rows)]

    def as_display(self, record: Case) -> DisplayModel:
        return models.Case.of(record, reasons=list(record.reasons))

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Case]:
        del request  # a case belongs to nobody
        status = CaseStatus(filters["status"]) if "status" in filters else None
        return services.listed(limit=limit, position=position, status=status, link=filters.get("link"))

    def find(self, request: HttpRequest, object_id: str) -> Case:
        del request
        return services.find(object_id)


def _by_the_api(obj: models.Case) -> str:
    return f"GET /api/v1/cases/{obj.pk}/affected-keys"


def _to_acknowledge(_request: HttpRequest) -> Iterator[Item]:
    """Cases that nobody has taken on."""
    found = services.listed(limit=SHOWN, status=CaseStatus.OPEN).records
    if found:
        count = f"{len(found)}{' or more' if len(found) == SHOWN else ''}"
        cases = "case waits" if len(found) == 1 else "cases wait"
        critical = sum(one.severity is Severity.CRITICAL for one in found)
        yield Item(
            text=f"{count} {cases} to be acknowledged{f', {critical} of them critical' if 0 < critical < len(found) else ''}.",
            tone=Tone.BAD if critical else Tone.WAIT,
            url=reverse("admin:cases_case_changelist") + f"?status={CaseStatus.OPEN}",
            since=min(one.opened_at for one in found),
        )


attention.register(attention.Source(permission="cases.view_case", load=_to_acknowledge))
