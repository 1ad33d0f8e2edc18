"""Filters of lists, in one form. They combine: one is answered by an index, the others among what that reads."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.console import render

LIMIT = 255  # longer than any id or name; DynamoDB refuses index keys of more than 2,048 bytes
SINCE, UNTIL = "since", "until"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A filter as the list's form shows it."""

    kind: str
    name: str
    label: str
    value: str
    options: list[tuple[str, str]] = field(default_factory=list)


class IndexFilter(SimpleListFilter):
    """A filter whose value the change list passes on; no query set is involved."""

    parameter_name: str
    kind = "text"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002 - Django's signature
        return queryset

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return []

    def has_output(self) -> bool:
        return True

    def options(self) -> list[tuple[str, str]]:
        """Return the values that can be chosen, with their names; none where one is typed."""
        return []

    def as_field(self) -> Field:
        """Return the filter as the list's form shows it."""
        label = render.heading(str(self.title))
        return Field(
            kind=self.kind,
            name=self.parameter_name,
            label=label,
            value=self.value() or "",
            options=self.options(),
        )


class ChoiceFilter(IndexFilter):
    """A filter by one of the known values."""

    kind = "choice"
    values: tuple[str, ...] = ()

    def options(self) -> list[tuple[str, str]]:
        return [(value, render.heading(value)) for value in self.values]

    def value(self) -> str | None:
        chosen = super().value() or None
        if chosen is not None and chosen not in self.values:
            raise IncorrectLookupParameters(f"{self.parameter_name} cannot be {chosen!r}")
        return chosen


class ExactFilter(IndexFilter):
    """A filter by a value that the user types: an id, a name."""

    def value(self) -> str | None:
        typed = (super().value() or "").strip()
        if len(typed) > LIMIT:
            raise IncorrectLookupParameters(f"{self.parameter_name} has more than {LIMIT} characters")
        return typed or None


class DayFilter(IndexFilter):
    """A filter by the day, in UTC, from or up to which records are shown; that day is among them."""

    kind = "date"

    def value(self) -> str | None:
        typed = (super().value() or "").strip()
        if not typed:
            return None
        try:
            datetime.strptime(typed, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise IncorrectLookupParameters(f"{self.parameter_name} is no day, such as 2026-11-26") from None
        return typed


def choice_filter(parameter: str, values: Iterable[str], *, title: str | None = None) -> type[ChoiceFilter]:
    """Make a filter by one of ``values``."""
    named = {"parameter_name": parameter, "title": title or parameter, "values": tuple(map(str, values))}
    return type("ChoiceFilter", (ChoiceFilter,), named)


def exact_filter(parameter: str, *, title: str | None = None) -> type[ExactFilter]:
    """Make a filter by a typed value."""
    return type("ExactFilter", (ExactFilter,), {"parameter_name": parameter, "title": title or parameter})


def day_filters() -> tuple[type[DayFilter], type[DayFilter]]:
    """Make the two filters of a time range."""
    return (
        type("Since", (DayFilter,), {"parameter_name": SINCE, "title": "from day (UTC)"}),
        type("Until", (DayFilter,), {"parameter_name": UNTIL, "title": "up to day (UTC)"}),
    )


def start_of(day: str) -> datetime:
    """Return the moment at which a day begins."""
    return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)


def end_of(day: str) -> datetime:
    """Return the moment at which a day has ended; of the last day that there is, its last one."""
    try:
        return start_of(day) + timedelta(days=1)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
