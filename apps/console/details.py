"""The tabs of a record's page: its summary, its versions, what is related to it, and its part of the audit trail."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.console import render


class Tab(StrEnum):
    """The tabs, in their order."""

    SUMMARY = "summary"
    VERSIONS = "versions"
    RELATED = "related"
    AUDIT = "audit"

    @classmethod
    def of(cls, request: HttpRequest) -> "Tab":
        """Return the tab that a request asks for; the summary where it names none that there is."""
        asked = request.GET.get("tab", "")
        return cls(asked) if asked in set(cls) else cls.SUMMARY


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """Records of one kind that belong to the record of the page.

    Attributes:
        title: what they are.
        columns, rows: as a table; cells may be HTML.
        note: said instead of an empty table, or below it.
        more: a link to the whole list, where it is longer.
    """

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    note: str | SafeString = ""
    more: str | SafeString = ""

    @property
    def is_empty(self) -> bool:
        """Return whether it has nothing for who looks at it: its links lead where they may not go."""
        return not self.rows and {self.note, self.more} <= {"", render.NONE}

    def table(self) -> SafeString:
        """Return the rows as HTML."""
        return render.table(self.columns, self.rows)


def one(title: str, link: Any, *facts: Any) -> Related:
    """Return a single related record: its link, and what to know of it."""
    return Related(title=title, note=render.inline([link, *facts]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the trail is asked for: entries about, or by, a record."""

    by: str
    value: str


Trail = Callable[[HttpRequest, Subject, int], Related]
_trails: list[tuple[Trail, str]] = []


def show_trail_by(trail: Trail, *, permission: str) -> None:
    """Have the entries about a record shown by this, to who holds a permission; the frame knows no app of the trail."""
    _trails[:] = [(trail, permission)]


def trail_of(request: HttpRequest, subject: Subject, limit: int) -> Related:
    """Return the newest entries about a record."""
    return _trails[0][0](request, subject, limit)


def shows_trail(request: HttpRequest) -> bool:
    """Return whether an app shows the trail, and to this user."""
    return any(request.user.has_perm(permission) for _, permission in _trails)
