"""Final keys of sessions: wrapped, opened for whoever may use them, re-wrapped, sealed for recovery.

A final key is at rest only as the root key wrapped it, bound to its session; opened, it stays in memory for a minute.
"""

import base64
from dataclasses import replace

from apps.audit.records import Actor, Event
from apps.audit.services import Transaction, transaction
from apps.common.caching import TimedCache
from apps.common.dynamodb import feed
from apps.common.root_keys.configured import root_key, wrap_checked
from apps.common.root_keys.interface import UnwrapFailed
from apps.keys import recovery_seal
from apps.keys.trail import SecretEvent
from apps.sessions import store
from apps.sessions.records import FinalKey, Session, SessionNotFound, SessionStatus, SessionUnusable
from apps.sessions.store import FinalKeyTable

CACHE_SECONDS = 60.0
_kept = TimedCache[bytes](max_items=64, ttl_seconds=CACHE_SECONDS)
OPENS = frozenset({SessionStatus.READY, SessionStatus.REVOKED})  # what was taken of it


def context_of(session_id: str) -> dict[str, str]:
    """What a session's final key is bound to."""
    return {"record": "session", "id": session_id}


def wrap(session: Session, final: bytes) -> FinalKey:
    """The record of a new session's final key, wrapped under the root key."""
    root, context = root_key(), context_of(session.session_id)
    return FinalKey(
        session_id=session.session_id,
        timestamp=session.timestamp,
        final_key_length=session.final_key_length,
        root_key_id=root.id,
        encrypted_final_key=base64.b64encode(root.wrap(final, context=context)).decode(),
        recovery_seal=recovery_seal.sealed(final, context=context),
        ttl=session.ttl,
    )


def kept(session_id: str) -> bytes:
    """The final key of a session that opens what was taken of it; in memory for a minute.

    Raises:
        SessionNotFound: no such session.
        SessionUnusable: its state opens nothing, or what is stored is not its key.
        RootKeyUnavailable: the root key cannot be used now.
    """
    return _kept.get(session_id, lambda: _opened(session_id))


def _opened(session_id: str) -> bytes:
    session, final = store.with_final_key(session_id)
    if session is None:
        raise SessionNotFound(f"There is no session {session_id!r}.")
    if session.status not in OPENS or final is None:
        raise SessionUnusable(f"Session {session_id} is {session.status}: it has no usable key.")
    return unwrapped(final)


def find(session_id: str) -> FinalKey | None:
    """The final key of a session in whatever state, or None where it has none."""
    return FinalKeyTable.find(session_id)


def unwrapped(found: FinalKey) -> bytes:
    """The final key as the root key opens it, whatever the session's state.

    Raises:
        SessionUnusable: what is stored is not this session's.
    """
    try:
        blob = base64.b64decode(found.encrypted_final_key)
        final = root_key().unwrap(blob, context=context_of(found.session_id))
    except UnwrapFailed:
        raise SessionUnusable(
            f"The key of session {found.session_id} does not unwrap: its record was changed, or its root key is gone."
        ) from None
    return checked(found, final)


def checked(found: FinalKey, final: bytes) -> bytes:
    """The key itself, if it has the length that its record states.

    Raises:
        SessionUnusable: it has not.
    """
    if len(final) != -(-found.final_key_length // 8):
        raise SessionUnusable(
            f"The key of session {found.session_id} does not have the length its record states."
        )
    return final


def rewrapped(found: FinalKey, final: bytes, *, event: Event, actor: Actor) -> FinalKey:
    """Wrap a session's key under the current root key, in the place of what is stored.

    Raises:
        SessionUnusable: the key is not this session's.
        Conflict: the record was changed meanwhile; nothing was.
    """
    root = root_key()
    wrapped = wrap_checked(checked(found, final), context=context_of(found.session_id))
    moved = replace(found, encrypted_final_key=base64.b64encode(wrapped).decode(), root_key_id=root.id)
    with transaction(actor) as tx:
        tx.update(
            FinalKeyTable.of(found),
            [
                FinalKeyTable.encrypted_final_key.set(moved.encrypted_final_key),
                FinalKeyTable.root_key_id.set(root.id),
                FinalKeyTable.root_feed.set(feed(root.id, found.session_id)),
            ],
            condition=FinalKeyTable.encrypted_final_key == found.encrypted_final_key,
        )
        tx.audit(
            event,
            session_id=found.session_id,
            old_root_key_id=found.root_key_id,
            root_key_id=root.id,
        )
    return moved


def sealed_for_recovery(found: FinalKey, *, actor: Actor) -> None:
    """Seal a session's key to the recovery key, in the place of an older seal.

    Raises:
        SessionUnusable: the key does not unwrap.
        Conflict: the record was changed meanwhile; nothing was.
    """
    seal = recovery_seal.demanded(unwrapped(found), context=context_of(found.session_id))
    with transaction(actor) as tx:
        tx.update(
            FinalKeyTable.of(found),
            [FinalKeyTable.recovery_seal.set(seal)],
            condition=FinalKeyTable.encrypted_final_key == found.encrypted_final_key,
        )
        tx.audit(
            SecretEvent.SEALED,
            session_id=found.session_id,
            recovery_key_id=seal[: recovery_seal.ID_SIZE].hex(),
        )


def keep_for_good(tx: Transaction, session_id: str) -> None:
    """End the time to live of a session's final key, as its first quantum key is taken (I5).

    Raises (at commit):
        SessionUnusable: the final key has expired or was removed.
    """
    tx.update(
        FinalKeyTable(session_id=session_id),
        [FinalKeyTable.ttl.remove()],
        condition=FinalKeyTable.present(),
        otherwise=SessionUnusable(f"The key of session {session_id} is gone."),
    )


def remove(tx: Transaction, session_id: str) -> None:
    """Remove a session's final key, if it has one, in the transaction that ends its use."""
    tx.delete(FinalKeyTable(session_id=session_id))


def wrapped_under(root_key_id: str) -> list[str]:
    """Ids of the sessions whose key a root key wraps: one Query for each shard."""
    return list(store.wrapped_under(root_key_id))


def wrapped_count(root_key_id: str) -> int:
    """How many sessions' keys a root key wraps."""
    return store.wrapped_count(root_key_id)


def forget(session_id: str) -> None:
    """Drop a session's final key from this process's memory."""
    _kept.forget(session_id)
