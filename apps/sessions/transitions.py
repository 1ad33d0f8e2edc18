"""Transitions of a session: to what the detector found, and to revoked."""

from pynamodb.expressions.update import Action

from apps.audit.records import Actor
from apps.audit.services import Conflict, Transaction, transaction
from apps.common import clock
from apps.common.dynamodb import feed
from apps.sessions import blocks, finals, services
from apps.sessions.records import BlockState, Session, SessionStatus, SessionUnusable
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
    if ready:
        if judged.site is None:  # else its keys wait until the other site is ready, too (``sites``)
            blocks.add(tx, judged)
    else:
        finals.remove(tx, judged.session_id)
    tx.update(
        SessionTable.of(judged),
        actions,
        condition=SessionTable.status == SessionStatus.PENDING,
        otherwise=SessionUnusable(f"Session {judged.session_id} is judged already."),
    )


def revoke(session_id: str, *, reason: str, actor: Actor) -> Session:
    """Take every key of a ready session out of use, however many there are. Run again, it ends what was interrupted.

    Once it returns, none of them can be taken any more, and none that is reserved is used. Keys that were taken still
    open what they encrypted (I4), so that it can be re-encrypted; where none was taken, the final key is removed.
    Interrupted, processes that have the session in memory may take keys of it for a minute more.

    Raises:
        SessionNotFound: no such session, or another's.
        SessionUnusable: it is not ready.
    """
    found = services.find(session_id, actor=actor)
    if found.status is SessionStatus.REVOKED and _has_open(found):
        blocks.close_all(found, actor=actor)
        return _forgotten(found, actor)
    if found.status is not SessionStatus.READY:
        raise SessionUnusable(f"Session {session_id} is {found.status}; only a ready one can be revoked.")
    try:
        _revoke(found, reason, actor)
    except Conflict:  # its first key was taken just now, so the final key has to stay
        _revoke(services.find(session_id, actor=actor), reason, actor)
    return _forgotten(found, actor)


def _has_open(found: Session) -> bool:
    return any(block.state is BlockState.OPEN for block in blocks.of_session(found))


def _forgotten(found: Session, actor: Actor) -> Session:
    finals.forget(found.session_id)
    return services.find(found.session_id, actor=actor)


def _revoke(found: Session, reason: str, actor: Actor) -> None:
    if found.status is not SessionStatus.READY:
        raise SessionUnusable(
            f"Session {found.session_id} is {found.status}; only a ready one can be revoked."
        )
    there = blocks.of_session(found)
    taken = blocks.count_taken(there)
    with transaction(actor) as tx:
        tx.update(
            SessionTable.of(found),
            [
                SessionTable.status.set(SessionStatus.REVOKED),
                SessionTable.status_feed.set(feed(SessionStatus.REVOKED, found.session_id)),
                SessionTable.reason.set(reason),
            ],
            condition=SessionTable.status == SessionStatus.READY,
        )
        if not taken:  # nothing needs the final key; a take that commits first fails this transaction
            finals.remove(tx, found.session_id)
            for block in there:
                blocks.close(tx, block, untouched=True)
        tx.audit(
            SessionEvent.REVOKED,
            session_id=found.session_id,
            link=found.link,
            reason=reason,
            taken=taken,
            never_taken=int(found.keys_total) - taken,
        )
    if taken:
        blocks.close_all(found, actor=actor)
