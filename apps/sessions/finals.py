"""Final keys of sessions as they are wrapped: moved to another root key, or brought back from recovery."""

import base64
from dataclasses import replace

from apps.audit.records import Actor, Event
from apps.audit.services import transaction
from apps.common.caching import UnwrappedCache
from apps.common.root_keys.configured import root_key, wrapped_anew
from apps.common.root_keys.interface import UnwrapFailed
from apps.keys import recovery_seal
from apps.keys.trail import SecretEvent
from apps.sessions import store
from apps.sessions.records import Session, SessionNotFound, SessionStatus, SessionUnusable
from apps.sessions.store import SessionTable

_kept = UnwrappedCache(max_items=64, ttl_seconds=60.0)
OPENS = frozenset({SessionStatus.READY, SessionStatus.REVOKED})  # what was taken of it


def kept(session_id: str) -> bytes:
    """The final key of a session that opens what was taken of it; in memory for a minute.

    Raises:
        SessionNotFound: no such session.
        SessionUnusable: its state opens nothing, or what is stored is not its key.
    """
    return _kept.get(session_id, lambda: _opened(session_id))


def _opened(session_id: str) -> bytes:
    found = find(session_id)
    if found.status not in OPENS:
        raise SessionUnusable(f"Session {session_id} is {found.status}: it has no usable key.")
    return unwrapped(found)


def forget(session_id: str) -> None:
    """Drop a session's final key from this process's memory."""
    _kept.forget(session_id)


def context_of(session_id: str) -> dict[str, str]:
    """What a session's key is bound to."""
    return {"record": "session", "id": session_id}


def find(session_id: str) -> Session:
    """A session with its wrapped key.

    Raises:
        SessionNotFound: no such session.
    """
    found = SessionTable.find(session_id)
    if found is None:
        raise SessionNotFound(f"There is no session {session_id!r}.")
    return found


def unwrapped(found: Session) -> bytes:
    """The final key as the root key opens it, whatever the session's state.

    Raises:
        SessionUnusable: there is none, or what is stored is not this session's.
    """
    if found.encrypted_final_key is None:
        raise SessionUnusable(f"Session {found.session_id} is {found.status}: it has no usable key.")
    try:
        blob = base64.b64decode(found.encrypted_final_key)
        final = root_key().unwrap(blob, context=context_of(found.session_id))
    except UnwrapFailed:
        raise SessionUnusable(
            f"The key of session {found.session_id} does not unwrap: its record was changed, or its root key is gone."
        ) from None
    return checked(found, final)


def checked(found: Session, final: bytes) -> bytes:
    """The key itself, if it has the length that the session's record states.

    Raises:
        SessionUnusable: it has not.
    """
    if len(final) != -(-found.final_key_length // 8):
        raise SessionUnusable(
            f"The key of session {found.session_id} does not have the length its record states."
        )
    return final


def rewrapped(found: Session, final: bytes, *, event: Event, actor: Actor) -> Session:
    """Wrap a session's key under the current root key, in the place of what is stored.

    Raises:
        SessionUnusable: the key is not this session's.
        Conflict: the record was changed meanwhile; nothing was.
    """
    root = root_key()
    wrapped = wrapped_anew(checked(found, final), context=context_of(found.session_id))
    moved = replace(found, encrypted_final_key=base64.b64encode(wrapped).decode(), root_key_id=root.id)
    with transaction(actor) as tx:
        tx.update(
            SessionTable.of(found),
            [
                SessionTable.encrypted_final_key.set(str(moved.encrypted_final_key)),
                SessionTable.root_key_id.set(root.id),
                SessionTable.root_feed.set(str(store.root_feed(moved))),
            ],
            condition=SessionTable.encrypted_final_key == found.encrypted_final_key,
        )
        tx.audit(
            event,
            session_id=found.session_id,
            old_root_key_id=found.root_key_id,
            root_key_id=root.id,
        )
    return moved


def sealed_for_recovery(found: Session, *, actor: Actor) -> None:
    """Seal a session's key to the recovery key, in the place of an older seal.

    Raises:
        SessionUnusable: the key does not unwrap.
        Conflict: the record was changed meanwhile; nothing was.
    """
    seal = recovery_seal.demanded(unwrapped(found), context=context_of(found.session_id))
    with transaction(actor) as tx:
        tx.update(
            SessionTable.of(found),
            [SessionTable.recovery_seal.set(seal)],
            condition=SessionTable.encrypted_final_key == found.encrypted_final_key,
        )
        tx.audit(
            SecretEvent.SEALED,
            session_id=found.session_id,
            recovery_key_id=seal[: recovery_seal.ID_SIZE].hex(),
        )


def wrapped_under(root_key_id: str) -> list[str]:
    """Ids of the sessions whose key a root key wraps: one Query for each shard."""
    return list(store.wrapped_under(root_key_id))


def wrapped_count(root_key_id: str) -> int:
    """How many sessions' keys a root key wraps."""
    return store.wrapped_count(root_key_id)
