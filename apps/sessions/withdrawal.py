"""Sessions leave the stock, so that it is refilled, and say so: one whose key does not unwrap, or all after a restore.

Their keys stay: what was taken may open again once the record is restored from a backup.
"""

import logging
from collections.abc import Collection, Iterator
from itertools import chain

from apps.audit.records import system
from apps.audit.services import record
from apps.common.dynamodb import Page, Position, pages
from apps.common.sweeps import each
from apps.keys import canaries
from apps.sessions import blocks, store, transitions
from apps.sessions.records import Session, SessionStatus, SiteState
from apps.sessions.store import SessionTable
from apps.sessions.trail import StockEvent

log = logging.getLogger(__name__)
KEEPER = system("stock")
PAGE = 100  # sessions a Query


def withdraw(session_id: str) -> None:
    """Take a session whose key does not unwrap out of the stock, for good. Idempotent.

    Raises:
        OtherRootKey: it is the root key that is another one; the session stays where it is.
        RootKeyUnavailable: the root key does not answer.
        RecordForged: its row was changed outside of the platform.
    """
    canaries.open_all()
    found = SessionTable.find(session_id)
    if found is None:
        return
    if _close(found):
        log.error("the key of session %s does not unwrap; it left the stock", session_id)


def withdraw_all(*, judged: Collection[str] = ()) -> int:
    """Take every quantum key that is ready out of use, for good; return how many. Idempotent.

    For rows that were set back to a backup's, which do not know what was taken since (I3). What waits to be agreed on
    with another site is revoked: the sites would agree again, and give it out again.

    Args:
        judged: ids of sessions that were judged just now, which the index may not show as ready yet.

    Raises:
        ExceptionGroup: of some sessions that failed, once all were tried.
    """

    def at(position: Position | None) -> Page[Session]:
        return store.sessions_page(limit=PAGE, status=SessionStatus.READY, position=position)

    closed: list[int] = []
    listed = (one for page in pages(at) for one in page.records)
    each(chain(listed, _ready(judged)), lambda one: closed.append(_aside(one)))
    return sum(closed)


def _ready(session_ids: Collection[str]) -> Iterator[Session]:
    """Those that are ready, each read when its turn comes: it may have been among the listed."""
    for session_id in session_ids:
        found = SessionTable.find(session_id)
        if found is not None and found.status is SessionStatus.READY:
            yield found


def _aside(found: Session) -> int:
    if found.site is not SiteState.HELD:
        return _close(found)
    transitions.revoke(found.session_id, reason="set back to a backup", actor=KEEPER)
    return int(found.keys_total)


def _close(found: Session) -> int:
    """Close what is open of a session; return how many keys it had left."""
    left = sum(int(block.end - block.next) for block in blocks.of_session(found) if block.is_open)
    if left:  # else revoked meanwhile, or withdrawn by another process
        blocks.close_all(found, actor=KEEPER)
        record(KEEPER, StockEvent.WITHDRAWN, session_id=found.session_id, keys=left)
    return left
