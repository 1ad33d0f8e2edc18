"""Tables of sessions, their final keys, and the quantum keys taken from them. Attribute names are requirement A7's."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.constants import STREAM_NEW_AND_OLD_IMAGE
from pynamodb.indexes import IncludeProjection, KeysOnlyProjection

from apps.common.dynamodb import (
    DocumentAttribute,
    EnumAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    authentic,
    feed,
    find_together,
    index,
    is_key,
    meta,
    page,
    partitions,
    sort_key,
)
from apps.sessions.records import (
    FinalKey,
    KeyPurpose,
    QuantumKey,
    QuantumKeyState,
    Session,
    SessionStatus,
    StockedSession,
    is_platform,
)

LISTED = "all"
STOCK = "stock"


class SessionTable(Table[Session]):
    Meta = meta("sessions", stream_view_type=STREAM_NEW_AND_OLD_IMAGE)
    record_type = Session
    outside = frozenset({"keys_taken", "used_up", "ttl"})
    expires = True
    by_feed = index("feed", "feed")
    by_owner = index("by_owner", "owner_feed")
    by_status = index("by_status", "status_feed")
    by_link = index("by_link", "link_feed")
    # Ready sessions with keys left, the platform's and each owner's apart, the oldest first; a row leaves the index
    # with its last key.
    # Every key that is taken writes its entry again, so it holds only what a taker reads.
    by_stock = index(
        "by_stock", "stock_feed", projection=IncludeProjection(["keysTotal", "keysTaken", "link"])
    )

    session_id = UnicodeAttribute(hash_key=True)
    timestamp = TimeAttribute()
    status = EnumAttribute(SessionStatus)
    owner = UnicodeAttribute()
    link = UnicodeAttribute()
    key_length = NumberAttribute(attr_name="keyLength")
    parameters = DocumentAttribute()
    expected_qber = NumberAttribute(attr_name="expectedQBER")
    estimated_qber = NumberAttribute(attr_name="estimatedQBER")
    qber_low = NumberAttribute(attr_name="qberLow")
    qber_high = NumberAttribute(attr_name="qberHigh")
    counts = DocumentAttribute()
    ledger = DocumentAttribute()
    sifted_key_length = NumberAttribute(attr_name="siftedKeyLength")
    corrected_key_length = NumberAttribute(attr_name="correctedKeyLength")
    final_key_length = NumberAttribute(attr_name="finalKeyLength")
    secret = BooleanAttribute()
    reason_code = UnicodeAttribute(attr_name="reasonCode", null=True)
    reason = UnicodeAttribute(null=True)
    duration_ms = NumberAttribute(attr_name="durationMs")
    ttl = NumberAttribute(null=True)
    keys_total = NumberAttribute(attr_name="keysTotal", default=0)
    keys_taken = NumberAttribute(attr_name="keysTaken", default=0)
    judged_at = TimeAttribute(attr_name="judgedAt", null=True)
    used_up = BooleanAttribute(attr_name="usedUp", default=False)
    owner_feed = UnicodeAttribute(null=True)
    status_feed = UnicodeAttribute(null=True)
    link_feed = UnicodeAttribute(null=True)
    stock_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Session) -> dict[str, Any]:
        stocked = record.gives_keys and record.keys_total and not record.used_up
        identifier = record.session_id
        return {
            "feed": feed(LISTED, identifier),
            "owner_feed": feed(record.owner, identifier),
            "status_feed": feed(record.status, identifier),
            "link_feed": feed(record.link, identifier),
            "stock_feed": feed(stock_of(record.owner), identifier) if stocked else None,
            "sort": sort_key(record.timestamp, identifier),
        }


class FinalKeyTable(Table[FinalKey]):
    Meta = meta("final-keys")
    record_type = FinalKey
    outside = frozenset({"ttl"})
    expires = True
    # What is still wrapped under a root key.
    by_root_key = index("by_root_key", "root_feed", projection=KeysOnlyProjection())

    session_id = UnicodeAttribute(hash_key=True)
    timestamp = TimeAttribute()
    final_key_length = NumberAttribute(attr_name="finalKeyLength")
    root_key_id = UnicodeAttribute(attr_name="rootKeyId")
    encrypted_final_key = UnicodeAttribute(attr_name="encryptedFinalKey")
    recovery_seal = BinaryAttribute(attr_name="recoverySeal", legacy_encoding=False, null=True)
    commitment = UnicodeAttribute(default="")
    ttl = NumberAttribute(null=True)
    root_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: FinalKey) -> dict[str, Any]:
        return {
            "root_feed": feed(record.root_key_id, record.session_id),
            "sort": sort_key(record.timestamp, record.session_id),
        }


class QuantumKeyTable(Table[QuantumKey]):
    Meta = meta("quantum-keys")
    record_type = QuantumKey
    by_session = index("by_session", "session_feed")
    # Reservations only, the oldest first: what the sweep discards.
    by_reserved = index("by_reserved", "reserved_feed")
    # Messages only: what is lost once a pool key opens no more.
    by_sealing = index("by_sealing", "sealed_feed")

    key_id = UnicodeAttribute(hash_key=True)
    session_id = UnicodeAttribute()
    number = NumberAttribute()
    state = EnumAttribute(QuantumKeyState)
    purpose = EnumAttribute(KeyPurpose)
    subject = UnicodeAttribute()
    taken_by = UnicodeAttribute()
    taken_at = TimeAttribute()
    sealed_by = UnicodeAttribute(null=True)
    session_feed = UnicodeAttribute(null=True)
    sealed_feed = UnicodeAttribute(null=True)
    reserved_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: QuantumKey) -> dict[str, Any]:
        reserved = record.state is QuantumKeyState.RESERVED
        return {
            "session_feed": feed(record.session_id, record.key_id),
            "reserved_feed": feed(LISTED, record.key_id) if reserved else None,
            "sealed_feed": feed(record.sealed_by, record.key_id) if record.sealed_by else None,
            "sort": sort_key(record.taken_at, record.key_id),
        }


def sessions_page(
    *,
    limit: int,
    position: Position | None = None,
    owner: str | None = None,
    link: str | None = None,
    status: SessionStatus | None = None,
) -> Page[Session]:
    """Sessions newest first: all, or of one owner, link or status."""
    if owner is not None:
        return page(SessionTable.by_owner, owner, limit=limit, position=position)
    if link is not None:
        return page(SessionTable.by_link, link, limit=limit, position=position)
    if status is not None:
        return page(SessionTable.by_status, status, limit=limit, position=position)
    return page(SessionTable.by_feed, LISTED, limit=limit, position=position)


def with_final_key(session_id: str) -> tuple[Session | None, FinalKey | None]:
    """A session and its final key, read consistently by one call."""
    if not is_key(session_id):
        return None, None
    session, final = find_together((SessionTable, session_id), (FinalKeyTable, session_id))
    return session, final


def stock_of(owner: str) -> str:
    """Name the list of the sessions with quantum keys left that serve an owner; all of the platform's are one."""
    return STOCK if is_platform(owner) else f"{STOCK} of {owner}"


def stocked(limit: int, *, owner: str | None = None) -> list[StockedSession]:
    """Sessions with quantum keys left, an owner's or the platform's: one Query for each shard.

    At most ``limit`` of each shard, the oldest first.
    """
    name = STOCK if owner is None else stock_of(owner)
    return [
        StockedSession(row.session_id, row.link, int(row.keys_taken), int(row.keys_total))
        for part in partitions(name)
        for row in SessionTable.by_stock.query(part, limit=limit)
    ]


def taken_page(session_id: str, *, limit: int, position: Position | None) -> Page[QuantumKey]:
    """Quantum keys taken from a session, newest first."""
    return page(QuantumKeyTable.by_session, session_id, limit=limit, position=position)


def sealed_page(pool_key_id: str, *, limit: int, position: Position | None) -> Page[QuantumKey]:
    """Quantum keys of the messages sealed to a pool key, newest first."""
    return page(QuantumKeyTable.by_sealing, pool_key_id, limit=limit, position=position)


def sealed_count(pool_key_id: str) -> int:
    """How many messages are sealed to a pool key."""
    return sum(QuantumKeyTable.by_sealing.count(part) for part in partitions(pool_key_id))


def pending_before(moment: datetime) -> Iterator[Session]:
    """Sessions that were run before ``moment`` and are not judged yet."""
    older = SessionTable.sort < sort_key(moment, "")
    for part in partitions(SessionStatus.PENDING):
        yield from authentic(SessionTable.by_status.query(part, older))


def reserved_before(moment: datetime) -> Iterator[QuantumKey]:
    """Quantum keys reserved before ``moment`` and never used."""
    older = QuantumKeyTable.sort < sort_key(moment, "")
    for part in partitions(LISTED):
        for key in authentic(QuantumKeyTable.by_reserved.query(part, older)):
            if (
                key.state is QuantumKeyState.RESERVED and key.taken_at < moment
            ):  # the index is not authenticated
                yield key
