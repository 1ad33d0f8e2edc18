"""What the detector found about a session (B5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

COMPROMISED = "compromised"
ANOMALOUS = "anomalous"


@dataclass(frozen=True, slots=True)
class Detection:
    """A verdict. ``detection_timestamp`` is in microseconds since the epoch."""

    session_id: str
    detection_timestamp: int
    detected_at: datetime
    owner: str
    link: str
    outcome: str
    qber_calculated: float
    threshold: float
    chi_square_value: float
    is_compromised: bool
    is_anomalous: bool
    confidence_level: float
    p_values: Mapping[str, float] = field(default_factory=dict)
    reasons: Sequence[Mapping[str, Any]] = ()
