"""What belongs to a link, on its page: its sessions, lasting shifts, cases, and what was changed of it."""

from django.http import HttpRequest
from django.utils.text import capfirst

from apps.access.console import actor_of
from apps.cases import services as cases
from apps.cases.admin import SEVERITIES
from apps.cases.admin import TONES as STATUSES
from apps.console import people, render
from apps.console.details import Related
from apps.console.render import Tone
from apps.links import models, services
from apps.links.records import LinkState
from apps.sessions import drift
from apps.sessions import services as sessions
from apps.sessions.display import TONES, qber
from apps.sessions.drift import Standing
from apps.sessions.records import Session

STATES = {
    LinkState.ACTIVE: Tone.GOOD,
    LinkState.PAUSED: Tone.WAIT,
    LinkState.QUARANTINED: Tone.BAD,
    LinkState.RETIRED: Tone.MUTED,
}
STANDINGS = {
    Standing.STEADY: Tone.GOOD,
    Standing.BUILDING: Tone.WAIT,
    Standing.SHIFTED: Tone.BAD,
    Standing.UNKNOWN: Tone.MUTED,
}
LATEST = 15  # sessions on a link's page
LOOKED_THROUGH = 200  # sessions of somebody among which those of a link are looked for


def newest_sessions(request: HttpRequest, link: str) -> Related:
    """Return the link's newest sessions, and where its detections are."""
    viewer = request.user
    rows = [
        (
            render.link(viewer, "qkd_sessions.session", one.session_id),
            render.badge(one.status, TONES),
            qber(one.estimated_qber),
            render.number(one.final_key_length),
            render.moment(one.timestamp),
        )
        for one in _sessions_over(request, link)
    ]
    every = render.list_link(viewer, "qkd_sessions.session", "All its sessions", link=link)
    judged = render.list_link(viewer, "detections.detection", "Its detections", link=link)
    bad = render.list_link(
        viewer, "qkd_sessions.session", "Compromised ones", link=link, status="compromised"
    )
    columns = ("Session", "Status", "QBER", "Key bits", "Started")
    note = "" if rows else "No session was run over this link yet."
    more = render.inline([every, judged, bad])
    return Related(title="Newest sessions", columns=columns, rows=rows, note=note, more=more)


def _sessions_over(request: HttpRequest, link: str) -> list[Session]:
    """Return the newest sessions over a link; of who sees their own only, those among their newest."""
    actor = actor_of(request)
    if actor.sees_all:
        return sessions.listed(actor=actor, limit=LATEST, link=link).records
    own = sessions.listed(actor=actor, limit=LOOKED_THROUGH).records
    return [one for one in own if one.link == link][:LATEST]


def lasting_shifts(request: HttpRequest, link: models.Link) -> list[Related]:
    """Return where the charts of the link stand; for its owner, and whoever sees every owner's sessions."""
    actor = actor_of(request)
    if not actor.sees_all and str(actor) != link.owner:
        return []
    found = drift.of_link(str(link.pk))
    rows = [
        (
            capfirst(one.looks_for),
            render.badge(one.standing, STANDINGS),
            one.says,
            render.moment(one.since),
            render.NONE if one.total is None else f"{one.total:.1f} of {one.limit:.1f}",
        )
        for one in found
    ]
    often = f"{found[0].run_length:,.0f}" if found else ""
    return [
        Related(
            title="Lasting shifts",
            columns=("Looked for", "State", "In words", "Since", "Sum and limit"),
            rows=rows,
            note="Each chart adds up, session after session, what speaks for a small shift that lasts, and speaks "
            f"once the sum passes its limit. Without a shift it does so once in {often} sessions, on average.",
        )
    ]


def cases_of(request: HttpRequest, link: str) -> Related:
    """Return the cases about a link."""
    if not render.may_view(request.user, "cases.case"):
        return Related(title="Cases", note="Your account may not see cases.")
    found = cases.listed(limit=LATEST, position=None, status=None, link=link).records
    rows = [
        (
            render.link(request.user, "cases.case", one.case_id),
            render.badge(one.status, STATUSES),
            render.badge(one.severity, SEVERITIES),
            render.moment(one.opened_at),
        )
        for one in found
    ]
    note = "" if rows else "No case was opened about this link."
    return Related(title="Cases", columns=("Case", "Status", "Severity", "Opened"), rows=rows, note=note)


def history_of(link: str) -> Related:
    """Return what was changed of a link."""
    rows = [
        (
            render.moment(one.changed_at),
            render.words(one.event).replace(".", ": "),
            render.badge(one.state, STATES),
            people.who(one.changed_by),
            render.name(one.reason),
        )
        for one in services.history(link, limit=LATEST).records
    ]
    columns = ("Time", "What", "State after it", "By", "Reason")
    return Related(
        title="History", columns=columns, rows=rows, note="" if rows else "Nothing was changed yet."
    )
