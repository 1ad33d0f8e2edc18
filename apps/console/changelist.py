"""The admin's change list over pages of a DynamoDB feed: no count, no offset, no SQL; one Query a page (I6)."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, Protocol, cast

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.core.exceptions import SuspiciousOperation
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst

from apps.common import cursors
from apps.common.dynamodb import Page, Position
from apps.common.errors import Invalid
from apps.console.filters import IndexFilter
from apps.console.models import DisplayModel

CURSOR_VAR = "cursor"
MAX_SELECTED = 100  # one read and one transaction each, within one request


class Records(Protocol):
    """Where the records of a list come from: what ``StoreChangeList`` asks of its admin."""

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Any]:
        """Return one page of records; ``filters`` holds at most one of the list's filters."""

    def find_or_none(self, request: HttpRequest, object_id: str) -> Any | None:
        """Return one record, or None."""

    def display_for(self, request: HttpRequest, record: Any) -> DisplayModel:
        """Return the record as its display model, for the user who looks at it."""


class Selection:
    """The part of a QuerySet that ``ModelAdmin.response_action`` uses: the selected records."""

    def __init__(self, find: Callable[[str], DisplayModel | None]) -> None:
        self.find = find

    def filter(self, *, pk__in: Iterable[str]) -> list[DisplayModel]:
        chosen = list(dict.fromkeys(pk__in))
        if len(chosen) > MAX_SELECTED:
            raise SuspiciousOperation(f"Select at most {MAX_SELECTED} records.")
        found = [self.find(pk) for pk in chosen]
        return [record for record in found if record is not None]

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
        lookups.pop(CURSOR_VAR, None)
        return lookups

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str | None] | None = None
    ) -> QuerySet[Any]:
        del exclude_parameters  # for facets, which would need counts
        specs, self.has_filters, unknown, _duplicates, self.has_active_filters = self.get_filters(request)
        if unknown:
            raise IncorrectLookupParameters(unknown)
        self.filter_specs = specs
        self.clear_all_filters_qs = self.get_query_string(remove=self.get_filters_params())
        return self.root_queryset  # the admin's Selection: ``get_results`` reads the page

    @property
    def records(self) -> Records:
        """The admin, as far as the list needs it."""
        return cast("Records", self.model_admin)

    def get_results(self, request: HttpRequest) -> None:
        # A POST is an action: answered by a redirect or a page of its own, so the list is not read for it
        page: Page[Any] = Page([]) if request.method == "POST" else self._page(request)
        salt = self.opts.label
        self.older = self._link(cursors.dump(page.older, salt))
        self.newer = self._link(cursors.dump(page.newer, salt, older=False))
        self.result_list = [self.records.display_for(request, record) for record in page.records]
        # Equal counts: the template then shows no "n of m"
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = bool(self.result_list)
        self.narrowed = bool(self.query or self.has_active_filters or request.GET.get(CURSOR_VAR))

    def _page(self, request: HttpRequest) -> Page[Any]:
        filters = {
            spec.parameter_name: spec.value() for spec in self.filter_specs if isinstance(spec, IndexFilter)
        }
        asked = {name: value for name, value in filters.items() if value}
        if len(asked) + bool(self.query) > 1:
            messages.error(request, "Use one filter at a time.")
            return Page([])
        if self.query:
            found = self.records.find_or_none(request, self.query.strip())
            return Page([] if found is None else [found])
        try:
            return self.records.page(
                request, limit=self.list_per_page, position=self._position(request), **asked
            )
        except Invalid as error:  # of a filter: an unknown value, say
            messages.error(request, error.detail)
            return Page([])

    def _position(self, request: HttpRequest) -> Position | None:
        try:
            return cursors.load(request.GET.get(CURSOR_VAR), self.opts.label)
        except Invalid:
            messages.warning(request, "That page link is no longer valid. Showing the newest.")
            return None

    def _link(self, cursor: str | None) -> str | None:
        return cursor and self.get_query_string({CURSOR_VAR: cursor})

    def get_query_string(
        self, new_params: dict[str, Any] | None = None, remove: Iterable[str] | None = None
    ) -> str:
        """Return a link; one that chooses a filter starts at the first page and clears the filter before."""
        changed: dict[str, Any] = {CURSOR_VAR: None}
        names = {str(getattr(chosen, "parameter_name", "")) for chosen in self.list_filter}
        if names & set(new_params or {}):
            changed |= dict.fromkeys([*names, SEARCH_VAR])
        return super().get_query_string(changed | (new_params or {}), remove)
