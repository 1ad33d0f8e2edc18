"""Blocks of quantum keys: how a ready session's final key is dealt out, and how it is closed when that is revoked.

A block is what a process leases (``leases``). A session has at most BLOCKS of them, however long its key is: they are
made with its verdict in one transaction, and read by one call.
"""

from collections.abc import Iterable
from dataclasses import replace

from apps.audit.records import Actor
from apps.audit.services import Transaction, transaction
from apps.common import clock
from apps.sessions import store
from apps.sessions.records import BlockState, KeyBlock, Session, SessionUnusable
from apps.sessions.store import KeyBlockTable
from apps.sessions.trail import QuantumKeyEvent

BLOCKS = 64  # of a session: with detection, session, entry and head they fit in one transaction of 100
FEW = 16  # blocks of a session whose key is short: so many processes can take from it at once
SMALL = 8  # keys of a block at most, where a session has fewer than 512


def size_of(keys_total: int) -> int:
    """How many keys each block of a session has, but for the last one.

    >>> [size_of(keys) for keys in (1, 16, 64, 1024, 4096)]
    [1, 1, 4, 16, 64]
    """
    return max(-(-keys_total // BLOCKS), min(SMALL, -(-keys_total // FEW)))


def id_of(session_id: str, first: int) -> str:
    """The id of the block that begins with a number."""
    return f"{session_id}:{first}"


def ids_of(session: Session) -> list[str]:
    """The ids of a session's blocks, which it has once it is ready."""
    return [
        id_of(session.session_id, first)
        for first in range(0, int(session.keys_total), size_of(int(session.keys_total)) or 1)
    ]


def add(tx: Transaction, session: Session) -> None:
    """Put a session's keys into the stock of its owner, in the transaction that makes it ready."""
    total, moment = int(session.keys_total), clock.now()
    size = size_of(total) if total else 1
    for first in range(0, total, size):
        length = min(size, total - first)
        tx.put(
            KeyBlockTable.of(
                KeyBlock(
                    block_id=id_of(session.session_id, first),
                    session_id=session.session_id,
                    first=first,
                    size=length,
                    stock=store.stock_with(session),
                    link=session.link,
                    state=BlockState.OPEN,
                    until=moment,
                    next=first,
                    left=length,
                    ttl=session.ttl,
                )
            )
        )


def of_session(session: Session) -> list[KeyBlock]:
    """A session's blocks in order, read consistently by one call; none while it is not judged."""
    found = store.blocks(ids_of(session)) if session.keys_total else []
    return sorted(found, key=lambda block: block.first)


def count_taken(blocks: Iterable[KeyBlock]) -> int:
    """How many keys of these blocks were taken."""
    return sum(int(block.next - block.first) for block in blocks)


def counted(session: Session) -> Session:
    """The session with the number of its keys that are taken now, whose row has those of used-up blocks only."""
    return replace(session, keys_taken=count_taken(of_session(session)))


def close(tx: Transaction, block: KeyBlock, *, untouched: bool = False) -> None:
    """Take what is left of a block out of use, and what is reserved of it, in a transaction.

    Args:
        tx: in which that happens.
        block: as it was read.
        untouched: nobody has leased it, which has to be so still.
    """
    tx.update(
        KeyBlockTable.of(block),
        [KeyBlockTable.state.set(BlockState.CLOSED), KeyBlockTable.stock_feed.remove()],
        condition=(KeyBlockTable.lease == block.lease) & (KeyBlockTable.next == block.next)
        if untouched
        else None,
    )


def close_all(session: Session, *, actor: Actor) -> list[KeyBlock]:
    """Close every open block of a session that is no longer ready; return them all. Idempotent.

    Those that nobody holds in one transaction; each of the others in its own, as it may be taken from at the moment.
    """
    found = of_session(session)
    left = [block for block in found if block.state is BlockState.OPEN]
    held = [block for block in left if block.until > clock.now()]
    for group in ([block for block in left if block not in held], *([block] for block in held)):
        if group:
            with transaction(actor) as tx:
                for block in group:
                    close(tx, block)
                tx.audit(QuantumKeyEvent.CLOSED, session_id=session.session_id, blocks=len(group))
    return of_session(session) if left else found


def require_open(tx: Transaction, block: KeyBlock) -> None:
    """Demand in a transaction that a block was not closed: its tag changes with nothing else.

    Raises (at commit):
        SessionUnusable: its session was revoked.
    """
    tx.require(
        KeyBlockTable(block_id=block.block_id, tag=block.tag), otherwise=no_longer_ready(block.session_id)
    )


def no_longer_ready(session_id: str) -> SessionUnusable:
    """The refusal of a key whose session was ready when it was read."""
    return SessionUnusable(f"Session {session_id} is no longer ready.")
