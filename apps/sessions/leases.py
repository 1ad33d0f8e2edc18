"""Leases: which process takes from which block of quantum keys, so that no two meet (decision 27).

A lease is begun by the take that first uses it: that writes an id of this process into the block, on the condition
that the block is as it was read. Each take moves the block's next number on, on the condition that the lease is still
this one. So a take collides with nobody while its lease lasts, and makes no call but its transaction.

Who holds a lease may use it after its end, until another process takes over, which begins at the block's next number:
a number is either in a committed take or still to be given, so that the crash of a process loses none (I3). They only
wait for LEASE_SECONDS.

In a process one thread at a time takes from a block. Where nothing else is free, threads wait for one another.
"""

import threading
import time
import uuid
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from apps.common import clock
from apps.common.authenticated import RecordForged
from apps.sessions import store
from apps.sessions.records import KeyBlock

LEASE_SECONDS = 60  # how long an idle process keeps others from the rest of its blocks
RENEW_SECONDS = 15  # before its end: by then another process's clock may say that it is over
HELD = 256  # leases of a process; more than it can have threads
WAIT_SECONDS = 15.0  # for threads that have the last blocks; API Gateway ends a request at 29

Wanted = Callable[[KeyBlock], bool]


@dataclass(slots=True, eq=False)
class Lease:
    """A block that this process holds, or is about to."""

    block: KeyBlock
    lease_id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    busy: bool = True
    sure: bool = True  # no take has failed, which may have been committed all the same
    beside: store.WithKey | None = None  # what was read with the block, until it is used

    def end_to_set(self) -> datetime | None:
        """When the lease ends, if the next take has to begin or renew it."""
        moment = clock.now()
        is_begun = self.block.lease == self.lease_id
        if is_begun and self.block.until > moment + timedelta(seconds=RENEW_SECONDS):
            return None
        return moment + timedelta(seconds=LEASE_SECONDS)


class Leases:
    """What a process holds. Safe to use from several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: dict[str, Lease | None] = {}  # None while a thread reads the block that it claimed

    def check_out(self, wanted: Wanted) -> Lease | None:
        """Give a lease that no thread uses to this thread alone, until it is settled."""
        with self._changed:
            lease = next(self._idle(wanted), None)
            if lease is not None:
                lease.busy = True
            return lease

    def _idle(self, wanted: Wanted) -> Iterator[Lease]:
        return (
            lease
            for lease in self._held.values()
            if lease is not None and not lease.busy and wanted(lease.block)
        )

    def claim(self, block_id: str) -> bool:
        """Return whether no thread of this process uses or is about to lease a block; it is this thread's then."""
        with self._changed:
            if block_id in self._held:
                return False
            idle = next(self._idle(lambda _: True), None)
            if idle is not None and len(self._held) >= HELD:
                del self._held[idle.block.block_id]
            self._held[block_id] = None
            return True

    def keep(self, block: KeyBlock, beside: store.WithKey | None = None) -> Lease:
        """Make the lease of a block that was claimed; ``beside`` is what was read with it."""
        lease = Lease(block, beside=beside)
        with self._changed:
            self._held[block.block_id] = lease
        return lease

    def drop(self, block_id: str) -> None:
        """Forget a block: it is used up, closed or another's."""
        with self._changed:
            self._held.pop(block_id, None)
            self._changed.notify_all()

    def settle(
        self, block: KeyBlock, lease_id: str, *, until: datetime | None, taken: bool, count: int = 1
    ) -> None:
        """End a thread's use of a lease: its next numbers were taken, or it is not sure whether they were."""
        with self._changed:
            lease = self._held.get(block.block_id)
            if lease is None or lease.lease_id != lease_id:
                return
            if taken:
                lease.block = replace(
                    block, lease=lease_id, next=block.next + count, until=until or block.until, ttl=None
                )
            lease.sure = taken
            lease.busy = False
            if lease.block.is_used_up:
                del self._held[block.block_id]
            self._changed.notify_all()

    def put_back(self, block: KeyBlock, lease_id: str) -> None:
        """End a thread's use of a lease from which it did not try to take anything."""
        with self._changed:
            lease = self._held.get(block.block_id)
            if lease is not None and lease.lease_id == lease_id:
                lease.busy = False
                self._changed.notify_all()

    def wait(self, wanted: Wanted, *, until: float) -> bool:
        """Wait until a thread is done with a block that would do; return whether there may be one now.

        Args:
            wanted: which blocks would do.
            until: monotonic seconds.
        """
        with self._changed:
            if next(self._idle(wanted), None) is not None:
                return True
            if not any(lease is None or wanted(lease.block) for lease in self._held.values()):
                return False
            return self._changed.wait(max(0.0, until - time.monotonic()))

    def are_used_but(self, block_ids: Container[str]) -> bool:
        """Return whether a thread uses, or is about to use, another block than these."""
        with self._changed:
            others = [lease for block_id, lease in self._held.items() if block_id not in block_ids]
            return any(lease is None or lease.busy for lease in others)

    def ids(self) -> frozenset[str]:
        """The blocks that this process holds, or is about to."""
        with self._changed:
            return frozenset(self._held)

    def left(self, wanted: Wanted) -> int:
        """Keys that are left in the blocks that this process holds."""
        with self._changed:
            held = [lease.block for lease in self._held.values() if lease is not None]
        return sum(int(block.end - block.next) for block in held if wanted(block))

    def clear(self) -> None:
        """Forget everything, as a process that starts."""
        with self._changed:
            self._held.clear()


_leases = Leases()


def known() -> Leases:
    """Return what this process holds."""
    return _leases


def refresh(lease: Lease) -> bool:
    """Read a block again whose last take failed; return whether it is still held, and not used up.

    Raises:
        RecordForged: somebody else wrote it.
    """
    if lease.sure:
        return True
    found = store.find_block(lease.block.block_id)
    if found is None or found.lease not in {lease.lease_id, lease.block.lease}:
        return False
    if found.tag != lease.block.tag or found.is_used_up:
        return False
    if store.find_taken(f"{found.session_id}.{found.next}") is not None:
        raise RecordForged(f"The block {found.block_id} was set back; tell the operator.")
    lease.block, lease.sure = found, True
    return True
