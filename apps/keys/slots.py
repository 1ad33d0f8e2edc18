"""Slots of pool keys: where a process demands that a key is still active, and counts its uses (decision 29).

Whoever seals to a key writes, in the transaction of what was sealed, a slot of the key instead of the key's own row,
which all would write. A thread keeps to one slot of a key, so two seldom meet. A slot is opened in a transaction that
demands that the key is active; taking a key out of use closes its slots. Once that is done nothing is sealed to it.
"""

import itertools
import random
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from apps.audit.records import Actor
from apps.audit.services import Conflict, Transaction, transaction
from apps.audit.writing import Otherwise
from apps.common import clock
from apps.common.authenticated import RecordForged
from apps.common.caching import TimedCache
from apps.common.sweeps import each
from apps.keys import store
from apps.keys.records import KeySlot, KeyState, PoolKey, SlotState
from apps.keys.store import KeySlotTable, PoolKeyTable
from apps.keys.trail import PoolKeyEvent

T = TypeVar("T")
SLOTS = 64  # of a key: of 16 processes that seal to 100 keys, two share one in every tenth minute or so
TOGETHER = 8  # slots closed in one transaction: few enough that those in use let it through
ATTEMPTS = 4  # none is opened while the key is out of use, so that the second finds none
COUNTED_TOGETHER = 25  # keys whose uses are written in one transaction
_known = TimedCache[KeySlot](max_items=512, ttl_seconds=300.0)
_first = random.randrange(SLOTS)  # noqa: S311 - spreads processes, no secret
_threads = itertools.count()
_own = threading.local()


def _number() -> int:
    """The slot that this thread uses of every key."""
    if not hasattr(_own, "number"):
        _own.number = (_first + next(_threads)) % SLOTS
    number: int = _own.number
    return number


def count(tx: Transaction, key: PoolKey, *, uses: int, messages: int, changed: Otherwise) -> None:
    """Count uses of an active key in a transaction, which fails where it was taken out of use meanwhile.

    Args:
        tx: in which it is used.
        key: as it was read.
        uses: how many.
        messages: how many of them are messages.
        changed: raised (at commit) where the key is no longer active, and where somebody else wrote the slot.
    """
    number = _number()
    name = f"{key.key_id}/{number}"
    try:
        found = _known.get(name, lambda: store.find_slot(key.key_id, number) or _absent(key, number))
    except RecordForged:  # logged there; another key has other slots, so that this one stops nobody
        raise (changed if isinstance(changed, Exception) else changed()) from None
    table, moment = KeySlotTable, clock.now()
    if found.tag and found.state is SlotState.OPEN:
        actions = [table.uses.add(uses), table.messages.add(messages), table.last_used_at.set(moment)]
        tx.update(table.of(found), actions, otherwise=lambda: _forgotten(name, changed))
        return
    _known.forget(name)
    tx.require(PoolKeyTable.of(key), condition=PoolKeyTable.state == KeyState.ACTIVE, otherwise=changed)
    opened = replace(
        found,
        state=SlotState.OPEN,
        uses=found.uses + uses,
        messages=found.messages + messages,
        last_used_at=moment,
    )
    if found.tag:  # closed: nobody counts there
        tx.replace(table.of(opened), otherwise=changed)
    else:
        tx.put(table.of(opened), otherwise=changed)


def _absent(key: PoolKey, number: int) -> KeySlot:
    return KeySlot(key.key_id, number, SlotState.CLOSED)


def _forgotten(name: str, changed: Otherwise) -> Exception:
    _known.forget(name)
    return changed if isinstance(changed, Exception) else changed()


def close(key_id: str, *, actor: Actor) -> int:
    """Close the slots of a key that is out of use, and write its uses down; return how many were open. Idempotent."""
    closed = 0
    for _ in range(ATTEMPTS):
        opened = [slot for slot in store.slots(key_id) if slot.state is SlotState.OPEN]
        if not opened:
            break
        for group in _groups(opened, TOGETHER):
            with suppress(Conflict), transaction(actor) as tx:  # another closes them just now
                for slot in group:
                    tx.update(KeySlotTable.of(slot), [KeySlotTable.state.set(SlotState.CLOSED)])
                tx.audit(PoolKeyEvent.SLOTS_CLOSED, key_id=key_id, slots=len(group))
        closed += len(opened)
    if closed:
        key = PoolKeyTable.find(key_id)
        _write_down([key] if key else [], actor)
    return closed


def counted(key: PoolKey) -> PoolKey:
    """The key with its uses as its slots count them now: one Query."""
    slots = store.slots(key.key_id)
    last = [slot.last_used_at for slot in slots if slot.last_used_at]
    return replace(
        key,
        usage=max(int(key.usage), sum(int(slot.uses) for slot in slots)),
        messages=max(int(key.messages), sum(int(slot.messages) for slot in slots)),
        last_used_at=max([*last, *([key.last_used_at] if key.last_used_at else [])], default=None),
    )


def write_down(*, actor: Actor) -> int:
    """Write the uses of all active keys into their rows, by which they are picked and rotated; return how many groups."""
    active = list(store.active_before(clock.now()))
    return each(list(_groups(active, COUNTED_TOGETHER)), lambda group: _write_down(group, actor))


def _write_down(keys: Iterable[PoolKey], actor: Actor) -> None:
    table = PoolKeyTable
    changed = [(key, now) for key in keys if (now := counted(key)).usage != key.usage]
    if not changed:
        return
    with transaction(actor) as tx:
        for key, now in changed:
            tx.update(
                table.of(key),
                [
                    table.usage.set(now.usage),
                    table.messages.set(now.messages),
                    table.last_used_at.set(now.last_used_at or clock.now()),
                ],
            )
        only = changed[0][0].key_id if len(changed) == 1 else None  # an entry names one key at most
        tx.audit(PoolKeyEvent.USES_COUNTED, key_id=only, keys=len(changed))


def _groups(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))
