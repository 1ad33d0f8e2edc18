"""How a link does: its latest sessions, and the quantum keys that are ready over it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.sessions import evidence, stock, store
from apps.sessions.records import Session, SessionStatus

LATEST = 200  # sessions looked at: one Query
CHARTED = 65  # as many as a verdict looks at


@dataclass(frozen=True, slots=True)
class LinkStatistics:
    """What the latest sessions over a link were like."""

    sessions: int
    by_status: dict[str, int]
    last_session_at: datetime | None
    qber_mean: float | None
    qber_highest: float | None
    final_bits: int
    ready_keys: int
    per_second: float
    charts: dict[str, dict[str, Any]]


def of_link(link_id: str) -> LinkStatistics:
    """Look at a link's latest sessions and its stock: one Query for each shard of both, and one for its demand."""
    found: list[Session] = store.sessions_page(limit=LATEST, link=link_id).records
    rates = [float(one.estimated_qber) for one in found if sum(one.counts.values())]
    ready = [one for one in found if one.status is SessionStatus.READY]
    return LinkStatistics(
        sessions=len(found),
        by_status=dict(Counter(one.status.value for one in found)),
        last_session_at=found[0].timestamp if found else None,
        qber_mean=sum(rates) / len(rates) if rates else None,
        qber_highest=max(rates, default=None),
        final_bits=sum(int(one.final_key_length) for one in ready),
        ready_keys=stock.ready_over(link_id),
        per_second=float(store.level(link_id).per_second),
        charts=_charts(ready[:CHARTED]),
    )


def _charts(newest_first: Sequence[Session]) -> dict[str, dict[str, Any]]:
    """Where the charts of a link stand, which look for lasting shifts, as the judge sees them."""
    from qkd.detection import sequential  # noqa: PLC0415 - numpy, which other requests do without

    sessions = list(reversed(newest_first))
    found = sequential.charts([evidence.of_session(one) for one in sessions]) if sessions else {}
    return {
        name: {
            "sum": round(one.statistic, 3),
            "limit": sequential.LIMIT,
            "sessions": one.sessions,
            "spoke": len(one.alarms),
            "says": sequential.CHARTS[name][2],
        }
        for name, one in found.items()
    }
