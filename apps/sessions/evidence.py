"""What was counted in a session, as the statistics take it: never its key."""

from dataclasses import replace
from typing import TYPE_CHECKING

from apps.sessions.records import Session

if TYPE_CHECKING:
    from qkd.detection import Evidence


def of_session(session: Session) -> "Evidence":
    """The evidence of a session, whatever its state."""
    # Here, not above: numpy is a fifth of a cold start, and most requests of the API judge nothing
    from qkd.detection import evidence_of  # noqa: PLC0415
    from qkd.estimation import BasisCounts  # noqa: PLC0415

    found = evidence_of(session.ledger, compared=BasisCounts(**session.counts))
    return replace(found, expected_qber=session.expected_qber)
