"""The overview's panel of sessions: figures and QBER over a time window.

Where a window has few sessions, each is a point. Where it has more than are read, and the user sees everybody's, figures
and points are what the rollups have added up: of each link the mean of a minute, an hour or a day.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from apps.access.console import actor_of
from apps.common import clock
from apps.common.caching import TimedCache
from apps.console import dashboard, render
from apps.console.render import Tone
from apps.rollups import outcomes
from apps.rollups.outcomes import Outcomes
from apps.rollups.records import Period
from apps.sessions import services
from apps.sessions.console.supply import MAY_VIEW, waiting
from apps.sessions.display import TONES
from apps.sessions.records import Session, SessionStatus

READ = 200  # sessions of a window: more points than that are no picture
POINTS = 1_000  # of a chart of means: those of the busiest links
SESSIONS_AT = "admin:qkd_sessions_session_changelist"
SHOWN = (
    SessionStatus.READY,
    SessionStatus.PENDING,
    SessionStatus.ABORTED,
    SessionStatus.STUDY,
    SessionStatus.REVOKED,
    SessionStatus.COMPROMISED,
)


@dataclass(frozen=True, slots=True)
class Window:
    """A time window, and the steps in which it is drawn where it has many sessions."""

    name: str
    length: timedelta
    step: Period
    named: str


WINDOWS = {
    one.name: one
    for one in (
        Window("1h", timedelta(hours=1), Period.MINUTE, "a minute"),
        Window("24h", timedelta(hours=24), Period.HOUR, "an hour"),
        Window("7d", timedelta(days=7), Period.HOUR, "an hour"),
        Window("30d", timedelta(days=30), Period.DAY, "a day"),
    )
}
USUAL = WINDOWS["24h"]
PENDING = SessionStatus.PENDING
Asked = tuple[Window, str | None]  # and a link
_crowded = TimedCache[bool](max_items=1024, ttl_seconds=60.0)  # what had more sessions than are read


def _asked(request: HttpRequest) -> Asked:
    link = request.GET.get("link", "").strip()[:64] or None
    return WINDOWS.get(request.GET.get("range", ""), USUAL), link


def _panel(request: HttpRequest) -> dashboard.Content:
    asked, actor = _asked(request), actor_of(request)
    known = f"{asked[0].name} {asked[1]}"
    if actor.sees_all and known in _crowded and (summed := _summed(request, asked, more_than=READ)):
        return summed
    window, link = asked
    # Twice the window: its figures are told with their change
    read, whole = services.since(clock.now() - 2 * window.length, actor=actor, limit=READ, link=link)
    begins = clock.now() - window.length
    found = [one for one in read if one.timestamp >= begins]
    complete = whole or len(found) < len(read)
    if actor.sees_all and not complete and (summed := _summed(request, asked, more_than=len(found))):
        _crowded.get(known, lambda: True)
        return summed
    return _listed(asked, found, read[len(found) :] if whole else None, complete=complete)


def _listed(
    asked: Asked, found: list[Session], before: list[Session] | None, *, complete: bool
) -> dashboard.Content:
    """Each session that was read."""
    window, link = asked
    counted, earlier = Counter(one.status for one in found), Counter(one.status for one in before or ())
    values = {status: f"{'' if complete else '≥ '}{counted[status]:,}" for status in SHOWN}
    return dashboard.Content(
        figures=_figures(counted, values, None if before is None else earlier, link),
        points=[_point(one) for one in reversed(found)],
        threshold=100 * settings.QBER_THRESHOLD,
        since=clock.now() - window.length,
        pickers=_pickers(asked, {one.link for one in [*found, *(before or ())]}),
        note=_note(asked, len(found), complete=complete),
    )


def _summed(request: HttpRequest, asked: Asked, *, more_than: int) -> dashboard.Content | None:
    """What the rollups say; None where that is not more than so many sessions: they may be behind."""
    window, link = asked
    begins = window.step.start_of(clock.now() - window.length) + window.step.length
    # Of the others, twice as many rows would be read for the change alone
    earliest = begins - window.length if window is USUAL else begins
    added = outcomes.since(earliest, period=window.step, link=link)
    found = [one for one in added if one.at >= begins]
    judged = [one for one in found if one.outcome != SessionStatus.REVOKED]
    total = sum(one.count for one in judged)
    if total <= more_than:
        return None
    shown = _busiest(judged)
    counted, earlier = _count(found), _count(one for one in added if one.at < begins)
    waits = waiting(request)
    counted[PENDING] = sum(one.timestamp >= begins and link in {None, one.link} for one in waits)
    earlier[PENDING] = counted[PENDING]  # nobody knows how many waited then
    values = {status: f"{counted[status]:,}" for status in SHOWN}
    if len(waits) >= services.MOST:
        values[PENDING] = f"≥ {values[PENDING]}"
    left = len({one.link for one in judged}) - len({one.link for one in shown})
    return dashboard.Content(
        figures=_figures(counted, values, earlier if window is USUAL else None, link),
        points=_means(shown, window.step),
        threshold=100 * settings.QBER_THRESHOLD,
        since=begins,
        pickers=_pickers(asked, {one.link for one in found}),
        note=f"{total:,} sessions were judged in the last {window.name}{_over(link)}. A point is the mean of "
        f"{window.named}; sessions that were compromised stand apart."
        + (f" Not drawn: {left:,} {'link' if left == 1 else 'links'} with fewer sessions." if left else ""),
    )


def _busiest(judged: list[Outcomes]) -> list[Outcomes]:
    """What there is of the links with most sessions: as many of them as there is room for, one at least."""
    sessions, rows = Counter[str](), Counter[str]()
    for one in judged:
        sessions[one.link] += one.count
        rows[one.link] += 1
    room, drawn = POINTS, set[str]()
    for link, _ in sessions.most_common():
        if drawn and rows[link] > room:
            break
        room -= rows[link]
        drawn.add(link)
    return [one for one in judged if one.link in drawn]


def _count(found: Iterable[Outcomes]) -> Counter[SessionStatus]:
    counted = Counter[SessionStatus]()
    for one in found:
        if one.outcome in SHOWN:
            counted[SessionStatus(one.outcome)] += one.count
    return counted


def _figures(
    counted: Counter[SessionStatus],
    values: dict[SessionStatus, str],
    before: Counter[SessionStatus] | None,
    link: str | None,
) -> list[dashboard.Figure]:
    listed_at, query = reverse(SESSIONS_AT), f"&link={link}" if link else ""
    figures = []
    for status in SHOWN:
        change = 0 if before is None else counted[status] - before[status]
        figures.append(
            dashboard.Figure(
                label=render.heading(status),
                value=values[status],
                change=f"{change:+,}" if change else "",
                tone=TONES[status] if counted[status] else None,
                url=f"{listed_at}?status={status}{query}",
            )
        )
    return figures


def _point(one: Session) -> dashboard.Point:
    return dashboard.Point(
        at=one.timestamp,
        series=one.link,
        value=100 * one.estimated_qber,
        low=100 * one.qber_low,
        high=100 * one.qber_high,
        tone=TONES[one.status],
        url=reverse("admin:qkd_sessions_session_change", args=[one.session_id]),
    )


def _means(judged: list[Outcomes], step: Period) -> list[dashboard.Point]:
    """The mean of each link and step, the oldest first; of compromised sessions one of their own."""
    sums: dict[tuple[datetime, str, bool], tuple[int, float]] = {}
    for one in judged:
        key = (one.at, one.link, one.outcome == SessionStatus.COMPROMISED)
        count, total = sums.get(key, (0, 0.0))
        sums[key] = count + one.count, total + one.total
    return [_mean(step, *key, count, total / count) for key, (count, total) in sorted(sums.items())]


def _mean(step: Period, at: datetime, link: str, tapped: bool, count: int, value: float) -> dashboard.Point:
    day = urlencode({"link": link, "since": f"{at:%Y-%m-%d}", "until": f"{at:%Y-%m-%d}"})
    return dashboard.Point(
        at=min(at + step.length / 2, clock.now()),
        series=f"{link}, compromised" if tapped else link,
        value=value,
        low=value,
        high=value,
        tone=Tone.BAD if tapped else Tone.GOOD,
        url=f"{reverse(SESSIONS_AT)}?{day}" + (f"&status={SessionStatus.COMPROMISED}" if tapped else ""),
        count=count,
        joined=not tapped,
    )


def _pickers(asked: Asked, found: Iterable[str]) -> list[dashboard.Picker]:
    window, link = asked
    links = sorted({*found, *([link] if link else ())})
    return [
        dashboard.Picker(
            name="range",
            label="Range",
            chosen=window.name,
            options=[(name, f"Last {name}") for name in WINDOWS],
        ),
        dashboard.Picker(
            name="link",
            label="Link",
            chosen=link or "",
            options=[("", "All links"), *((name, render.spelt(name)) for name in links)],
        ),
    ]


def _over(link: str | None) -> str:
    return f" over {render.spelt(link)}" if link else ""


def _note(asked: Asked, count: int, *, complete: bool) -> str:
    window, link = asked
    if not count:
        return f"No session was run in the last {window.name}{_over(link)}."
    if complete:
        return f"Sessions in the last {window.name}{_over(link)}: {count:,}, each where it was run."
    return (
        f"The newest {count:,} sessions of the last {window.name}{_over(link)}; there are more. "
        "The list shows all."
    )


dashboard.register(
    dashboard.Panel(
        name="qber", title="Sessions and their QBER", permission=MAY_VIEW, load=_panel, place=2, width="two-thirds",
        has_chart=True, list_url=SESSIONS_AT,
    )
)  # fmt: skip
