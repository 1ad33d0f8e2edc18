"""What the overview and the pages of records show of the trail."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.access.console import actor_of
from apps.audit import models, services
from apps.audit.records import ActorKind, Entry, Outcome
from apps.audit.tasks import VERIFIER
from apps.audit.trail import AuditEvent
from apps.audit.verifying import Depth
from apps.common import clock
from apps.common.caching import TimedCache
from apps.common.dynamodb import Page
from apps.console import attention, dashboard, details, exporting, pages, people, render
from apps.console.attention import Item
from apps.console.details import Related, Subject
from apps.console.render import Tone

TONES = {Outcome.OK: Tone.GOOD, Outcome.DENIED: Tone.WAIT, Outcome.FAILED: Tone.BAD}
MAY_VIEW = "audit.view_entry"
MESSAGES = ("msg-", "batch-")  # as ids of messages and of batches begin
NOTABLE, LOOKED_THROUGH = 8, 50  # entries that the overview shows, and reads
ROUTINE = frozenset(
    [
        "audit.checkpointed",
        "job.begun",
        "job.ended",
        "job.queued",
        "pool_key.created",
        "pool_key.uses_counted",
        "quantum_key.reserved",
        "stock.claimed",
        "stock.measured",
    ]
)  # what a schedule or a worker records of every run
_kept = TimedCache["Verifications"](max_items=1, ttl_seconds=60.0)  # it changes once a day
VERIFIED_WITHIN = 2 * 86_400.0  # seconds: the schedule verifies every day


def id_of(chain: str, sequence: int) -> str:
    """Return the id of an entry: its chain and its number."""
    return f"{chain}-{sequence}"


def spoken(event: str) -> str:
    """Return the name of an event as people read it."""
    return render.words(event).replace(".", ": ")


def subjects(viewer: Any, entry: Entry | models.Entry) -> Any:
    """Link to the subjects of an entry."""
    return render.inline(
        [
            render.link(viewer, "qkd_sessions.session", entry.session_id),
            render.link(viewer, "keys.poolkey", entry.key_id),
            file_or_message(viewer, entry.file_id),
        ]
    )


def file_or_message(viewer: Any, pk: str | None, text: Any = None) -> Any:
    """Link to the file that an entry is about, or to the message."""
    target = "files.message" if (pk or "").startswith(MESSAGES) else "files.file"
    return render.link(viewer, target, pk, text)


def _rows(request: HttpRequest, page: Page[Entry]) -> list[tuple[Any, ...]]:
    return [
        (
            render.link(request.user, "audit.entry", id_of(entry.chain, entry.sequence)),
            render.moment(entry.timestamp),
            spoken(entry.event),
            render.badge(entry.outcome, TONES),
            people.who(entry.actor),
            subjects(request.user, entry),
        )
        for entry in page.records
    ]


COLUMNS = ("Entry", "Time", "Event", "Outcome", "Actor", "Subject")


def is_routine(entry: Entry) -> bool:
    """Return whether an entry tells of what the platform does again and again by itself, and did well."""
    by_itself = entry.actor.startswith(f"{ActorKind.SYSTEM}:")
    return by_itself and entry.outcome is Outcome.OK and entry.event in ROUTINE


def _notable(request: HttpRequest) -> dashboard.Content:
    page = services.entries_page(limit=LOOKED_THROUGH)
    notable = [entry for entry in page.records if not is_routine(entry)][:NOTABLE]
    note = "" if page.records else "No entries yet. Every operation on a key, session or file leaves one."
    if page.records and not notable:
        note = f"The newest {len(page.records)} entries tell of what the platform does by itself."
    return dashboard.Content(columns=COLUMNS, rows=_rows(request, replace(page, records=notable)), note=note)


def _trail(request: HttpRequest, subject: Subject, limit: int) -> Related:
    page = services.entries_page(limit=limit, by=subject.by, value=subject.value)
    rows = _rows(request, page)
    text = "All of them, with filters" if not page.older else "More of them, with filters"
    more = render.list_link(request.user, "audit.entry", text, **{subject.by: subject.value})
    title = f"All that {subject.value} did" if subject.by == "actor" else "Audit entries"
    note = "" if rows else "No entry yet."
    return Related(title=title, columns=COLUMNS, rows=rows, note=note, more=more)


@dataclass(frozen=True, slots=True)
class Verifications:
    """The last verification, and the last that found damage which none as thorough has found whole since."""

    last: Entry | None = None
    damage: Entry | None = None


def _verifications() -> Verifications:
    listed = services.entries_page(limit=25, by="actor", value=str(VERIFIER)).records
    found = [entry for entry in listed if entry.event == AuditEvent.VERIFIED]
    whole = -1
    for entry in found:
        if entry.outcome is Outcome.FAILED and _depth(entry) > whole:
            return Verifications(found[0], entry)
        whole = max(whole, _depth(entry))
    return Verifications(found[0] if found else None)


def forget() -> None:
    """Look for the last verification again."""
    _kept.clear()


def _depth(entry: Entry) -> int:
    """How thorough a verification was; one of an earlier release did not say."""
    told = entry.detail.get("depth")
    return [*Depth].index(Depth(told)) if isinstance(told, str) and told in set(Depth) else 0


def _verified(_request: HttpRequest) -> Iterator[Item]:
    """Say when the trail was found damaged, or was not verified for too long."""
    found = _kept.get("last", _verifications)
    url = reverse("admin:audit_entry_changelist") + f"?actor={VERIFIER}"
    if found.damage is not None:
        yield Item(
            text="A verification found the trail or records tampered with.",
            tone=Tone.BAD,
            url=url,
            since=found.damage.timestamp,
        )
    last = found.last
    if last is not None and (clock.now() - last.timestamp).total_seconds() > VERIFIED_WITHIN:
        yield Item(text="The trail was not verified for two days.", url=url, since=last.timestamp)


def _exported(request: HttpRequest, what: exporting.Export) -> None:
    told = {"list": what.of, "format": what.format, "filters": dict(what.filters)}
    services.record(actor_of(request), AuditEvent.EXPORTED, **told)


details.show_trail_by(_trail, permission=MAY_VIEW)
exporting.record_by(_exported)
attention.register(attention.Source(permission=MAY_VIEW, load=_verified))
dashboard.register(
    dashboard.Panel(
        name="audit", title="Notable audit entries", permission=MAY_VIEW, load=_notable, place=8, width="full",
        list_url="admin:audit_entry_changelist",
    )
)  # fmt: skip
pages.lead_to(
    pages.Shortcut(
        name="verification", title="Verification", section="Audit", place=3,
        permissions=(MAY_VIEW, "audit.verify_audit"), address="admin:audit_entry_verify",
    )
)  # fmt: skip
