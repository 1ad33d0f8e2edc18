"""Draw the next quantum key of a block: of one that this process leases, or of one that it can lease.

A quantum key has no row until it is taken (decision 2). Takers lease blocks of them (``leases``).
"""

import logging
import random
import time
from collections.abc import Callable, Container
from collections.abc import Set as AbstractSet

from apps.audit.records import SWEEPER
from apps.common.authenticated import RecordForged
from apps.common.errors import PlatformError
from apps.sessions import blocks, finals, leases, quantum_keys, store, usable
from apps.sessions.leases import Lease
from apps.sessions.records import (
    KeyBlock,
    Offer,
    Session,
    SessionDamaged,
    SessionNotFound,
    SessionStatus,
    SessionUnusable,
)
from apps.sessions.withdrawal import withdraw

log = logging.getLogger(__name__)


def draw(
    wanted: leases.Wanted,
    free: Callable[[Container[str], AbstractSet[str]], list[str]],
    damage: list[PlatformError] | None = None,
    *,
    patient: bool = True,
) -> Offer | None:
    """The next number of a block that this process holds, or of one that it can lease; None where there is none.

    Sessions that are damaged or forged are passed over, so that one of them does not stop everyone.
    """
    held = leases.known()
    until = time.monotonic() + (leases.WAIT_SECONDS if patient else 0.0)
    passed: set[str] = set()
    tried: set[str] = set()
    while True:
        lease = held.check_out(wanted)
        if lease is None:
            listed = free(passed, tried)
            lease = _lease_one(held, wanted, listed, tried)
            # Those beside a leased one were not tried: they are what is left where its session proves damaged
            tried.update(listed if lease is None else [lease.block.block_id])
            if lease is None and (listed or held.wait(wanted, until=until)):
                continue  # other threads were faster with those: there may be more
        if lease is None:
            return None
        try:
            if leases.refresh(lease):
                return _offer(lease)
        except (SessionNotFound, SessionUnusable, RecordForged) as error:
            log.warning("session %s is passed over: %s", lease.block.session_id, error.detail)
            passed.add(lease.block.session_id)
            if damage is not None:
                damage.append(error)
            elif isinstance(error, SessionDamaged):
                held.drop(lease.block.block_id)
                withdraw(lease.block.session_id)
        except BaseException:
            held.drop(lease.block.block_id)
            raise
        held.drop(lease.block.block_id)


def _lease_one(
    held: leases.Leases, wanted: leases.Wanted, block_ids: list[str], tried: set[str]
) -> Lease | None:
    """Claim one of some blocks, at random, so that processes seldom choose the same one.

    One that is forged joins those that were tried. It says nothing of the session that its name tells: that is whose
    keys somebody wants to be passed over.
    """
    for block_id in random.sample(block_ids, len(block_ids)):
        if not held.claim(block_id):
            continue
        lease: Lease | None = None
        try:
            block, beside = _find(block_id)
            # The index is not authenticated, the record is: what was moved into another's stock is not given to them
            if block is not None and store.is_free(block) and wanted(block):
                lease = held.keep(block, beside)
        except RecordForged:  # logged there
            tried.add(block_id)
        finally:
            if lease is None:
                held.drop(block_id)
        if lease is not None:
            return lease
    return None


def _find(block_id: str) -> tuple[KeyBlock | None, store.WithKey | None]:
    """Read a block, and by the same call the final key that its keys are cut from, where that is not in memory."""
    if finals.is_kept(store.session_of_block(block_id)):
        return store.find_block(block_id), None
    return store.find_block_with_key(block_id)


def _offer(lease: Lease) -> Offer:
    block = lease.block
    beside, lease.beside = lease.beside, None  # as new as the lease, and no newer
    opened = finals.opened(block.session_id, beside)
    session = opened.session
    if not session.gives_keys or store.stock_with(session) != block.stock:
        _close_left_open(session)
        raise SessionUnusable(
            f"Session {session.session_id} is {usable.what(session)}, of {session.owner}: not of this stock."
        )
    return Offer(
        block=block,
        lease=lease.lease_id,
        until=lease.end_to_set(),
        keeps=session.ttl is not None and block.lease != lease.lease_id,
        session_tag=session.tag,
        final_tag=opened.final_tag,
        key=quantum_keys.cut(opened.key, block.session_id, int(block.next)),
    )


def _close_left_open(session: Session) -> None:
    """Finish what an interrupted revocation left, for whoever comes by a block of it."""
    if session.status is SessionStatus.REVOKED:
        blocks.close_all(session, actor=SWEEPER)
