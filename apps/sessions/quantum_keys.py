"""Quantum keys: pieces of ready sessions' final keys, and which of them were taken for what."""

from collections.abc import Iterable

from apps.common.dynamodb import Page, Position, is_key
from apps.sessions import finals, store
from apps.sessions.records import KEY_BYTES, QuantumKey, SessionNotFound, SessionUnusable


def keys_of(session_id: str, *, limit: int, position: Position | None = None) -> Page[QuantumKey]:
    """The keys taken from a session, newest first: after a revocation, what was encrypted with them."""
    return store.taken_page(session_id, limit=limit, position=position)


def find_taken(key_id: str) -> QuantumKey | None:
    """A quantum key that was taken, or None where nobody took it."""
    return store.find_taken(key_id)


def find_all_taken(key_ids: Iterable[str]) -> dict[str, QuantumKey]:
    """Those of some quantum keys that were taken, by id; one call for each hundred."""
    wanted = sorted(key_id for key_id in set(key_ids) if is_key(key_id))
    return {key.key_id: key for key in store.taken_keys(wanted)} if wanted else {}


def taken_key(key_id: str) -> bytes:
    """Open the key behind an id that a package carries, however long ago it was taken.

    Raises:
        SessionNotFound, SessionUnusable: the id names nothing, or the session is gone or compromised.
    """
    session_id, dot, number = key_id.rpartition(".")
    if not dot or not number.isdecimal():
        raise SessionNotFound(f"There is no quantum key {key_id!r}.")
    return key_bytes(session_id, int(number))


def key_bytes(session_id: str, number: int) -> bytes:
    """Cut the ``number``-th quantum key from a session's final key, which is unwrapped and checked (C3).

    Raises:
        SessionNotFound: the session is gone.
        SessionUnusable: it has no such key, or what is stored is not its key.
    """
    return cut(finals.opened(session_id).key, session_id, number)


def cut(final: bytes, session_id: str, number: int) -> bytes:
    """The ``number``-th quantum key of a session's final key, which is at hand.

    Raises:
        SessionUnusable: it has no such key.
    """
    if not 0 <= number < len(final) // KEY_BYTES:
        raise SessionUnusable(f"Session {session_id} has no key number {number}.")
    return final[number * KEY_BYTES : (number + 1) * KEY_BYTES]
