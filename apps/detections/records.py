"""What the detector found about a session (B5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from apps.common.authenticated import Record


class Verdict(StrEnum):
    """What the detector found, in one word."""

    CLEAN = "clean"
    ANOMALOUS = "anomalous"
    COMPROMISED = "compromised"


WORTH_A_LOOK = (Verdict.COMPROMISED, Verdict.ANOMALOUS)


class Judged(Protocol):
    """A detection, or its display."""

    @property
    def is_compromised(self) -> bool: ...
    @property
    def is_anomalous(self) -> bool: ...


def verdict_of(found: Judged) -> Verdict:
    """The verdict of a detection."""
    if found.is_compromised:
        return Verdict.COMPROMISED
    return Verdict.ANOMALOUS if found.is_anomalous else Verdict.CLEAN


@dataclass(frozen=True, slots=True)
class Detection(Record):
    """A detection: what the statistics say about one session. ``detection_timestamp`` is in microseconds."""

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
    tests: Sequence[Mapping[str, Any]] = ()  # rows of ``qkd.detection.Test``
