"""The table of pool keys."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute

from apps.common.dynamodb import (
    EnumAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    feed,
    index,
    meta,
    page,
    partitions,
    sort_key,
)
from apps.keys.kem import Suite
from apps.keys.records import KeyState, PoolKey

LISTED = "all"
IN_USE = "active"


class PoolKeyTable(Table[PoolKey]):
    Meta = meta("pool-keys")
    record_type = PoolKey
    by_feed = index("feed", "feed")
    by_state = index("by_state", "state_feed")
    # Active keys only, the least used first.
    by_usage = index("by_usage", "usage_feed", order=("usage", NumberAttribute))

    key_id = UnicodeAttribute(hash_key=True)
    suite = EnumAttribute(Suite)
    state = EnumAttribute(KeyState)
    public_key = BinaryAttribute(legacy_encoding=False)
    wrapped_seed = BinaryAttribute(legacy_encoding=False)
    root_key_id = UnicodeAttribute()
    created_at = TimeAttribute()
    usage = NumberAttribute(default=0)
    last_used_at = TimeAttribute(null=True)
    changed_at = TimeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    state_feed = UnicodeAttribute(null=True)
    usage_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: PoolKey) -> dict[str, Any]:
        active = record.state is KeyState.ACTIVE
        return {
            "feed": feed(LISTED, record.key_id),
            "state_feed": feed(record.state, record.key_id),
            "usage_feed": feed(IN_USE, record.key_id) if active else None,
            "sort": sort_key(record.created_at, record.key_id),
        }


def keys_page(*, limit: int, position: Position | None, state: KeyState | None) -> Page[PoolKey]:
    """All keys, or those in one state, newest first."""
    if state is None:
        return page(PoolKeyTable.by_feed, LISTED, limit=limit, position=position)
    return page(PoolKeyTable.by_state, state, limit=limit, position=position)


def least_used(limit: int, suite: Suite | None = None) -> list[PoolKey]:
    """Active keys (of one suite) with the fewest uses, one Query for each shard."""
    wanted = None if suite is None else PoolKeyTable.suite == suite
    rows = [
        row
        for part in partitions(IN_USE)
        for row in PoolKeyTable.by_usage.query(part, filter_condition=wanted, limit=limit)
    ]
    return [row.record() for row in sorted(rows, key=lambda row: row.usage)[:limit]]


def count(state: KeyState) -> int:
    """How many keys are in a state."""
    return sum(PoolKeyTable.by_state.count(part) for part in partitions(state))


def active_before(moment: datetime) -> Iterator[PoolKey]:
    """Active keys made before a moment."""
    older = PoolKeyTable.sort < sort_key(moment, "")
    for part in partitions(KeyState.ACTIVE):
        for row in PoolKeyTable.by_state.query(part, older):
            yield row.record()
