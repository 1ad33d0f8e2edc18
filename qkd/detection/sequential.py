"""Charts of a link over its sessions: cumulative sums that find a small lasting shift, which no single session shows.

A session's count is compared with what its link gave until then, whatever that was (a self-starting chart): as a standard
normal score z, large where the count lies beyond the past. The chart adds up what exceeds half a standard deviation,

    S = max(0, S + z - 1/2),

and speaks where S passes ``LIMIT``, after which it starts anew. 1/2 is the best for a shift by one standard deviation.

The score is the smaller of two, so that it holds on two kinds of links (as ``statistics.against_history``): given all
events so far, those of the newest session are binomial with its part of what was expected, exactly, whatever multiple of
the expectation is the link's habit; and where the rate itself spreads, Student's t of the square roots. Both are made of
exact upper tails, which for counts are never too small, so that the chart speaks at most as often as one of independent
standard normal scores:

- its average run length without a shift is at least e^LIMIT (Lorden), by Siegmund's approximation
  2 (e^b - b - 1) with b = LIMIT + 1.166;
- the chance that S is s or more at a given session is at most e^-s (Doob's inequality), which is the p-value shown.

Sources: Page, Biometrika 41 (1954); Lorden, Ann. Math. Stat. 42 (1971); Siegmund, Sequential Analysis (1985), ch. 10;
Hawkins, The Statistician 36 (1987), for self-starting charts; Hawkins & Olwell, Cumulative Sum Charts (1998), for counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qkd.detection.evidence import Evidence

LIMIT = 11.1
"""Average run length of one chart: 4.2e5 sessions; of the four of a link together 1.06e5."""

REFERENCE = 0.5
START = 4
"""Sessions that a chart starts with, as ``statistics.MIN_HISTORY``."""

FARTHEST = 8.0
"""Largest score of one session: what is farther out, the tests of a session alone find."""

Counts = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Chart:
    """A chart up to the newest session.

    Attributes:
        statistic: S at the newest session; where it speaks there, what it spoke at.
        alarms: places of the sessions at which it spoke, from 0.
        since: place of the session from which S has been above 0; None where it is 0.
        sessions: in the chart.
    """

    statistic: float
    alarms: tuple[int, ...]
    since: int | None
    sessions: int

    @property
    def speaks(self) -> bool:
        """Whether it speaks at the newest session."""
        return bool(self.alarms) and self.alarms[-1] == self.sessions - 1

    @property
    def p(self) -> float:
        """Chance, at most, that a link without a shift shows this or more at a given session."""
        return min(1.0, math.exp(-self.statistic))


def run_length(limit: float = LIMIT) -> float:
    """Return the average run length of one chart without a shift, by Siegmund's approximation; at least e^limit."""
    b = limit + 1.166
    return 2 * (math.exp(b) - b - 1)


def chart(counts: Counts, *, upward: bool = True, limit: float = LIMIT) -> Chart:
    """Chart counts over sessions.

    Args:
        counts: of each session the events and how many were expected of it, > 0; oldest first.
        upward: whether it looks for more of them, else for fewer.
        limit: beyond which it speaks.
    """
    events = np.array([count for count, _ in counts], float)
    expected = np.array([weight for _, weight in counts], float)
    if (expected <= 0).any():
        raise ValueError("Of every session something has to be expected.")
    alarms: list[int] = []
    statistic, since, begin = 0.0, None, 0
    scores = _scores(events, expected, upward=upward)
    for place in range(len(events)):
        statistic = max(0.0, statistic + float(scores[place - begin]) - REFERENCE)
        since = None if not statistic else place if since is None else since
        if statistic > limit:
            alarms.append(place)
            if place + 1 < len(events):  # what comes is compared with what came since
                begin, statistic, since = place + 1, 0.0, None
                scores = _scores(events[begin:], expected[begin:], upward=upward)
    return Chart(statistic, tuple(alarms), since, len(events))


def _scores(
    events: np.ndarray[tuple[int], np.dtype[np.float64]],
    expected: np.ndarray[tuple[int], np.dtype[np.float64]],
    *,
    upward: bool,
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the score of each session against those before it; 0 of the first few."""
    from scipy.special import ndtri  # noqa: PLC0415 - scipy costs a cold start more than the rest of the package

    scores = np.zeros(len(events))
    if len(events) > START:
        tail = np.maximum(
            _binomial_tails(events, expected, upward=upward), _student_tails(events, expected, upward=upward)
        )
        scores[START:] = np.clip(-ndtri(tail), -FARTHEST, FARTHEST)[START:]
    return scores


def _binomial_tails(
    events: np.ndarray[tuple[int], np.dtype[np.float64]],
    expected: np.ndarray[tuple[int], np.dtype[np.float64]],
    *,
    upward: bool,
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return of each session the tail of its events, given all up to it and its part of what was expected of them."""
    from scipy.special import betainc  # noqa: PLC0415 - as above

    total, part = np.cumsum(events), expected / np.cumsum(expected)
    # As ``statistics.binomial_tails``; where a tail is all there is, 1 stands in for what betainc does not take
    more, fewer = np.maximum(events, 1), np.maximum(total - events, 1)
    tails: np.ndarray[tuple[int], np.dtype[np.float64]] = (
        np.where(events > 0, betainc(more, total - events + 1, part), 1.0)
        if upward
        else np.where(total > events, betainc(fewer, events + 1, 1 - part), 1.0)
    )
    return tails


def _student_tails(
    events: np.ndarray[tuple[int], np.dtype[np.float64]],
    expected: np.ndarray[tuple[int], np.dtype[np.float64]],
    *,
    upward: bool,
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return of each session Student's tail of the square root of its rate, against those before it."""
    from scipy.special import stdtr  # noqa: PLC0415 - as above

    values = np.sqrt((events + 3 / 8) / expected)
    count = np.arange(len(values), dtype=float)  # sessions before each
    with np.errstate(divide="ignore", invalid="ignore"):
        before = np.concatenate(([0.0], np.cumsum(values)[:-1])) / count
        squares = np.concatenate(([0.0], np.cumsum(values**2)[:-1])) - count * before**2
        spread = np.sqrt(np.maximum(squares, 0.0) / (count - 1) * (1 + 1 / count))
        far = (values - before) / spread
    far = far if upward else -far
    tails = stdtr(np.maximum(count - 1, 1), -far)
    # Without any spread in the past Student says nothing
    known: np.ndarray[tuple[int], np.dtype[np.float64]] = np.where(np.isfinite(far), tails, 0.0)
    return known


CHARTS = {
    "shift_errors": ("errors", True, "the link's error rate has shifted up"),
    "shift_clicks_up": ("clicks", True, "the link gives more clicks than before"),
    "shift_clicks_down": ("clicks", False, "the link gives fewer clicks than before"),
    "shift_yield": ("yield", False, "the decoys yield fewer clicks than before"),
}
"""Charts of a link: of what, in which direction, and what is said where one speaks."""


def charts(sessions: Sequence[Evidence]) -> dict[str, Chart]:
    """Return the charts of a link by name, those for which enough sessions have the counts.

    Args:
        sessions: of the link, oldest first, the newest last. A chart leaves out sessions without its counts; it is
            missing where the newest has none.
    """
    found = {}
    for name, (_, upward, _) in CHARTS.items():
        measured = [counts(name, session) for session in sessions]
        counted = [one for one in measured if one is not None]
        if len(counted) > START and measured[-1] is not None:
            found[name] = chart(counted, upward=upward)
    return found


def counts(name: str, session: Evidence) -> tuple[int, float] | None:
    """Return the events of a session that a chart of ``CHARTS`` adds up, and how many were expected; None without any."""
    return _MEASURES[CHARTS[name][0]](session)


def _errors(session: Evidence) -> tuple[int, float] | None:
    compared = session.compared
    if not compared.total:
        return None
    return compared.errors, max(0.5, (session.expected_qber or 0.0) * compared.total)


def _clicks(session: Evidence) -> tuple[int, float] | None:
    """Sifted clicks beside those that the link explains."""
    if session.link is None or not session.pulses or not session.clicks:
        return None
    expected = session.pulses * session.link.gain * session.link.sifted_fraction
    return (sum(one.sifted for one in session.clicks), expected) if expected > 0 else None


def _yield(session: Evidence) -> tuple[int, float] | None:
    """Clicks of the weaker pulses beside their part of all clicks, which is that of the link."""
    if session.link is None or len(session.clicks) < 2:
        return None
    gains = [chance * session.link.gain_at(intensity) for chance, intensity in session.link.emissions]
    total = sum(one.sifted for one in session.clicks)
    expected = total * sum(gains[1:]) / sum(gains) if sum(gains) else 0.0
    return (sum(one.sifted for one in session.clicks[1:]), expected) if expected > 0 else None


_MEASURES = {"errors": _errors, "clicks": _clicks, "yield": _yield}
