"""The tables of pool keys, their pools and their rotations."""

import random
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, NumberAttribute, UnicodeAttribute

from apps.common.authenticated import RecordForged
from apps.common.dynamodb import (
    DocumentAttribute,
    EnumAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    WordsAttribute,
    authentic,
    feed,
    index,
    keys_index,
    meta,
    page,
    partitions,
    sort_key,
    whole,
)
from apps.keys.pool_records import DEFAULT_POOL, Pool, PoolAlias
from apps.keys.records import Canary, KeySlot, KeyState, PoolKey, Rotation, RotationStatus, SlotState
from qkdseal.kem import Suite

LISTED = "all"


def in_use(pool: str, suite: Suite) -> str:
    """The list of active keys of a pool and suite."""
    return f"active|{pool}|{suite}"


def usage_feed(key: PoolKey) -> str:
    """The feed in which an active key is listed to be picked."""
    return feed(in_use(key.pool, key.suite), key.key_id)


class PoolKeyTable(Table[PoolKey]):
    Meta = meta("pool-keys")
    record_type = PoolKey
    outside = frozenset({"usage", "last_used_at", "messages"})
    by_feed = keys_index("feed", "feed")
    by_state = keys_index("by_state", "state_feed")
    # Active keys of one pool and suite, the least used first; whole, as a process that starts picks from it.
    by_usage = index("by_usage", "usage_feed", order=("usage", NumberAttribute))
    # Keys that await their destruction, the first due first.
    by_destruction = index("by_destruction", "destruction_feed", order=("destroy_after", TimeAttribute))
    # What is still wrapped under a root key.
    by_root_key = keys_index("by_root_key", "root_feed")

    key_id = UnicodeAttribute(hash_key=True)
    suite = EnumAttribute(Suite)
    state = EnumAttribute(KeyState)
    public_key = BinaryAttribute(legacy_encoding=False)
    wrapped_seed = BinaryAttribute(legacy_encoding=False, null=True)
    root_key_id = UnicodeAttribute()
    created_at = TimeAttribute()
    usage = NumberAttribute(default=0)
    last_used_at = TimeAttribute(null=True)
    changed_at = TimeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    version = NumberAttribute(default=1)
    messages = NumberAttribute(default=0)
    imported = BooleanAttribute(default=False)
    destroy_after = TimeAttribute(null=True)
    recovery_seal = BinaryAttribute(legacy_encoding=False, null=True)
    commitment = UnicodeAttribute(default="")
    pool = UnicodeAttribute(default=DEFAULT_POOL)
    state_feed = UnicodeAttribute(null=True)
    usage_feed = UnicodeAttribute(null=True)
    destruction_feed = UnicodeAttribute(null=True)
    root_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: PoolKey) -> dict[str, Any]:
        active = record.state is KeyState.ACTIVE
        return {
            "feed": feed(LISTED, record.key_id),
            "state_feed": feed(record.state, record.key_id),
            "usage_feed": usage_feed(record) if active else None,
            "destruction_feed": feed(LISTED, record.key_id) if record.destroy_after else None,
            "root_feed": feed(record.root_key_id, record.key_id) if record.wrapped_seed else None,
            "sort": sort_key(record.created_at, record.key_id),
        }


class KeySlotTable(Table[KeySlot]):
    """Slots of pool keys: those of one key by one Query, each in use by one thread of one process, as a rule."""

    Meta = meta("pool-key-slots")
    record_type = KeySlot
    outside = frozenset({"uses", "messages", "last_used_at"})

    key_id = UnicodeAttribute(hash_key=True)
    number = NumberAttribute(range_key=True)
    state = EnumAttribute(SlotState)
    uses = NumberAttribute(default=0)
    messages = NumberAttribute(default=0)
    last_used_at = TimeAttribute(null=True)


class RotationTable(Table[Rotation]):
    Meta = meta("rotations")
    record_type = Rotation
    by_feed = index("feed", "feed")
    # Those that are not done yet.
    by_open = index("by_open", "open_feed")

    rotation_id = UnicodeAttribute(hash_key=True)
    old_key_id = UnicodeAttribute()
    new_key_id = UnicodeAttribute(null=True)
    status = EnumAttribute(RotationStatus)
    reason = UnicodeAttribute()
    started_at = TimeAttribute()
    started_by = UnicodeAttribute()
    changed_at = TimeAttribute(null=True)
    ended_at = TimeAttribute(null=True)
    job_id = UnicodeAttribute(null=True)
    open_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Rotation) -> dict[str, Any]:
        is_open = record.status is RotationStatus.OPEN
        return {
            "feed": feed(LISTED, record.rotation_id),
            "open_feed": feed(LISTED, record.rotation_id) if is_open else None,
            "sort": sort_key(record.started_at, record.rotation_id),
        }


class PoolTable(Table[Pool | PoolAlias]):
    """Pools and their aliases: one partition, so that a name is given once, and one Query reads all."""

    Meta = meta("pools")
    record_type = Pool

    place = UnicodeAttribute(hash_key=True, default=LISTED)
    name = UnicodeAttribute(range_key=True)
    created_at = TimeAttribute()
    created_by = UnicodeAttribute()
    changed_at = TimeAttribute(null=True)
    about = UnicodeAttribute(null=True)
    purposes = WordsAttribute(null=True)
    suite = EnumAttribute(Suite, null=True)
    target = NumberAttribute(null=True)
    low_water = NumberAttribute(null=True)
    rotation_days = NumberAttribute(null=True)
    max_uses = NumberAttribute(null=True)
    current = NumberAttribute(null=True)
    minimum = NumberAttribute(null=True)
    users = WordsAttribute(null=True)
    managers = WordsAttribute(null=True)
    serves = WordsAttribute(null=True)
    accepts_imports = BooleanAttribute(null=True)
    labels = DocumentAttribute(null=True)
    alias_of = UnicodeAttribute(null=True)

    def record_class(self) -> type[Any]:
        return PoolAlias if self.alias_of else Pool

    @classmethod
    def index_keys(cls, record: Pool | PoolAlias) -> dict[str, Any]:  # noqa: ARG003 - all are in one place
        return {"place": LISTED}


class CanaryTable(Table[Canary]):
    """A known text under each root key in use: one partition, so that one Query reads all."""

    Meta = meta("canaries")
    record_type = Canary
    undeciding = (
        "Opens under the root key or does not: who cannot use that key can only make the platform refuse."
    )

    place = UnicodeAttribute(hash_key=True, default=LISTED)
    root_key_id = UnicodeAttribute(range_key=True)
    wrapped = BinaryAttribute(legacy_encoding=False)
    created_at = TimeAttribute()

    @classmethod
    def index_keys(cls, record: Canary) -> dict[str, Any]:  # noqa: ARG003 - all are in one place
        return {"place": LISTED}


def canaries() -> list[Canary]:
    """Every canary, read consistently."""
    return [row.record() for row in CanaryTable.query(LISTED, consistent_read=True)]


def any_under(root_key_ids: Iterable[str]) -> bool:
    """Return whether any pool key is wrapped under one of these root keys."""
    return any(
        True
        for name in root_key_ids
        for part in partitions(name)
        for _ in PoolKeyTable.by_root_key.query(part, limit=1)
    )


def named() -> list[Pool | PoolAlias]:
    """Every pool and alias, by name, read consistently."""
    return [row.record() for row in PoolTable.query(LISTED, consistent_read=True)]


def has_keys() -> bool:
    """Return whether there is any pool key."""
    return any(page(PoolKeyTable.by_feed, LISTED, limit=1).records)


def keys_of(pool: str) -> Iterator[PoolKey]:
    """Every key of a pool, in whatever state."""
    for part in partitions(LISTED):
        for row in whole(PoolKeyTable.by_feed, PoolKeyTable.by_feed.query(part)):
            if row.pool == pool:
                yield row.record()


def keys_page(*, limit: int, position: Position | None, state: KeyState | None) -> Page[PoolKey]:
    """All keys, or those in one state, newest first."""
    if state is None:
        return page(PoolKeyTable.by_feed, LISTED, limit=limit, position=position)
    return page(PoolKeyTable.by_state, state, limit=limit, position=position)


def least_used(limit: int, pool: str, suite: Suite) -> list[PoolKey]:
    """Active keys with the fewest uses, as last counted, of one shard: a random one, and another only where it has none.

    Raises:
        RecordForged: there are rows, and none is authentic.
    """
    parts = partitions(in_use(pool, suite))
    for part in random.sample(parts, len(parts)):
        rows = PoolKeyTable.by_usage.query(part, page_size=limit)
        if found := list(islice(_active(rows, pool, suite), limit)):
            return found
    return []


def _active(rows: Iterable[PoolKeyTable], pool: str, suite: Suite) -> Iterator[PoolKey]:
    """Rows that are what their list says: an index key alone puts no key to use, and one forged row stops nobody."""
    forged: RecordForged | None = None
    sound = 0
    for row in rows:
        try:
            key = row.record()
        except RecordForged as error:
            forged = error
            continue
        sound += 1
        if (key.state, key.pool, key.suite) == (KeyState.ACTIVE, pool, suite):
            yield key
    if forged is not None and not sound:
        raise forged


def count(state: KeyState) -> int:
    """How many keys are in a state."""
    return sum(PoolKeyTable.by_state.count(part) for part in partitions(state))


def active_count(pool: str, suite: Suite) -> int:
    """How many keys can be picked."""
    return sum(PoolKeyTable.by_usage.count(part) for part in partitions(in_use(pool, suite)))


def active_before(moment: datetime) -> Iterator[PoolKey]:
    """Active keys made before a moment."""
    older = PoolKeyTable.sort < sort_key(moment, "")
    for part in partitions(KeyState.ACTIVE):
        for row in whole(PoolKeyTable.by_state, PoolKeyTable.by_state.query(part, older)):
            key = row.record()
            if key.state is KeyState.ACTIVE:
                yield key


def used_at_least(uses: int, pool: str, suite: Suite) -> Iterator[PoolKey]:
    """Active keys with that many uses or more."""
    for part in partitions(in_use(pool, suite)):
        yield from _active(PoolKeyTable.by_usage.query(part, PoolKeyTable.usage >= uses), pool, suite)


def due_for_destruction(moment: datetime) -> Iterator[PoolKey]:
    """Keys whose waiting window ended before a moment."""
    for part in partitions(LISTED):
        yield from authentic(PoolKeyTable.by_destruction.query(part, PoolKeyTable.destroy_after < moment))


def find_slot(key_id: str, number: int) -> KeySlot | None:
    """One slot of a key, read consistently."""
    return KeySlotTable.find(key_id, number)


def slots(key_id: str) -> list[KeySlot]:
    """Every slot of a key that was ever used, read consistently; what somebody else wrote opens for nobody."""
    return list(authentic(KeySlotTable.query(key_id, consistent_read=True)))


def rotations_page(*, limit: int, position: Position | None) -> Page[Rotation]:
    """All rotations, newest first."""
    return page(RotationTable.by_feed, LISTED, limit=limit, position=position)


def open_rotations() -> Iterator[Rotation]:
    """Rotations that are not done, the oldest first."""
    for part in partitions(LISTED):
        yield from authentic(RotationTable.by_open.query(part))
