"""The admin's change list over pages of a DynamoDB feed: no count, no offset, no SQL; one Query a page (I6)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, NoReturn, Protocol, cast

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import SuspiciousOperation
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst

from apps.common import cursors
from apps.common.dynamodb import BEGINNING, Page, Position, sort_key
from apps.common.errors import Invalid
from apps.console.filters import SINCE, UNTIL, Field, IndexFilter, end_of, start_of
from apps.console.models import DisplayModel

CURSOR_VAR, ORDER_VAR, OLDEST = "cursor", "order", "oldest"
EXPORTS = (("csv", "CSV"), ("jsonl", "JSON lines"))
SPAN = {SINCE, UNTIL}
# Records that a page reads where a filter without an index of its own looks among them: what one BatchGetItem brings, and
# an action takes
LOOKED_THROUGH = 100


class Records(Protocol):
    """Where the records of a list come from: what ``StoreChangeList`` asks of its admin."""

    indexed: tuple[str, ...]

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Any]:
        """Return one page of records; ``filters`` holds at most one of ``indexed``."""

    def fits(self, record: Any, name: str, value: str) -> bool:
        """Return whether a record is one that a filter wants."""

    def moment_of(self, record: Any) -> datetime:
        """Return the time by which the list is ordered."""

    def find_or_none(self, request: HttpRequest, object_id: str) -> Any | None:
        """Return one record, or None."""

    def display_for(self, request: HttpRequest, record: Any) -> DisplayModel:
        """Return the record as its display model, for the user who looks at it."""


class Selection:
    """What Django's admin takes for a query set. Actions have pages of their own, so that nothing is asked of it."""

    def __init__(self, find: Callable[[str], DisplayModel | None]) -> None:
        self.find = find

    def __iter__(self) -> Iterator[NoReturn]:
        raise SuspiciousOperation("Actions apply to selected rows only, never to all records.")


class StoreChangeList(ChangeList):
    """A page fetched from the services of ``model_admin``'s app."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.title = str(capfirst(self.opts.verbose_name_plural))
        self.params = {}  # a search by id keeps no filter and no cursor

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        lookups = super().get_filters_params(params)
        for name in (CURSOR_VAR, ORDER_VAR):
            lookups.pop(name, None)
        return lookups

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str | None] | None = None
    ) -> QuerySet[Any]:
        del exclude_parameters  # for facets, which would need counts
        specs, self.has_filters, unknown, _duplicates, _active = self.get_filters(request)
        if unknown:
            raise IncorrectLookupParameters(unknown)
        self.filter_specs = specs
        self.asked = self._asked()
        self.oldest_first = request.GET.get(ORDER_VAR) == OLDEST
        self.has_active_filters = bool(self.asked)
        self.clear_all_filters_qs = self.get_query_string(remove=self.get_filters_params())
        return self.root_queryset  # the admin's Selection: ``get_results`` reads the page

    @property
    def records(self) -> Records:
        """The admin, as far as the list needs it."""
        return cast("Records", self.model_admin)

    @property
    def filter_fields(self) -> list[Field]:
        """The filters, as the list's form shows them."""
        return [spec.as_field() for spec in self.filter_specs if isinstance(spec, IndexFilter)]

    @property
    def exports(self) -> list[tuple[str, str]]:
        """Where what the filters show is had as a file: the kind, and its address."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_export"
        query = self.get_query_string({ORDER_VAR: None})
        return [(label, reverse(name, args=[kind]) + query) for kind, label in EXPORTS]

    @property
    def other_order(self) -> str:
        """Where the list begins at its other end."""
        return self.get_query_string({ORDER_VAR: None if self.oldest_first else OLDEST})

    def _asked(self) -> dict[str, str]:
        values = {
            spec.parameter_name: spec.value() for spec in self.filter_specs if isinstance(spec, IndexFilter)
        }
        return {name: value for name, value in values.items() if value}

    def get_results(self, request: HttpRequest) -> None:
        # A POST is an action: answered by a redirect to its page, so the list is not read for it
        self.looked_through = 0
        page: Page[Any] = Page([]) if request.method == "POST" else self._page(request)
        self.left_out: tuple[str, ...] = page.left_out
        salt = self.opts.label
        self.older = self._link(cursors.dump(page.older, salt))
        self.newer = self._link(cursors.dump(page.newer, salt, older=False))
        shown = page.records[::-1] if self.oldest_first else page.records
        self.result_list = [self.records.display_for(request, record) for record in shown]
        # Equal counts: the template then shows no "n of m"
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = bool(self.result_list)
        self.narrowed = bool(self.query or self.has_active_filters or request.GET.get(CURSOR_VAR))

    def _page(self, request: HttpRequest) -> Page[Any]:
        if self.query:
            found = self.records.find_or_none(request, self.query.strip())
            return Page([] if found is None else [found])
        try:
            return self._filtered(request)
        except Invalid as error:  # of a filter: an unknown value, say
            messages.error(request, error.detail)
            return Page([])

    def _filtered(self, request: HttpRequest) -> Page[Any]:
        since, until = self.asked.get(SINCE), self.asked.get(UNTIL)
        if since and until and start_of(since) > start_of(until):
            raise Invalid(f"From {since} up to {until} there is no day: the first is after the second.")
        return self.read(request, self._position(request), self.list_per_page)

    def read(self, request: HttpRequest, position: Position | None, limit: int) -> Page[Any]:
        """Read one page by the best index, and keep of it what the other filters want."""
        asked = dict(self.asked)
        begins = position is None
        if position is None:
            position = self._first(asked.get(SINCE), asked.get(UNTIL))
        by = next((name for name in self.records.indexed if name in asked), None)
        chosen = {by: asked.pop(by)} if by else {}
        limit = max(limit, LOOKED_THROUGH) if asked.keys() - SPAN else limit
        page = self.records.page(request, limit=limit, position=position, **chosen)
        if asked.keys() - SPAN:
            self.looked_through = len(page.records)
        return self._kept(page, asked, begins=begins)

    def _first(self, since: str | None, until: str | None) -> Position | None:
        """Where the list begins."""
        if self.oldest_first:
            return Position(sort_key(start_of(since), ""), older=False) if since else BEGINNING
        return Position(sort_key(end_of(until), "")) if until else None

    def _kept(self, page: Page[Any], asked: dict[str, str], *, begins: bool) -> Page[Any]:
        """What the filters want of a page, which ends where their days do."""
        since, until = asked.get(SINCE), asked.get(UNTIL)
        read = page.records
        at_oldest = since and read and self.records.moment_of(read[-1]) < start_of(since)
        at_newest = until and read and self.records.moment_of(read[0]) >= end_of(until)
        return replace(
            page,
            records=[record for record in read if self._fits(record, asked)],
            older=None if at_oldest or (begins and self.oldest_first) else page.older,
            newer=None if at_newest else page.newer,
        )

    def _fits(self, record: Any, asked: dict[str, str]) -> bool:
        since, until = asked.get(SINCE), asked.get(UNTIL)
        if since and self.records.moment_of(record) < start_of(since):
            return False
        if until and self.records.moment_of(record) >= end_of(until):
            return False
        return all(self.records.fits(record, name, asked[name]) for name in asked.keys() - SPAN)

    def _position(self, request: HttpRequest) -> Position | None:
        try:
            return cursors.load(request.GET.get(CURSOR_VAR), self.opts.label)
        except Invalid:
            messages.warning(request, "That page link is no longer valid. Showing the first page.")
            return None

    def _link(self, cursor: str | None) -> str | None:
        return cursor and self.get_query_string({CURSOR_VAR: cursor})

    def get_query_string(
        self, new_params: dict[str, Any] | None = None, remove: Iterable[str] | None = None
    ) -> str:
        """Return a link, which starts at the first page unless it says another."""
        return super().get_query_string({CURSOR_VAR: None} | (new_params or {}), remove)
