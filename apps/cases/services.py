"""Cases: opened with a verdict, then acknowledged, noted and closed by people (B8)."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import Transaction, transaction
from apps.cases import store
from apps.cases.records import Case, CaseClosed, CaseNotFound, CaseStatus, Note, Severity, case_id_of
from apps.cases.store import CaseTable, NoteTable
from apps.cases.trail import CaseEvent
from apps.common import clock
from apps.common.dynamodb import Page, Position, feed
from apps.sessions.records import Session

WAITING_PAGE = 100


def open_about(
    tx: Transaction,
    session: Session,
    *,
    verdict: str,
    severity: Severity,
    reasons: Sequence[str],
    otherwise: Exception,
) -> Case:
    """Open the case about a session in the transaction of its verdict.

    Args:
        tx: in which the verdict is kept.
        session: that was judged.
        verdict: in one word.
        severity: of the finding; one of a study, whose eavesdropper was asked for, is for information only.
        reasons: codes of what was found.
        otherwise: what is raised where there is such a case.
    """
    moment = clock.now()
    study = not session.secret
    opened = Case(
        case_id=case_id_of(session.session_id),
        session_id=session.session_id,
        link=session.link,
        owner=session.owner,
        verdict=verdict,
        severity=Severity.INFO if study else severity,
        study=study,
        reasons=tuple(reasons),
        opened_at=moment,
        window_from=session.timestamp - timedelta(hours=settings.CASE_WINDOW_HOURS),
    )
    tx.put(CaseTable.of(opened), otherwise=otherwise)
    tx.audit(
        CaseEvent.OPENED,
        session_id=session.session_id,
        case_id=opened.case_id,
        link=opened.link,
        severity=opened.severity.value,
    )
    return opened


def find(case_id: str) -> Case:
    """One case, read consistently.

    Raises:
        CaseNotFound: no such case.
    """
    found = CaseTable.find(case_id)
    if found is None:
        raise CaseNotFound(f"There is no case {case_id!r}.")
    return found


def listed(
    *,
    limit: int,
    position: Position | None = None,
    status: CaseStatus | None = None,
    link: str | None = None,
) -> Page[Case]:
    """Cases, newest first: all, or of one status or link."""
    return store.cases_page(limit=limit, position=position, status=status, link=link)


def acknowledge(case_id: str, *, actor: Actor) -> Case:
    """Take on an open case.

    Raises:
        CaseNotFound: no such case.
        CaseClosed: somebody acknowledged or closed it already.
    """
    found = find(case_id)
    if found.status is not CaseStatus.OPEN:
        raise CaseClosed(
            f"Case {case_id} is {found.status}{_by(found)}; only an open one can be acknowledged."
        )
    row = CaseTable.of(found)
    with transaction(actor) as tx:
        tx.update(
            row,
            [
                CaseTable.status.set(CaseStatus.ACKNOWLEDGED),
                CaseTable.status_feed.set(feed(CaseStatus.ACKNOWLEDGED, case_id)),
                CaseTable.acknowledged_by.set(str(actor)),
                CaseTable.acknowledged_at.set(clock.now()),
            ],
        )
        tx.audit(CaseEvent.ACKNOWLEDGED, session_id=found.session_id, case_id=case_id)
    return find(case_id)


def close(case_id: str, *, reason: str, actor: Actor) -> Case:
    """Close a case, saying how it ended. Its window ends with it.

    Raises:
        CaseNotFound: no such case.
        CaseClosed: it is closed already.
    """
    found = find(case_id)
    if found.status is CaseStatus.CLOSED:
        raise CaseClosed(f"Case {case_id} is closed{_by(found)} already.")
    with transaction(actor) as tx:
        tx.update(
            CaseTable.of(found),
            [
                CaseTable.status.set(CaseStatus.CLOSED),
                CaseTable.status_feed.set(feed(CaseStatus.CLOSED, case_id)),
                CaseTable.closed_by.set(str(actor)),
                CaseTable.closed_at.set(clock.now()),
                CaseTable.resolution.set(reason),
            ],
        )
        tx.audit(CaseEvent.CLOSED, session_id=found.session_id, case_id=case_id, reason=reason)
    return find(case_id)


def note(case_id: str, *, text: str, actor: Actor) -> Note:
    """Write a note on a case, closed ones among them.

    Raises:
        CaseNotFound: no such case.
    """
    found = find(case_id)
    with transaction(actor) as tx:
        return add_note(tx, found, text)


def add_note(tx: Transaction, case: Case, text: str) -> Note:
    """Write a note on a case in a transaction."""
    moment = clock.now()
    written = Note(
        case_id=case.case_id,
        note_id=f"{clock.as_text(moment)}#{uuid.uuid4().hex[:8]}",
        noted_at=moment,
        author=str(tx.actor),
        text=text,
    )
    row = NoteTable.of(written)
    tx.put(row)
    tx.audit(CaseEvent.NOTED, session_id=case.session_id, case_id=case.case_id, note_id=written.note_id)
    return replace(written, tag=str(row.tag))


def notes(case_id: str, *, limit: int, position: Position | None = None) -> Page[Note]:
    """Notes on a case, newest first.

    Raises:
        CaseNotFound: no such case.
    """
    return store.notes_page(find(case_id).case_id, limit=limit, position=position)


def unacknowledged() -> Iterator[Case]:
    """Cases that nobody acknowledged in time, the newest first; none about a study."""
    latest = clock.ago(60 * settings.CASE_ACKNOWLEDGE_MINUTES)
    position: Position | None = None
    while True:
        found = store.cases_page(limit=WAITING_PAGE, position=position, status=CaseStatus.OPEN)
        yield from (case for case in found.records if not case.study and case.opened_at < latest)
        if found.older is None:
            return
        position = Position(found.older)


def _by(found: Case) -> str:
    who = found.closed_by or found.acknowledged_by
    return f" by {who}" if who else ""
