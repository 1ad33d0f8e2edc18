"""One clock, so that tests can set it, and one way to write times."""

from datetime import UTC, datetime, timedelta

FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"  # fixed width: sorts as text


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


def as_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds; text order is time order."""
    return moment.astimezone(UTC).strftime(FORMAT)


def from_text(text: str) -> datetime:
    """The reverse of :func:`as_text`."""
    return datetime.strptime(text, FORMAT).replace(tzinfo=UTC)


def ago(seconds: float) -> datetime:
    """The moment that many seconds back."""
    return now() - timedelta(seconds=seconds)
