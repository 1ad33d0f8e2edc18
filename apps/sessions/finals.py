"""Final keys of sessions: opened for whoever may use them, and the kind of wrapped secret that they are.

A final key is at rest only as the root key wrapped it, bound to its session; opened, it stays in memory for a minute.
"""

import base64

from apps.audit.services import Transaction
from apps.common.caching import TimedCache
from apps.keys import wrapped_secrets
from apps.keys.wrapped_secrets import SecretKind, WrappedSecret, Wrapping
from apps.sessions import store
from apps.sessions.records import (
    FinalKey,
    OpenedKey,
    Session,
    SessionDamaged,
    SessionNotFound,
    SessionStatus,
    SessionUnusable,
)
from apps.sessions.store import FinalKeyTable

KIND = SecretKind(
    record="session",
    subject="session_id",
    label="session {}",
    table=FinalKeyTable,
    column=FinalKeyTable.encrypted_final_key,
    unusable=SessionDamaged,
    as_stored=lambda blob: base64.b64encode(blob).decode(),
    as_blob=base64.b64decode,
)
CACHE_SECONDS = 60.0  # a session compromised elsewhere leaves memory after at most this long
_kept = TimedCache[OpenedKey](max_items=64, ttl_seconds=CACHE_SECONDS)
OPENS = frozenset(
    {SessionStatus.READY, SessionStatus.REVOKED}
)  # states whose taken keys open what they encrypted


def wrap(session: Session, final: bytes) -> FinalKey:
    """Make the record of a new session's final key, wrapped under the root key.

    Raises:
        RootKeyUnavailable: the root key cannot be used now.
    """
    wrapping = wrapped_secrets.wrap(KIND, session.session_id, final)
    return FinalKey(
        session_id=session.session_id,
        timestamp=session.timestamp,
        final_key_length=session.final_key_length,
        root_key_id=wrapping.root_key_id,
        encrypted_final_key=wrapping.stored,
        recovery_seal=wrapping.recovery_seal,
        commitment=wrapping.commitment,
        ttl=session.ttl,
    )


def is_kept(session_id: str) -> bool:
    """Return whether a session's final key is in this process's memory."""
    return session_id in _kept


def opened(session_id: str, read: store.WithKey | None = None) -> OpenedKey:
    """Open the final key of a session whose taken keys still open what they encrypted; it stays in memory a minute.

    Args:
        session_id: of the session.
        read: what the tables have of both, where somebody has just read it.

    Raises:
        SessionNotFound: no such session.
        SessionUnusable: its state opens nothing, or what is stored is not its key.
        RootKeyUnavailable: the root key cannot be used now.
    """
    return _kept.get(session_id, lambda: _open(session_id, read))


def _open(session_id: str, read: store.WithKey | None = None) -> OpenedKey:
    session, final = read or store.with_final_key(session_id)
    if session is None:
        raise SessionNotFound(f"There is no session {session_id!r}.")
    if session.status not in OPENS or final is None:
        raise SessionUnusable(f"Session {session_id} is {session.status}: it has no usable key.")
    return OpenedKey(session, final.tag, unwrap(final))


def find(session_id: str) -> FinalKey | None:
    """The final key of a session in whatever state, or None where it has none."""
    return FinalKeyTable.find(session_id)


def secret_of(found: FinalKey) -> WrappedSecret:
    """A session's final key as it is kept."""
    wrapping = Wrapping(found.root_key_id, found.encrypted_final_key, found.recovery_seal, found.commitment)
    return WrappedSecret(
        KIND,
        found.session_id,
        wrapping,
        row=FinalKeyTable.of(found),
        check=lambda final: _check(found, final),
    )


def unwrap(found: FinalKey) -> bytes:
    """The final key as the root key opens it, whatever the session's state.

    Raises:
        SessionUnusable: what is stored is not this session's.
        RootKeyUnavailable: the root key cannot be used now.
    """
    return wrapped_secrets.unwrap(secret_of(found))


def _check(found: FinalKey, final: bytes) -> None:
    if len(final) != -(-found.final_key_length // 8):
        raise SessionDamaged(
            f"The key of session {found.session_id} does not have the length that its record states."
        )


def keep_for_good(tx: Transaction, session_id: str, *, tag: str) -> None:
    """End the time to live of a session's final key, as its first quantum key is taken (I5).

    Args:
        tx: in which that happens.
        session_id: of the session.
        tag: of the final key's row as it was read; the row itself may have 180 KB.

    Raises (at commit):
        SessionUnusable: the final key has expired, was removed, or changed.
    """
    tx.update(
        FinalKeyTable(session_id=session_id, tag=tag),
        [FinalKeyTable.ttl.remove()],
        otherwise=SessionUnusable(f"The key of session {session_id} is gone, or was changed just now."),
    )


def remove(tx: Transaction, session_id: str) -> None:
    """Remove a session's final key, if it has one, in the transaction that ends its use."""
    tx.delete(FinalKeyTable(session_id=session_id))


def forget(session_id: str) -> None:
    """Drop a session's final key from this process's memory."""
    _kept.forget(session_id)
