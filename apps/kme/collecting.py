"""Keys that wait: collected by the slaves that they were asked for, once by each; ended when their time is over."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from django.conf import settings
from pynamodb.expressions.update import Action

from apps.audit.records import SWEEPER, Actor, Outcome
from apps.audit.services import record, transaction
from apps.common import clock
from apps.common.errors import Unavailable
from apps.common.sweeps import each
from apps.kme import limits, saes, store
from apps.kme.records import DeliveredKey, DeliveredState, GivenKey, KeyNotFound, NotAuthorised, Sae
from apps.kme.store import DeliveredKeyTable
from apps.kme.trail import DeliveryEvent
from apps.sessions import quantum_keys, usable
from apps.sessions.records import SessionNotFound, SessionUnusable

NOT_FOUND = "one or more keys specified are not found on KME"  # the standard's words
ATTEMPTS = 8  # of slaves that collect one key at the same moment
KEPT_SECONDS = 30 * 86_400  # that the row of a key stays once it waits for nobody


class _Overtaken(Exception):
    """Another slave collected one of the keys at the same moment."""


def collect(slave: Sae, master: str, key_ids: Sequence[str], *, actor: Actor) -> list[GivenKey]:
    """Give a slave the keys that a master asked for, by their ids: all of them, or none.

    Raises:
        Invalid: no ids, too many, or the same twice.
        NotAuthorised: the master asked for one of them for others.
        KeyNotFound: one of them does not exist, was collected, has expired, or must not be used any more.
    """
    if not 1 <= len(key_ids) <= settings.KME_MAX_KEYS_PER_REQUEST:
        allowed = f"from 1 to {settings.KME_MAX_KEYS_PER_REQUEST}"
        raise limits.refused("key_IDs", f"the number of key_IDs shall be {allowed}")
    wanted = [canonical(key_id) for key_id in key_ids]
    if len(set(wanted)) < len(wanted):
        raise limits.refused("key_IDs", "a key_ID is given more than once")
    for _ in range(ATTEMPTS):
        found = {key.key_id: key for key in store.delivered(wanted)}
        keys = [found[key_id] for key_id in wanted if key_id in found]
        _check(slave, master, keys, len(wanted), actor)
        try:
            return _collected(slave, keys, actor)
        except _Overtaken:
            continue
        except (SessionNotFound, SessionUnusable) as error:
            raise KeyNotFound(NOT_FOUND) from error
    raise Unavailable("Others collect the same keys. Try again in a moment.")


def canonical(key_id: str) -> str:
    """An id as it was given; nobody has one that is no UUID.

    Raises:
        KeyNotFound: it is none.
    """
    try:
        return str(uuid.UUID(key_id))
    except ValueError:
        raise KeyNotFound(NOT_FOUND) from None


def _check(slave: Sae, master: str, keys: Sequence[DeliveredKey], wanted: int, actor: Actor) -> None:
    if any(key.master == master and slave.sae_id not in key.slaves for key in keys):
        record(
            actor,
            DeliveryEvent.REFUSED,
            outcome=Outcome.DENIED,
            sae=slave.sae_id,
            keys=[k.key_id for k in keys],
        )
        raise NotAuthorised("The keys were not asked for this SAE.")
    moment = clock.now()
    if len(keys) < wanted or not all(key.awaits(slave.sae_id, master=master, moment=moment) for key in keys):
        raise KeyNotFound(NOT_FOUND)
    asked_by = saes.find_all([master]).get(master)
    if asked_by is None or not asked_by.is_active:  # who stole its certificate knows these keys
        raise KeyNotFound(NOT_FOUND)


def _collected(slave: Sae, keys: Sequence[DeliveredKey], actor: Actor) -> list[GivenKey]:
    # Opened before the entry is written, so that keys that cannot be opened now stay to be collected; answered after
    given = [GivenKey(key.key_id, _opened(key)) for key in keys]
    with transaction(actor) as tx:
        usable.require_ready(tx, {session for key in keys for session in key.sessions})
        for key in keys:
            tx.update(DeliveredKeyTable.of(key), _collection(key, slave), otherwise=_Overtaken())
        tx.audit(
            DeliveryEvent.COLLECTED,
            key_id=keys[0].key_id,
            sae=slave.sae_id,
            master=keys[0].master,
            keys=[key.key_id for key in keys],
        )
    return given


def _opened(key: DeliveredKey) -> bytes:
    bits = b"".join(quantum_keys.taken_key(piece) for piece in key.pieces)
    return bits[: int(key.size) // 8]


def _collection(key: DeliveredKey, slave: Sae) -> list[Action]:
    by = (*key.collected_by, slave.sae_id)
    actions: list[Action] = [DeliveredKeyTable.collected_by.set(by)]
    return actions + (ended(DeliveredState.COLLECTED) if set(by) >= set(key.slaves) else [])


def ended(state: DeliveredState) -> list[Action]:
    """The changes of a key that waits here for nobody any more."""
    ends = int(clock.now().timestamp()) + KEPT_SECONDS
    return [
        DeliveredKeyTable.state.set(state),
        DeliveredKeyTable.waiting_feed.remove(),
        DeliveredKeyTable.ttl.set(ends),
    ]


def expire(keys: Iterable[DeliveredKey] | None = None) -> int:
    """End the keys that waited for too long; return how many. Idempotent."""

    def end(key: DeliveredKey) -> None:
        with transaction(SWEEPER) as tx:
            tx.update(DeliveredKeyTable.of(key), ended(DeliveredState.EXPIRED))
            tx.audit(DeliveryEvent.EXPIRED, key_id=key.key_id, sae=key.master, slaves=list(key.slaves))

    return each(store.waiting_until(clock.now()) if keys is None else keys, end)


def end_waiting() -> int:
    """End every key that waits; return how many. For rows of a backup, since which they may have been collected (I3)."""
    return expire(store.waiting_until(datetime.max.replace(tzinfo=UTC)))
