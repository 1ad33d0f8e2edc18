"""Transitions of a session: to what the detector found, and to revoked."""

from pynamodb.expressions.update import Action

from apps.audit.records import Actor
from apps.audit.services import Conflict, Transaction, transaction
from apps.common import clock
from apps.common.dynamodb import feed
from apps.sessions import finals, services, store
from apps.sessions.records import Session, SessionStatus, SessionUnusable
from apps.sessions.store import SessionTable
from apps.sessions.trail import SessionEvent


def settle(tx: Transaction, judged: Session, status: SessionStatus) -> None:
    """Move a ``pending`` session to what the detector found, in the detection's transaction.

    A session that is not ready loses its final key: nothing can ever use it.

    Raises (at commit):
        SessionUnusable: another delivery of the same stream record was faster.
    """
    ready = status is SessionStatus.READY
    actions: list[Action] = [
        SessionTable.status.set(status),
        SessionTable.judged_at.set(clock.now()),
        SessionTable.status_feed.set(feed(status, judged.session_id)),
    ]
    if ready and judged.keys_total:
        actions.append(SessionTable.stock_feed.set(feed(store.stock_of(judged.owner), judged.session_id)))
    if not ready:
        finals.remove(tx, judged.session_id)
    tx.update(
        SessionTable.of(judged),
        actions,
        condition=SessionTable.status == SessionStatus.PENDING,
        otherwise=SessionUnusable(f"Session {judged.session_id} is judged already."),
    )


def revoke(session_id: str, *, reason: str, actor: Actor) -> Session:
    """Take every key of a ready session out of use, in one write however many there are.

    None of them can be taken any more. Keys that were taken still open what they encrypted (I4), so that it can
    be re-encrypted; where none was taken, the final key is removed. A process that has the key in memory
    offers no more of it, as taking one checks the session's state.

    Raises:
        SessionNotFound: no such session, or another's.
        SessionUnusable: it is not ready.
    """
    try:
        _revoke(services.find(session_id, actor=actor), reason, actor)
    except Conflict:  # its first key was taken just now, so the final key has to stay
        _revoke(services.find(session_id, actor=actor), reason, actor)
    finals.forget(session_id)
    return services.find(session_id, actor=actor)


def _revoke(found: Session, reason: str, actor: Actor) -> None:
    if found.status is not SessionStatus.READY:
        raise SessionUnusable(
            f"Session {found.session_id} is {found.status}; only a ready one can be revoked."
        )
    actions: list[Action] = [
        SessionTable.status.set(SessionStatus.REVOKED),
        SessionTable.status_feed.set(feed(SessionStatus.REVOKED, found.session_id)),
        SessionTable.reason.set(reason),
        SessionTable.stock_feed.remove(),
    ]
    unchanged = SessionTable.status == SessionStatus.READY
    if not found.keys_taken:  # nothing needs the final key; a take that commits first fails this condition
        unchanged &= SessionTable.keys_taken == 0
    with transaction(actor) as tx:
        if not found.keys_taken:
            finals.remove(tx, found.session_id)
        tx.update(SessionTable.of(found), actions, condition=unchanged)
        tx.audit(
            SessionEvent.REVOKED,
            session_id=found.session_id,
            reason=reason,
            taken=int(found.keys_taken),
            never_taken=int(found.keys_total - found.keys_taken),
        )
