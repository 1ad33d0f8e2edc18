"""Files found by their callers: each page is one Query of the index that fits best (I6).

Name, status, type, time and the attribute ``find.…`` are indexed. What no index gives (decision 61) is looked for in
the rows of that index, up to ``READS`` Queries of them a page: such a page says how many files it looked at, and may
hold fewer than asked for, or none, and still have a next one.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from apps.access import grants
from apps.access.records import Right
from apps.audit.records import Actor
from apps.common import clock
from apps.common.dynamodb import Page, Position, sort_key
from apps.common.errors import Invalid
from apps.files import services, store
from apps.files.attributes import FOUND_BY, as_text
from apps.files.records import File
from apps.files.states import FileStatus

SHARED = "shared"
READ = 100  # rows that one BatchGetItem takes
READS = 5  # of so many, for one page: about 0.1 s, and 250 read units


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which files are looked for; None: any."""

    document_type: str | None = None
    status: FileStatus | None = None
    name_prefix: str | None = None
    uploaded_after: datetime | None = None
    uploaded_before: datetime | None = None
    size_min: int | None = None
    size_max: int | None = None
    attribute: tuple[str, str] | None = None

    def fits(self, file: File) -> bool:
        """Return whether a file is one of them, by what no index has told."""
        size = getattr(file, "size", None)
        told = {
            "document_type": file.document_type == self.document_type,
            "status": file.status is self.status,
            "uploaded_after": self.uploaded_after is None or file.uploaded_at >= self.uploaded_after,
            "uploaded_before": self.uploaded_before is None or file.uploaded_at < self.uploaded_before,
            "size_min": size is not None and size >= (self.size_min or 0),
            "size_max": size is not None and (self.size_max is None or size <= self.size_max),
            "attribute": self.attribute is None or _has(file, *self.attribute),
        }
        return all(fits for name, fits in told.items() if getattr(self, name) is not None)


def _has(file: File, name: str, value: str) -> bool:
    return name in file.attributes and as_text(file.attributes[name]) == value


@dataclass(frozen=True, slots=True)
class Found(Page[File]):
    """A page of files, and how many were looked at for it."""

    looked_at: int = 0


@dataclass(frozen=True, slots=True)
class _Look:
    """Where is looked: an index, where a file stands in it, and what it leaves to be looked for in its rows."""

    read: Callable[[int, Position | None], Page[File]]
    place: Callable[[File], str]
    rest: Wanted
    since: datetime | None = None  # in a list by time: what is older ends it


def list_files(
    *, actor: Actor, limit: int, position: Position | None = None, owner: str | None = None, wanted: Wanted
) -> Found:
    """The actor's files, those of a group of its, or what was shared with it; newest first, or by name.

    Raises:
        Invalid: another's files, or those of a group that the actor does not belong to; filters of what was shared,
            which no index gives; or names of all owners' files.
    """
    if owner == SHARED:
        if wanted != Wanted():
            raise Invalid.of("owner", "Files shared with you are not filtered. Leave the filters out.")
        page = shared_page(actor=actor, limit=limit, position=position)
        return Found(page.records, page.older, page.newer, looked_at=len(page.records))
    whose = services.listed_owner(actor, owner)
    if wanted.name_prefix is not None:
        if whose is None:
            raise Invalid.of(
                "owner", "Names are looked for among one owner's files: give owner=me, or a group."
            )
        return _found(_by_name(whose, wanted.name_prefix, wanted), wanted, limit, position)
    if position is None and wanted.uploaded_before is not None:
        position = Position(sort_key(wanted.uploaded_before, ""))
    return _found(_by_time(whose, wanted), wanted, limit, position)


def _by_name(whose: str, prefix: str, wanted: Wanted) -> _Look:
    def read(limit: int, position: Position | None) -> Page[File]:
        return store.named_page(whose, prefix, limit=limit, position=position)

    return _Look(read, store.place_by_name, replace(wanted, name_prefix=None))


def _by_time(whose: str | None, wanted: Wanted) -> _Look:
    """The index of the attribute that is declared, else that of the type, of the state, or of all."""
    rest, given = replace(wanted, uploaded_after=None, uploaded_before=None), dict[str, Any]()
    if whose is not None and wanted.attribute is not None and wanted.attribute[0].startswith(FOUND_BY):
        page, rest = partial(store.attribute_page, whose, *wanted.attribute), replace(rest, attribute=None)
    else:
        if wanted.document_type is not None:
            given, rest = {"document_type": wanted.document_type}, replace(rest, document_type=None)
        elif wanted.status is not None:
            given, rest = {"status": wanted.status}, replace(rest, status=None)
        page = partial(store.files_page, owner=whose, **given)

    def read(limit: int, position: Position | None) -> Page[File]:
        found = page(limit=limit, position=position)
        return found if rest == Wanted() else replace(found, records=list(_in_order(found.records, position)))

    return _Look(read, store.place_by_time, rest, since=wanted.uploaded_after)


def _in_order(files: Iterable[File], position: Position | None) -> Iterator[File]:
    """Those that stand below each other: a new version moves its document up, and the index is a moment behind.

    Whoever went on from such a row's place would begin the list again.
    """
    above = None if position is None else position.sort
    for file in files:
        place = store.place_by_time(file)
        if above is None or place < above:
            above = place
            yield file


def _found(look: _Look, wanted: Wanted, limit: int, position: Position | None) -> Found:
    """A page of what fits. Where the index tells all of that, it is the page that was read."""
    indexed = look.rest == Wanted()
    found: list[File] = []
    looked_at = 0
    for reads in range(READS):
        page = look.read(limit if indexed else READ, position)
        for file in page.records:
            if look.since is not None and file.uploaded_at < look.since:
                return Found(found, looked_at=looked_at)
            looked_at += 1
            if wanted.fits(file):
                found.append(file)
            if len(found) == limit and file is not page.records[-1]:
                return Found(found, older=look.place(file), looked_at=looked_at)
        if indexed or page.older is None or len(found) == limit or reads == READS - 1:
            break
        position = Position(page.older)
    return Found(found, older=page.older, looked_at=looked_at)


def shared_page(*, actor: Actor, limit: int, position: Position | None = None) -> Page[File]:
    """Single files that were granted to the actor itself, newest grant first: one Query and one BatchGetItem.

    A grant that ended, or whose file is gone, is left out, so that a page may be shorter than asked for.
    """
    found = grants.granted_page(str(actor), limit=limit, position=position)
    moment = clock.now()
    wanted = [grants.file_id_of(grant.object) for grant in found.records if grant.allows(Right.READ, moment)]
    files = store.files_of([file_id for file_id in wanted if file_id])
    return Page(files, older=found.older, newer=found.newer)
