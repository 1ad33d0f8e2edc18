"""Tables of sessions, their final keys, and the quantum keys taken from them. Attribute names are requirement A7's."""

import random
from collections.abc import Container, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.constants import STREAM_NEW_AND_OLD_IMAGE
from pynamodb.indexes import IncludeProjection

from apps.common import clock
from apps.common.authenticated import RecordForged
from apps.common.dynamodb import (
    DocumentAttribute,
    EnumAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    authentic,
    count,
    feed,
    find_together,
    index,
    is_key,
    keys_index,
    meta,
    page,
    partitions,
    sort_key,
    whole,
)
from apps.sessions.records import (
    FREE,
    BlockState,
    FinalKey,
    KeyBlock,
    KeyPurpose,
    ListedBlock,
    QuantumKey,
    QuantumKeyState,
    Session,
    SessionStatus,
    SiteState,
    StockLevel,
    is_platform,
)

LISTED = "all"
STOCK = "stock"
WithKey = tuple[Session | None, FinalKey | None]  # a session and its final key


class SessionTable(Table[Session]):
    Meta = meta("sessions", stream_view_type=STREAM_NEW_AND_OLD_IMAGE)
    record_type = Session
    outside = frozenset({"keys_taken", "ttl"})
    expires = True
    by_feed = keys_index("feed", "feed")
    by_owner = keys_index("by_owner", "owner_feed")
    by_status = keys_index("by_status", "status_feed")
    by_link = keys_index("by_link", "link_feed")

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
    trace = UnicodeAttribute(null=True)
    site = EnumAttribute(SiteState, null=True)
    owner_feed = UnicodeAttribute(null=True)
    status_feed = UnicodeAttribute(null=True)
    link_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Session) -> dict[str, Any]:
        identifier = record.session_id
        return {
            "feed": feed(LISTED, identifier),
            "owner_feed": feed(record.owner, identifier),
            "status_feed": feed(record.status, identifier),
            "link_feed": feed(record.link, identifier),
            "sort": sort_key(record.timestamp, identifier),
        }


class FinalKeyTable(Table[FinalKey]):
    Meta = meta("final-keys")
    record_type = FinalKey
    outside = frozenset({"ttl"})
    expires = True
    # What is still wrapped under a root key.
    by_root_key = keys_index("by_root_key", "root_feed")

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


class KeyBlockTable(Table[KeyBlock]):
    Meta = meta("key-blocks")
    record_type = KeyBlock
    # Who holds it and how far it is used: a row for each key that is taken sees to it that none is taken twice
    outside = frozenset({"until", "lease", "next", "left", "ttl"})
    expires = True
    # Blocks with keys left, the platform's and each owner's apart, those first that were free for longest. A take moves
    # nothing here but where a lease begins, is renewed or ends with the block.
    by_stock = index(
        "by_stock",
        "stock_feed",
        order=("until", TimeAttribute),
        projection=IncludeProjection(["session_id", "link", "left"]),
    )

    block_id = UnicodeAttribute(hash_key=True)
    session_id = UnicodeAttribute()
    first = NumberAttribute()
    size = NumberAttribute()
    stock = UnicodeAttribute()
    link = UnicodeAttribute()
    state = EnumAttribute(BlockState)
    until = TimeAttribute()
    lease = UnicodeAttribute(default=FREE)
    next = NumberAttribute(default=0)
    left = NumberAttribute(default=0)
    ttl = NumberAttribute(null=True)
    stock_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: KeyBlock) -> dict[str, Any]:
        return {"stock_feed": feed(record.stock, record.block_id) if record.is_open else None}


class StockLevelTable(Table[StockLevel]):
    """One row a link. Read by Query, as all that the dashboard asks."""

    Meta = meta("stock-levels")
    record_type = StockLevel
    undeciding = (
        "Says when and how many sessions the platform runs for itself, and nothing of who may use a key."
    )

    link = UnicodeAttribute(hash_key=True)
    measured_at = TimeAttribute(null=True)
    ready = NumberAttribute(default=0)
    per_second = NumberAttribute(default=0.0)
    claimed_until = TimeAttribute(null=True)


class QuantumKeyTable(Table[QuantumKey]):
    Meta = meta("quantum-keys")
    record_type = QuantumKey
    by_session = keys_index("by_session", "session_feed")
    # Reservations only, the oldest first: what the sweep discards.
    by_reserved = keys_index("by_reserved", "reserved_feed")
    # Messages only: what is lost once a pool key opens no more.
    by_sealing = keys_index("by_sealing", "sealed_feed")
    # Messages only, all of them and those that one principal sealed.
    by_message = keys_index("by_message", "message_feed")
    by_sealer = keys_index("by_sealer", "sealer_feed")

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
    message_feed = UnicodeAttribute(null=True)
    sealer_feed = UnicodeAttribute(null=True)
    reserved_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: QuantumKey) -> dict[str, Any]:
        reserved = record.state is QuantumKeyState.RESERVED
        is_message = record.purpose is KeyPurpose.MESSAGE
        return {
            "session_feed": feed(record.session_id, record.key_id),
            "reserved_feed": feed(LISTED, record.key_id) if reserved else None,
            "sealed_feed": feed(record.sealed_by, record.key_id) if record.sealed_by else None,
            "message_feed": feed(LISTED, record.key_id) if is_message else None,
            "sealer_feed": feed(record.taken_by, record.key_id) if is_message else None,
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


def sessions_of(session_ids: Sequence[str]) -> list[Session]:
    """Those of some sessions that there are, read consistently: one call for each hundred."""
    return list(authentic(SessionTable.batch_get(list(session_ids), consistent_read=True)))


def with_final_key(session_id: str) -> WithKey:
    """A session and its final key, read consistently by one call."""
    if not is_key(session_id):
        return None, None
    session, final = find_together((SessionTable, session_id), (FinalKeyTable, session_id))
    return session, final


def stock_of(owner: str) -> str:
    """Name the list of the blocks with quantum keys left that serve an owner; all of the platform's are one."""
    return STOCK if is_platform(owner) else f"{STOCK} of {owner}"


def stock_over(link: str) -> str:
    """Name the list of the blocks whose keys this site may give out of what it shares with another site."""
    return f"{STOCK} over {link}"


def stock_with(session: Session) -> str:
    """Name the list that a session's blocks belong to."""
    return stock_of(session.owner) if session.site is None else stock_over(session.link)


# Twice as long as a lease: what ends later was noted by a clock that has been set back since. Whoever still holds such a
# block loses it, as each take names the lease that it goes by.
BEYOND_SECONDS = 120


def free_blocks(
    stock: str,
    *,
    limit: int,
    but: Container[str] = (),
    held: Container[str] = (),
    link: str | None = None,
    apart: Container[str] = (),
) -> list[ListedBlock]:
    """Blocks of a stock that nobody holds, from one shard: a random one, and another only where that has none.

    Args:
        stock: its name.
        limit: of blocks.
        but: ids of sessions that are passed over.
        held: ids of blocks likewise.
        link: of whose sessions alone.
        apart: links whose sessions are passed over.
    """
    parts = partitions(stock)
    over = KeyBlockTable.until < clock.now()
    beyond = KeyBlockTable.until > clock.ago(-BEYOND_SECONDS)
    for ended in (over, beyond):
        for part in random.sample(parts, len(parts)):
            rows = KeyBlockTable.by_stock.query(part, ended, page_size=limit)
            wanted = (
                row
                for row in rows
                if row.session_id not in but
                and row.block_id not in held
                and link in {None, row.link}
                and row.link not in apart
            )
            found = [_listed(row) for row in islice(wanted, limit)]
            if found:
                return found
    return []


def is_free(block: KeyBlock) -> bool:
    """Return whether nobody holds a block that keys can be taken from."""
    ended = block.until < clock.now() or block.until > clock.ago(-BEYOND_SECONDS)
    return block.is_open and ended


def stocked(stock: str, *, limit: int) -> list[ListedBlock]:
    """Blocks of a stock with keys left, at most ``limit`` of each shard: one Query for each."""
    return [
        _listed(row) for part in partitions(stock) for row in KeyBlockTable.by_stock.query(part, limit=limit)
    ]


def taken_keys(key_ids: Sequence[str]) -> list[QuantumKey]:
    """Those of some quantum keys that were taken, read consistently: one call for each hundred."""
    return list(authentic(QuantumKeyTable.batch_get(key_ids, consistent_read=True)))


def _listed(row: KeyBlockTable) -> ListedBlock:
    return ListedBlock(row.block_id, row.session_id, row.link, int(row.left))


def level(link: str) -> StockLevel:
    """What was last measured of the stock over a link, read consistently."""
    found = list(StockLevelTable.query(link, consistent_read=True))
    return found[0].record() if found else StockLevel(link)


def find_block(block_id: str) -> KeyBlock | None:
    """One block, read consistently."""
    return KeyBlockTable.find(block_id)


def find_block_with_key(block_id: str) -> tuple[KeyBlock | None, WithKey | None]:
    """One block, and by the same call its session and that one's final key: None instead where one of them is forged."""
    session_id = session_of_block(block_id)
    if not is_key(session_id):  # DynamoDB refuses the whole call; whoever reads the block is told what it is
        return find_block(block_id), None
    try:
        block, session, final = find_together(
            (KeyBlockTable, block_id), (SessionTable, session_id), (FinalKeyTable, session_id)
        )
    except RecordForged:  # whoever reads them one by one is told which
        return find_block(block_id), None
    return block, (session, final)


def session_of_block(block_id: str) -> str:
    """The session whose keys a block has, by the block's id."""
    return block_id.rpartition(":")[0]


def find_taken(key_id: str) -> QuantumKey | None:
    """A quantum key that was taken, read consistently."""
    return QuantumKeyTable.find(key_id)


def blocks(block_ids: Sequence[str]) -> list[KeyBlock]:
    """Blocks with these ids, read consistently, in no order.

    Raises:
        RecordForged: one of them is not authentic.
    """
    return [row.record() for row in KeyBlockTable.batch_get(list(block_ids), consistent_read=True)]


def taken_page(session_id: str, *, limit: int, position: Position | None) -> Page[QuantumKey]:
    """Quantum keys taken from a session, newest first."""
    return page(QuantumKeyTable.by_session, session_id, limit=limit, position=position)


def sealed_page(pool_key_id: str, *, limit: int, position: Position | None) -> Page[QuantumKey]:
    """Quantum keys of the messages sealed to a pool key, newest first."""
    return page(QuantumKeyTable.by_sealing, pool_key_id, limit=limit, position=position)


def messages_page(*, limit: int, position: Position | None, sealer: str | None = None) -> Page[QuantumKey]:
    """Quantum keys of all messages, or of those that one principal sealed, newest first."""
    if sealer is not None:
        return page(QuantumKeyTable.by_sealer, sealer, limit=limit, position=position)
    return page(QuantumKeyTable.by_message, LISTED, limit=limit, position=position)


def sealed_count(pool_key_id: str, *, limit: int) -> int:
    """How many messages are sealed to a pool key, counted up to a limit."""
    return count(QuantumKeyTable.by_sealing, pool_key_id, limit=limit)


def pending_before(moment: datetime) -> Iterator[Session]:
    """Sessions that were run before ``moment`` and are not judged yet."""
    older = SessionTable.sort < sort_key(moment, "")
    for part in partitions(SessionStatus.PENDING):
        yield from authentic(whole(SessionTable.by_status, SessionTable.by_status.query(part, older)))


def reserved_before(moment: datetime) -> Iterator[QuantumKey]:
    """Quantum keys reserved before ``moment`` and never used."""
    older = QuantumKeyTable.sort < sort_key(moment, "")
    for part in partitions(LISTED):
        listed = QuantumKeyTable.by_reserved.query(part, older)
        for key in authentic(whole(QuantumKeyTable.by_reserved, listed)):
            if (
                key.state is QuantumKeyState.RESERVED and key.taken_at < moment
            ):  # the index is not authenticated
                yield key
