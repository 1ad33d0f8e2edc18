"""Files found by their callers: each page is one Query of the index that fits best (I6).

Name, status, type, time and the attribute ``find.…`` are indexed. What no index gives is looked for within the page that was read, so that such a
page may hold fewer than asked for, or none, and still have a next one.
"""

from dataclasses import dataclass, replace
from datetime import datetime

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


def list_files(
    *, actor: Actor, limit: int, position: Position | None = None, owner: str | None = None, wanted: Wanted
) -> Page[File]:
    """The actor's files, those of a group of its, or what was shared with it; newest first, or by name.

    Raises:
        Invalid: another's files, or those of a group that the actor does not belong to; filters of what was shared,
            which no index gives; or names of all owners' files.
    """
    if owner == SHARED:
        if wanted != Wanted():
            raise Invalid.of("owner", "Files shared with you are not filtered. Leave the filters out.")
        return shared_page(actor=actor, limit=limit, position=position)
    whose = services.listed_owner(actor, owner)
    if wanted.name_prefix is not None:
        if whose is None:
            raise Invalid.of(
                "owner", "Names are looked for among one owner's files: give owner=me, or a group."
            )
        page = store.named_page(whose, wanted.name_prefix, limit=limit, position=position)
        return replace(page, records=[file for file in page.records if wanted.fits(file)])
    return _by_time(whose, wanted, limit, position)


def _by_time(whose: str | None, wanted: Wanted, limit: int, position: Position | None) -> Page[File]:
    if position is None and wanted.uploaded_before is not None:
        position = Position(sort_key(wanted.uploaded_before, ""))
    if whose is not None and wanted.attribute is not None and wanted.attribute[0].startswith(FOUND_BY):
        page = store.attribute_page(whose, *wanted.attribute, limit=limit, position=position)
    else:
        page = store.files_page(
            limit=limit,
            position=position,
            owner=whose,
            document_type=wanted.document_type,
            status=wanted.status,
        )
    after = wanted.uploaded_after
    ended = after is not None and any(file.uploaded_at < after for file in page.records)
    return replace(
        page,
        records=[file for file in page.records if wanted.fits(file)],
        older=None if ended else page.older,
    )


def shared_page(*, actor: Actor, limit: int, position: Position | None = None) -> Page[File]:
    """Single files that were granted to the actor itself, newest grant first: one Query and one BatchGetItem.

    A grant that ended, or whose file is gone, is left out, so that a page may be shorter than asked for.
    """
    found = grants.granted_page(str(actor), limit=limit, position=position)
    moment = clock.now()
    wanted = [grants.file_id_of(grant.object) for grant in found.records if grant.allows(Right.READ, moment)]
    files = store.files_of([file_id for file_id in wanted if file_id])
    return Page(files, older=found.older, newer=found.newer)
