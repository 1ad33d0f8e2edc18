"""Where a link's charts for lasting shifts stand, as its page shows it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from apps.sessions import drift, link_statistics
from apps.sessions.drift import Standing
from apps.sessions.records import Session, SessionStatus
from apps.sessions.store import SessionTable
from qkd.detection.sequential import CHARTS, LIMIT, run_length
from tests import requirement
from tests.tables import save

pytestmark = requirement("B4", "B7")
BITS = 4000
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def sessions(*rates, seed=5, ledger=None, link="metro"):
    """Ready sessions in which errors were drawn at these rates."""
    rng = np.random.default_rng(seed)
    return [
        Session(
            session_id=f"00000000-0000-4000-8000-{number:012d}", timestamp=BEGUN + timedelta(hours=number),
            status=SessionStatus.READY, owner="system:tests", link=link, key_length=256, parameters={},
            expected_qber=0.02, estimated_qber=rate, qber_low=0.0, qber_high=0.1,
            counts={
                "n_rect": BITS // 2, "errors_rect": int(rng.binomial(BITS // 2, rate)),
                "n_diag": BITS // 2, "errors_diag": int(rng.binomial(BITS // 2, rate)),
            },
            ledger=ledger or {}, sifted_key_length=BITS, corrected_key_length=BITS, final_key_length=256,
            secret=True, reason_code=None, reason=None, duration_ms=1.0,
        )
        for number, rate in enumerate(rates)
    ]  # fmt: skip


def of_errors(ran):
    return next(one for one in drift.of_sessions(ran) if one.name == "shift_errors")


def test_every_chart_has_a_standing_whatever_there_is():
    for number in (0, 1, 30):
        assert [one.name for one in drift.of_sessions(sessions(*[0.02] * number))] == list(CHARTS)


def test_what_cannot_be_told_says_why():
    assert of_errors([]).says == "Cannot tell: 0 ready sessions have these counts, 5 are needed."
    few = of_errors(sessions(*[0.02] * 4))
    assert (few.standing, few.total, few.sessions) == (Standing.UNKNOWN, None, 4)
    clicks = drift.of_sessions(sessions(*[0.02] * 9))[1]
    assert clicks.says == "Cannot tell: sessions over this link do not have these counts."
    ran = sessions(*[0.02] * 9)
    assert "newest" in of_errors([*ran[:-1], replace(ran[-1], counts={})]).says


def test_a_steady_link_shows_no_shift():
    found = of_errors(sessions(*[0.02] * 48))
    assert found.standing in (Standing.STEADY, Standing.BUILDING)
    assert (found.spoke, found.sessions, found.limit) == ((), 48, LIMIT)
    assert (found.run == 0) == (found.total == 0) == (found.since is None)
    assert found.run_length == run_length()


def test_a_shift_is_said_with_its_beginning_and_its_run():
    """2 % for 40 sessions, then 2.66 % until the chart speaks."""
    ran = sessions(*[0.02] * 40, *[0.0266] * 24)
    first = next(end for end in range(41, 65) if of_errors(ran[:end]).spoke)
    found = of_errors(ran[:first])
    assert (found.standing, found.spoke) == (Standing.SHIFTED, (ran[first - 1].timestamp,))
    assert found.total > LIMIT
    assert found.since is not None
    assert abs((found.since - ran[40].timestamp) / timedelta(hours=1)) <= 4
    assert found.since == ran[first - found.run].timestamp
    assert found.says == f"The link's error rate has shifted up, over {found.run} sessions in a row."
    before = of_errors(ran[: first - 1])
    assert before.standing is Standing.BUILDING
    assert before.says.startswith(f"Not enough to say: {before.total:.1f} of 11.1")
    later = of_errors(ran)
    assert (later.standing, later.spoke) == (Standing.SHIFTED, found.spoke)
    assert f"found {64 - first} sessions ago" in later.says


@pytest.mark.parametrize("missing", ["aborted", "elsewhere"])
def test_of_a_link_its_own_ready_sessions_count(aws, missing):
    ran = sessions(*[0.02] * 12)
    ran[7] = (
        replace(ran[7], status=SessionStatus.ABORTED)
        if missing == "aborted"
        else replace(ran[7], link="other")
    )
    for one in ran:
        save(SessionTable.of(one))
    found = {one.name: one for one in drift.of_link("metro")}
    assert found["shift_errors"].sessions == 11
    shown = link_statistics.of_link("metro").charts["shift_errors"]
    assert shown["sum"] == pytest.approx(found["shift_errors"].total, abs=1e-3)
    assert shown["sessions"] == 11
