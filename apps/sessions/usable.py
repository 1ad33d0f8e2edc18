"""Whether a session may give out quantum keys now: it is ready, and no case holds its link back."""

from collections.abc import Iterable

from apps.audit.services import Transaction
from apps.links import services as links
from apps.links.records import LinkUnusable
from apps.sessions import blocks
from apps.sessions.records import Session, SessionNotFound
from apps.sessions.store import SessionTable


def check_link(session: Session) -> None:
    """Refuse to give keys of a session whose link a case quarantined: they wait until it is released.

    Raises:
        LinkUnusable: it is.
    """
    if session.link in links.held_back():
        raise LinkUnusable(
            f"Link {session.link} is quarantined: the keys made over it are held back until it is released."
        )


def require_ready(tx: Transaction, session_ids: Iterable[str]) -> None:
    """Let a transaction happen only while sessions are ready: none was revoked, and each has its keys.

    Raises:
        SessionNotFound, SessionUnusable: one of them is not.
        LinkUnusable: the link of one of them is quarantined.

    Raises (at commit):
        SessionUnusable: one of them was revoked just now.
    """
    for session_id in sorted(set(session_ids)):
        found = SessionTable.find(session_id)
        if found is None:
            raise SessionNotFound(f"There is no session {session_id!r}.")
        if not found.gives_keys:
            raise blocks.no_longer_ready(session_id)
        check_link(found)
        tx.require(SessionTable.of(found), otherwise=blocks.no_longer_ready(session_id))


def what(found: Session) -> str:
    """What a session is, in words that say why it gives no keys."""
    return found.status if found.secret else "a study"
