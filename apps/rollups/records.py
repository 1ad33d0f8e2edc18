"""Sums over time of what the trail counts."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Period(StrEnum):
    """How long one bucket is."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def length(self) -> timedelta:
        """The time that a bucket covers."""
        return {
            Period.MINUTE: timedelta(minutes=1),
            Period.HOUR: timedelta(hours=1),
            Period.DAY: timedelta(days=1),
        }[self]

    @property
    def kept(self) -> timedelta:
        """How long buckets are kept."""
        return {
            Period.MINUTE: timedelta(days=2),
            Period.HOUR: timedelta(days=62),
            Period.DAY: timedelta(days=1100),
        }[self]

    def start_of(self, moment: datetime) -> datetime:
        """The beginning of the bucket that a moment is in."""
        utc = moment.astimezone(UTC).replace(second=0, microsecond=0)
        if self is Period.MINUTE:
            return utc
        return utc.replace(minute=0) if self is Period.HOUR else utc.replace(minute=0, hour=0)

    def span_of(self, start: datetime) -> str:
        """The span whose buckets share a partition: a day of minutes, a month of hours, a year of days."""
        text = start.strftime("%Y-%m-%d")
        return {Period.MINUTE: text, Period.HOUR: text[:7], Period.DAY: text[:4]}[self]


@dataclass(frozen=True, slots=True)
class Rollup:
    """A part of one bucket of one series. Parts are added up when they are read, so that no row is written by all."""

    series: str  # its name, the period and the span
    bucket: str  # where it begins, and the part
    number: int  # of values
    total: float  # their sum
    ttl: int


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket of a chart: how many values, and their sum."""

    at: datetime
    count: int
    total: float
