"""Filters of lists. Each one reads an index of its own, so only one can be used at a time."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.console import render

LIMIT = 255  # longer than any id or name; DynamoDB refuses index keys of more than 2,048 bytes


class IndexFilter(SimpleListFilter):
    """A filter whose value the change list passes to the service; no query set is involved."""

    parameter_name: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002 - Django's signature
        return queryset


class ChoiceFilter(IndexFilter):
    """A filter by one of the known values."""

    values: tuple[str, ...] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [(value, render.heading(value)) for value in self.values]

    def value(self) -> str | None:
        chosen = super().value()
        if chosen is not None and chosen not in self.values:
            raise IncorrectLookupParameters(f"{self.parameter_name} cannot be {chosen!r}")
        return chosen


class ExactFilter(IndexFilter):
    """A filter by a value that the user types: an id, a name."""

    template = "console/filter_exact.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return []

    def has_output(self) -> bool:
        return True

    def value(self) -> str | None:
        typed = (super().value() or "").strip()
        if len(typed) > LIMIT:
            raise IncorrectLookupParameters(f"{self.parameter_name} has more than {LIMIT} characters")
        return typed or None

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the link that clears the filter, if it is set."""
        if self.value():
            link = changelist.get_query_string({self.parameter_name: None})
            yield {"selected": True, "query_string": link, "display": "Clear filter"}


def choice_filter(parameter: str, values: Iterable[str], *, title: str | None = None) -> type[ChoiceFilter]:
    """Make a filter by one of ``values``."""
    named = {"parameter_name": parameter, "title": title or parameter, "values": tuple(map(str, values))}
    return type("ChoiceFilter", (ChoiceFilter,), named)


def exact_filter(parameter: str, *, title: str | None = None) -> type[ExactFilter]:
    """Make a filter by a typed value."""
    return type("ExactFilter", (ExactFilter,), {"parameter_name": parameter, "title": title or parameter})
