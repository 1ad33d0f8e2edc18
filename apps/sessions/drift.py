"""Where a link's charts for lasting shifts stand, in words: what its page shows.

    for one in drift.of_link("metro"):
        one.looks_for, one.standing, one.says, one.total, one.limit, one.run, one.since, one.spoke

One call reads the link's latest sessions (a Query, and their rows), as ``link_statistics`` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from django.utils.text import capfirst

from apps.sessions import evidence, store
from apps.sessions.link_statistics import CHARTED, LATEST
from apps.sessions.records import Session, SessionStatus

if TYPE_CHECKING:
    from qkd.detection.sequential import Chart


class Standing(StrEnum):
    """What a chart says of a link."""

    STEADY = "steady"
    BUILDING = "building"  # the sum is above 0, and far from its limit or near it: no verdict yet
    SHIFTED = "shifted"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True)
class Drift:
    """Where one chart stands at the newest ready session of a link.

    Attributes:
        name: of the chart, as in verdicts and ``/links/{id}/statistics``.
        looks_for: the shift that it looks for.
        standing: what it says.
        says: the same in a sentence; of ``UNKNOWN``, why.
        total: the cumulative sum; None where it cannot tell.
        limit: beyond which it speaks.
        p: chance, at most, that a link without a shift shows this sum or more; None where it cannot tell.
        sessions: ready ones that have its counts, among the latest.
        run: sessions in a row, the newest among them, over which the sum has been above 0.
        since: when the first of these was run: the likeliest beginning of a shift. None where the run is 0.
        spoke: when the sessions were run at which it spoke, the latest first.
        run_length: sessions until it speaks on a link without a shift, on average.
    """

    name: str
    looks_for: str
    standing: Standing
    says: str
    limit: float
    run_length: float
    total: float | None = None
    p: float | None = None
    sessions: int = 0
    run: int = 0
    since: datetime | None = None
    spoke: tuple[datetime, ...] = ()


def of_link(link_id: str) -> tuple[Drift, ...]:
    """Return where each chart of a link stands: always all of them, those that cannot tell with the reason."""
    found: list[Session] = store.sessions_page(limit=LATEST, link=link_id).records
    ready = [one for one in found if one.status is SessionStatus.READY][:CHARTED]
    return of_sessions(ready[::-1])


def of_sessions(sessions: Sequence[Session]) -> tuple[Drift, ...]:
    """Return where each chart stands over ready sessions of one link, oldest first."""
    # Here, not above: numpy is a fifth of a cold start
    from qkd.detection import sequential  # noqa: PLC0415

    seen = [evidence.of_session(one) for one in sessions]
    charts = sequential.charts(seen) if seen else {}
    drifts = []
    for name, (_, _, looks_for) in sequential.CHARTS.items():
        counted = [
            one.timestamp for one, what in zip(sessions, seen, strict=True) if sequential.counts(name, what)
        ]
        about = (name, looks_for)
        stated = (sequential.LIMIT, sequential.run_length())
        if name in charts:
            drifts.append(_standing(about, charts[name], counted, stated))
        else:
            why = _why_not(len(counted), len(sessions), sequential.START + 1)
            drifts.append(Drift(*about, Standing.UNKNOWN, why, *stated, sessions=len(counted)))
    return tuple(drifts)


def _why_not(counted: int, ready: int, needed: int) -> str:
    if not counted and ready >= needed:
        return "Cannot tell: sessions over this link do not have these counts."
    if counted >= needed:
        return "Cannot tell: the newest ready session does not have these counts."
    return f"Cannot tell: {counted} ready sessions have these counts, {needed} are needed."


def _standing(
    about: tuple[str, str], chart: "Chart", moments: Sequence[datetime], stated: tuple[float, float]
) -> Drift:
    run = 0 if chart.since is None else chart.sessions - chart.since
    spoke = tuple(moments[place] for place in reversed(chart.alarms))
    looks_for, limit = about[1], stated[0]
    in_a_row = f"{run} sessions in a row" if run > 1 else "the newest session"
    if chart.speaks:
        standing, says = Standing.SHIFTED, f"{capfirst(looks_for)}, over {in_a_row}."
    elif spoke:
        ago = chart.sessions - 1 - chart.alarms[-1]
        standing = Standing.SHIFTED
        says = f"{capfirst(looks_for)}, found {ago} session{'s' * (ago != 1)} ago. Later sessions are held against what came since."
    elif run:
        standing = Standing.BUILDING
        says = f"Not enough to say: {chart.statistic:.1f} of {limit:.1f}, above 0 over {in_a_row}."
    else:
        standing, says = Standing.STEADY, "No sign of it."
    since = None if chart.since is None else moments[chart.since]
    return Drift(
        *about, standing, says, *stated,
        total=chart.statistic, p=chart.p, sessions=chart.sessions, run=run, since=since, spoke=spoke,
    )  # fmt: skip
