"""What entries of the trail count: the same for live metrics and for the rollups, so that both tell the same."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.metrics.catalog import (
    DECRYPTED_BYTES,
    DECRYPTIONS,
    ENCRYPTED_BYTES,
    ENCRYPTIONS,
    JOBS_ENDED,
    JOBS_QUEUED,
    KEYS_GENERATED,
    QBER,
    REFUSALS,
    SECRET_BITS,
    VERDICTS,
    Metric,
)

Detail = Mapping[str, Any]
MOST = 10**18  # what is larger counts nothing, as what is no number: no table could add it up
UNKNOWN = "unknown"  # of entries of a release that did not say it


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric."""

    metric: Metric
    value: float
    dimensions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """What became of a session."""

    status: str  # as its record names it
    link: str
    qber: float  # in percent; 0 where the entry is about no verdict


def samples(event: str, outcome: str, detail: Detail) -> Iterator[Sample]:
    """Yield what one entry counts; nothing for most. It takes whatever an entry holds."""
    if outcome == "denied":
        yield Sample(REFUSALS, 1, {"event": str(event)})
        return
    counted = _COUNTED.get(str(event))
    if counted is not None and (outcome == "ok" or str(event) == "job.ended"):
        yield from counted(detail)


def session_outcome(event: str, outcome: str, detail: Detail) -> SessionOutcome | None:
    """Return what one entry says became of a session; None where it says nothing of it."""
    status = _STATUSES.get(str(event)) if outcome == "ok" else None
    return (
        None
        if status is None
        else SessionOutcome(status, _text(detail, "link"), 100 * _number(detail, "qber"))
    )


def _number(detail: Detail, name: str, default: float = 0) -> float:
    found = detail.get(name, default)
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and -MOST < found < MOST else default


def _text(detail: Detail, name: str) -> str:
    return str(detail.get(name) or UNKNOWN)


def _file(detail: Detail) -> Iterator[Sample]:
    if detail.get("by") != "client":  # whose key was counted as it was given out
        yield Sample(ENCRYPTIONS, 1, {"kind": "file"})
    yield Sample(ENCRYPTED_BYTES, _number(detail, "size"), {"kind": "file"})


def _messages(detail: Detail) -> Iterator[Sample]:
    yield Sample(ENCRYPTIONS, _number(detail, "messages", 1), {"kind": "message"})


def _data_key(_: Detail) -> Iterator[Sample]:
    yield Sample(ENCRYPTIONS, 1, {"kind": "data_key"})


def _key_released(detail: Detail) -> Iterator[Sample]:
    """Count a key as it is given out to encrypt, whether or not a body ever comes; given out again, it is the same."""
    if detail.get("purpose") != "encrypt":
        yield from _read("file_key")(detail)
    elif not detail.get("again"):
        yield Sample(ENCRYPTIONS, 1, {"kind": "file"})


def _read(kind: str) -> Callable[[Detail], Iterator[Sample]]:
    def counted(detail: Detail) -> Iterator[Sample]:
        yield Sample(DECRYPTIONS, _number(detail, "messages", 1), {"kind": kind})

    return counted


def _file_read(detail: Detail) -> Iterator[Sample]:
    yield Sample(DECRYPTIONS, 1, {"kind": "file"})
    is_part = "stop" in detail
    count = _number(detail, "stop") - _number(detail, "start") if is_part else _number(detail, "size")
    yield Sample(DECRYPTED_BYTES, max(0.0, count), {"kind": "file"})


def _job(detail: Detail) -> Iterator[Sample]:
    yield Sample(JOBS_ENDED, 1, {"kind": _text(detail, "kind"), "state": _text(detail, "state")})


def _job_queued(detail: Detail) -> Iterator[Sample]:
    yield Sample(JOBS_QUEUED, 1, {"kind": _text(detail, "kind")})


def _judged(detail: Detail) -> Iterator[Sample]:
    link = _text(detail, "link")
    yield Sample(VERDICTS, 1, {"link": link, "verdict": _text(detail, "verdict")})
    yield Sample(QBER, 100 * _number(detail, "qber"), {"link": link})


def _ready(detail: Detail) -> Iterator[Sample]:
    yield from _judged(detail)
    link = _text(detail, "link")
    yield Sample(SECRET_BITS, _number(detail, "bits"), {"link": link})
    yield Sample(KEYS_GENERATED, _number(detail, "keys"), {"link": link})


_STATUSES: Mapping[str, str] = {
    "session.ready": "ready",
    "session.compromised": "compromised",
    "session.aborted": "aborted",
    "session.studied": "study",
    "session.revoked": "revoked",
}
_COUNTED: Mapping[str, Callable[[Detail], Iterator[Sample]]] = {
    "file.encrypted": _file,
    "file.replaced": _file,
    "message.encrypted": _messages,
    "data_key.made": _data_key,
    "file.read": _file_read,
    "file.key_released": _key_released,
    "message.read": _read("message"),
    "job.queued": _job_queued,
    "job.ended": _job,
    "session.ready": _ready,
    "session.compromised": _judged,
    "session.aborted": _judged,
    "session.studied": _judged,
}
