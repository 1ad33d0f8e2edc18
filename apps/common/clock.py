"""The one clock, which tests can set, and the one way to write times."""

from datetime import UTC, datetime, timedelta

AHEAD_SECONDS = 60  # more than two machines' clocks are apart
FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"  # fixed width: sorts as text


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def as_text(moment: datetime) -> str:
    """Write a time as ISO 8601 in UTC with microseconds, so that text order is time order."""
    return moment.astimezone(UTC).strftime(FORMAT)


def from_text(text: str) -> datetime:
    """Read what :func:`as_text` wrote."""
    return datetime.strptime(text, FORMAT).replace(tzinfo=UTC)


def is_recent(moment: datetime, *, seconds: float) -> bool:
    """Return whether a moment is within so many seconds of now.

    One that is further ahead was noted by a clock that has been set back since: it says nothing, so nobody waits for it.
    """
    return abs(now() - moment) < timedelta(seconds=seconds)


def is_ahead(moment: datetime) -> bool:
    """Return whether a moment that was noted lies so far ahead that it was by a clock set back since."""
    return moment - now() > timedelta(seconds=AHEAD_SECONDS)


def ago(seconds: float) -> datetime:
    """Return the moment so many seconds before now."""
    return now() - timedelta(seconds=seconds)
