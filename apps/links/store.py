"""The table of links."""

from typing import Any

from pynamodb.attributes import UnicodeAttribute

from apps.common.dynamodb import (
    EnumAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    WordsAttribute,
    feed,
    index,
    meta,
    page,
    sort_key,
)
from apps.links.records import Link, LinkSource

LISTED = "all"


class LinkTable(Table[Link]):
    Meta = meta("links")
    record_type = Link
    by_feed = index("feed", "feed")

    link_id = UnicodeAttribute(hash_key=True)
    name = UnicodeAttribute()
    owner = UnicodeAttribute()
    created_at = TimeAttribute()
    created_by = UnicodeAttribute()
    users = WordsAttribute(default=tuple)
    source = EnumAttribute(LinkSource)

    @classmethod
    def index_keys(cls, record: Link) -> dict[str, Any]:
        return {"feed": feed(LISTED, record.link_id), "sort": sort_key(record.created_at, record.link_id)}


def links_page(*, limit: int, position: Position | None = None) -> Page[Link]:
    """Links, newest first."""
    return page(LinkTable.by_feed, LISTED, limit=limit, position=position)
