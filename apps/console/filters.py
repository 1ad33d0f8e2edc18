"""Filters of lists. Each is answered by an index of its own, so one of them can be used at a time."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

LIMIT = 255  # longer than any id or name; DynamoDB refuses index keys of more than 2,048 bytes


class IndexFilter(SimpleListFilter):
    """What the list's adapter reads; nothing here touches a query set."""

    parameter_name: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002 - Django's signature
        return queryset


class ChoiceFilter(IndexFilter):
    """One of the known values."""

    values: tuple[str, ...] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [(value, value.replace("_", " ").capitalize()) for value in self.values]

    def value(self) -> str | None:
        chosen = super().value()
        if chosen is not None and chosen not in self.values:
            raise IncorrectLookupParameters(f"{self.parameter_name} cannot be {chosen!r}")
        return chosen


class ExactFilter(IndexFilter):
    """A value that the reader types: an id, a name."""

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
        """The link that takes the filter away, if it is set."""
        if self.value():
            link = changelist.get_query_string({self.parameter_name: None})
            yield {"selected": True, "query_string": link, "display": "Take the filter away"}


def by_choice(parameter: str, values: Iterable[str], *, title: str | None = None) -> type[ChoiceFilter]:
    """A filter by one of ``values``."""
    named = {"parameter_name": parameter, "title": title or parameter, "values": tuple(map(str, values))}
    return type("ChoiceFilter", (ChoiceFilter,), named)


def by_exact(parameter: str, *, title: str | None = None) -> type[ExactFilter]:
    """A filter by a typed value."""
    return type("ExactFilter", (ExactFilter,), {"parameter_name": parameter, "title": title or parameter})
