"""The tables of links and of their history."""

from typing import Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from apps.common.dynamodb import (
    DocumentAttribute,
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
from apps.links.records import Link, LinkChange, LinkSource, LinkState

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
    # Without defaults: what older rows do not say must not become part of what their tag covers
    site_a = UnicodeAttribute(null=True)
    site_b = UnicodeAttribute(null=True)
    parameters = DocumentAttribute(null=True)
    qber_threshold = NumberAttribute(null=True)
    low_water = NumberAttribute(null=True)
    target = NumberAttribute(null=True)
    schedule = WordsAttribute(null=True)
    halted = EnumAttribute(LinkState, null=True)
    reason = UnicodeAttribute(null=True)
    case_id = UnicodeAttribute(null=True)
    changed_at = TimeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Link) -> dict[str, Any]:
        return {"feed": feed(LISTED, record.link_id), "sort": sort_key(record.created_at, record.link_id)}


class LinkChangeTable(Table[LinkChange]):
    Meta = meta("link-changes")
    record_type = LinkChange
    by_link = index("by_link", "link_feed")

    change_id = UnicodeAttribute(hash_key=True)
    link_id = UnicodeAttribute()
    changed_at = TimeAttribute()
    changed_by = UnicodeAttribute()
    event = UnicodeAttribute()
    state = EnumAttribute(LinkState)
    reason = UnicodeAttribute()
    case_id = UnicodeAttribute(null=True)
    changed_fields = WordsAttribute(default=tuple)
    link_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: LinkChange) -> dict[str, Any]:
        return {
            "link_feed": feed(record.link_id, record.change_id),
            "sort": sort_key(record.changed_at, record.change_id),
        }


def links_page(*, limit: int, position: Position | None = None) -> Page[Link]:
    """Links, newest first."""
    return page(LinkTable.by_feed, LISTED, limit=limit, position=position)


def changes_page(link_id: str, *, limit: int, position: Position | None = None) -> Page[LinkChange]:
    """What became of a link, newest first."""
    return page(LinkChangeTable.by_link, link_id, limit=limit, position=position)
