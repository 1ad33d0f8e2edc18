"""A list as a file: what its filters show, from the newest on, as CSV or JSON lines.

It is read page by page while it is sent, through the list's own ``page``, so that nobody gets a record that the list
would not show them. Who exported what is in the trail before the first byte goes out. A file that is not whole says so
in its last line.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, ClassVar, Protocol, cast

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)

from apps.common import clock
from apps.common.dynamodb import Position
from apps.common.errors import Invalid
from apps.common.spreadsheets import cell
from apps.console.changelist import StoreChangeList
from apps.console.failures import FAILURES, problem_of
from apps.console.models import DisplayModel

MOST_ROWS = 5_000
LOOKED_THROUGH = 200  # records that are read at once
MOST_PAGES = 50  # of as many records: filters without an index may keep none of them
MOST_BYTES = 4_000_000  # Lambda answers at most 6 MB, of which the encoding takes a quarter
TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
Row = Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What somebody exports: a list, by the filters that they set."""

    of: str
    format: str
    filters: Mapping[str, str]


class ListAdmin(Protocol):
    """Whose list it is: what an export asks of it."""

    opts: Any
    model: Any
    list_display: Any
    unlisted: ClassVar[tuple[str, ...]]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may see the list."""

    def list_url(self) -> str:
        """Return the URL of the list."""

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Return the filters."""

    def get_search_fields(self, request: HttpRequest) -> Any:
        """Return the fields that are searched by their exact value."""


Record = Callable[[HttpRequest, Export], None]
_recorders: list[Record] = []


def record_by(record: Record) -> None:
    """Have exports recorded by this: the app of the trail registers it, as the frame knows no app."""
    _recorders[:] = [record]


class ExportedList(StoreChangeList):
    """A list of which no page is shown: ``pages`` reads them all."""

    def get_results(self, request: HttpRequest) -> None:  # noqa: ARG002 - Django's signature
        """Read nothing yet."""
        self.forged: list[str] = []

    def pages(self, request: HttpRequest) -> Iterator[tuple[list[DisplayModel], bool]]:
        """Yield the records of each page that the filters keep, and whether older pages follow."""
        if self.query:
            found = self.records.find_or_none(request, self.query.strip())
            yield [] if found is None else [self.records.display_for(request, found)], False
            return
        position, is_more = None, True
        while is_more:
            page = self.read(request, position, LOOKED_THROUGH)
            is_more = page.older is not None
            self.forged += page.left_out
            yield [self.records.display_for(request, record) for record in page.records], is_more
            position = Position(page.older) if page.older is not None else None


def export_view(model_admin: ListAdmin, request: HttpRequest, format_name: str) -> HttpResponseBase:
    """Send a list as a file, to whoever may see the list."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    if format_name not in TYPES:
        raise Http404
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    try:
        found = _list_of(model_admin, request)
    except IncorrectLookupParameters:
        return HttpResponseRedirect(f"{model_admin.list_url()}?{ERROR_FLAG}=1")
    pages = found.pages(request)
    try:
        first = next(pages)  # what fails here has a page that says why
    except Invalid:  # of a filter; the list says what is wrong with it
        return HttpResponseRedirect(model_admin.list_url() + found.get_query_string())
    label, asked = str(model_admin.opts.label_lower), dict(found.asked)
    if found.query:
        asked["id"] = found.query.strip()
    _recorders[0](request, Export(of=label, format=format_name, filters=asked))
    names = [
        field.name
        for field in model_admin.model._meta.concrete_fields  # noqa: SLF001 - Django's documented API
        if field.name not in model_admin.unlisted
    ]
    body = _lines(chain([first], pages), names, format_name, found.forged)
    answer = StreamingHttpResponse(body, content_type=TYPES[format_name])
    name = f"{label.replace('.', '-')}-{clock.now():%Y%m%dT%H%M%SZ}.{format_name}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _list_of(model_admin: ListAdmin, request: HttpRequest) -> ExportedList:
    return ExportedList(
        request, model_admin.model, model_admin.list_display, (), model_admin.get_list_filter(request), None,
        model_admin.get_search_fields(request), False, LOOKED_THROUGH, 0, (), cast("Any", model_admin), (), "",
    )  # fmt: skip


def _lines(
    pages: Iterator[tuple[list[DisplayModel], bool]],
    names: Sequence[str],
    format_name: str,
    forged: list[str],
) -> Iterator[bytes]:
    """Write the rows of each page, and why they end where there are more, or some of them are missing."""
    write, end = (_csv, _csv_end) if format_name == "csv" else (_json, _json_end)
    rows, size = 0, 0
    if format_name == "csv":
        yield _csv(names, [names])
    try:
        for number, (page, is_more) in enumerate(pages, 1):
            taken = page[: MOST_ROWS - rows]
            text = write(names, [[getattr(obj, name) for name in names] for obj in taken])
            rows, size = rows + len(taken), size + len(text)
            yield text
            if len(taken) < len(page) or (is_more and _is_enough(rows, number, size)):
                yield end(f"Cut after {rows:,} rows: there may be more. Narrow the filters to have the rest.")
                break
    except FAILURES as error:
        yield end(f"Not whole: reading failed after {rows:,} rows. {problem_of(error).detail}")
    if forged:
        yield end(f"Left out, as they were changed outside of the platform: {', '.join(forged)}.")


def _is_enough(rows: int, pages: int, size: int) -> bool:
    return rows >= MOST_ROWS or pages >= MOST_PAGES or size >= MOST_BYTES


def _csv(names: Sequence[str], rows: Sequence[Row]) -> bytes:
    del names
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode(errors="backslashreplace")


def _json(names: Sequence[str], rows: Sequence[Row]) -> bytes:
    return "".join(
        json.dumps(dict(zip(names, row, strict=True)), default=_plain) + "\n" for row in rows
    ).encode()


def _csv_end(text: str) -> bytes:
    return _csv((), [[text]])


def _json_end(text: str) -> bytes:
    return _json(["end"], [[text]])


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return cell(value)
    return cell(_plain(value) if isinstance(value, datetime) else json.dumps(value, default=_plain))


def _plain(value: Any) -> Any:
    """Return what JSON takes for what records hold beside."""
    if isinstance(value, datetime):
        return clock.as_text(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"A field of a record is a {type(value).__name__}, which no export writes.")
