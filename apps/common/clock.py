"""The one clock, which tests can set, and the one way to write times."""

from datetime import UTC, datetime, timedelta

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


def ago(seconds: float) -> datetime:
    """Return the moment so many seconds before now."""
    return now() - timedelta(seconds=seconds)
