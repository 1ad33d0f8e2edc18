"""Verdicts on keys that another key management entity made: by their bits alone, as nothing else is known of them."""

from enum import StrEnum
from typing import TYPE_CHECKING

from apps.sessions.receiving import LEDGER
from apps.sessions.records import Session

if TYPE_CHECKING:
    from qkd.detection import Verdict

FALSE_ALARM = 1e-9  # of all tests of a session together: bits of a sound source pass for centuries
TELLING = {
    "ones": "as many ones as zeros",
    "runs": "as many changes from bit to bit as random bits have",
    "blocks": "as many ones in every part",
}


class ReceivedCode(StrEnum):
    """Why keys that came in are not used."""

    NOT_RANDOM = "received_not_random"


def judge(session: Session) -> "Verdict":
    """Judge the keys of a session that came in: compromised where they are not random for certain."""
    from qkd.detection.verdict import Reason, Test, Verdict  # noqa: PLC0415 - numpy, which requests do without
    from qkd.estimation import Interval  # noqa: PLC0415

    found = {name: float(p) for name, p in session.ledger[LEDGER].items()}
    tests = tuple(
        Test(name=name, statistic=p, expected=0.5, p=p, convicts=True, detail=f"{TELLING[name]}: p = {p:.1e}")
        for name, p in found.items()
    )
    p = min(1.0, len(found) * min(found.values()))
    failed = p < FALSE_ALARM
    detail = "the bits are not random: " + "; ".join(
        one.detail for one in tests if one.p * len(tests) < FALSE_ALARM
    )
    reasons = (Reason(ReceivedCode.NOT_RANDOM, detail),) if failed else ()  # type: ignore[arg-type]  # ours, not the engine's
    return Verdict(
        qber=0.0,
        interval=Interval(0.0, 1.0),  # nothing was compared here, and nothing is claimed
        chi_square=0.0,
        tests=tests,
        p_values=found,
        p=p,
        is_compromised=failed,
        is_anomalous=failed,
        confidence_level=1 - p,
        reasons=reasons,
    )
