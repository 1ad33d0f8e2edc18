"""The tables of key delivery."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from apps.common.dynamodb import (
    EnumAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    WordsAttribute,
    authentic,
    feed,
    index,
    meta,
    page,
    partitions,
    sort_key,
)
from apps.kme.records import DeliveredKey, DeliveredState, ReceivedMark, Sae, SaeState, Usage

LISTED = "all"


class SaeTable(Table[Sae]):
    Meta = meta("saes")
    record_type = Sae
    by_feed = index("feed", "feed")

    sae_id = UnicodeAttribute(hash_key=True)
    principal_id = UnicodeAttribute()
    name = UnicodeAttribute()
    state = EnumAttribute(SaeState)
    created_at = TimeAttribute()
    created_by = UnicodeAttribute()
    fingerprints = WordsAttribute(default=tuple)
    subject = UnicodeAttribute(null=True)
    revoked = WordsAttribute(default=tuple)
    peers = WordsAttribute(default=tuple)
    keys_a_day = NumberAttribute(null=True)
    link = UnicodeAttribute(null=True)
    site = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    changed_at = TimeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Sae) -> dict[str, Any]:
        return {"feed": feed(LISTED, record.sae_id), "sort": sort_key(record.created_at, record.sae_id)}


class DeliveredKeyTable(Table[DeliveredKey]):
    Meta = meta("delivered-keys")
    record_type = DeliveredKey
    outside = frozenset({"ttl"})
    expires = True
    # Those that wait for a slave, by the moment at which they do so no longer: what the sweep ends.
    by_waiting = index("by_waiting", "waiting_feed", order=("expires_at", TimeAttribute))

    key_id = UnicodeAttribute(hash_key=True)
    master = UnicodeAttribute()
    slaves = WordsAttribute()
    size = NumberAttribute()
    pieces = WordsAttribute()
    state = EnumAttribute(DeliveredState)
    issued_at = TimeAttribute()
    expires_at = TimeAttribute()
    collected_by = WordsAttribute(default=tuple)
    ttl = NumberAttribute(null=True)
    waiting_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: DeliveredKey) -> dict[str, Any]:
        waits = record.state is DeliveredState.WAITING
        return {"waiting_feed": feed(LISTED, record.key_id) if waits else None}


class ReceivedMarkTable(Table[ReceivedMark]):
    Meta = meta("received-marks")
    record_type = ReceivedMark

    mark = UnicodeAttribute(hash_key=True)
    link = UnicodeAttribute()
    session_id = UnicodeAttribute()
    received_at = TimeAttribute()


class UsageTable(Table[Usage]):
    """One row for each application and day."""

    Meta = meta("sae-usage")
    record_type = Usage
    expires = True
    undeciding = (
        "Counts what an application asked for in a day; a wrong count gives or keeps keys of its own quota."
    )

    usage_id = UnicodeAttribute(hash_key=True)
    used = NumberAttribute(default=0)
    ttl = NumberAttribute(null=True)


def saes_page(*, limit: int, position: Position | None = None) -> Page[Sae]:
    """Applications, newest first."""
    return page(SaeTable.by_feed, LISTED, limit=limit, position=position)


def saes_of(sae_ids: Sequence[str]) -> list[Sae]:
    """Those of some applications that are registered, read consistently by one call."""
    return [row.record() for row in SaeTable.batch_get(list(sae_ids), consistent_read=True)]


def delivered(key_ids: Sequence[str]) -> list[DeliveredKey]:
    """Those of some delivered keys that there are, read consistently by one call."""
    return [row.record() for row in DeliveredKeyTable.batch_get(list(key_ids), consistent_read=True)]


def waiting_until(moment: datetime) -> Iterator[DeliveredKey]:
    """Keys that wait for a slave, though their time ended before ``moment``."""
    for part in partitions(LISTED):
        rows = DeliveredKeyTable.by_waiting.query(part, DeliveredKeyTable.expires_at < moment)
        for key in authentic(rows):
            # The index is not authenticated, the record is
            if key.state is DeliveredState.WAITING and key.expires_at < moment:
                yield key
