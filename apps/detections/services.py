"""Sessions are judged by their counts and their link's history, before anything can use the key."""

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import Transaction, may_see, transaction
from apps.cases import services as cases
from apps.cases.records import Severity
from apps.common import clock, tracing
from apps.common.dynamodb import Page, Position
from apps.common.errors import Invalid, NotFound
from apps.common.sweeps import each
from apps.detections import received, store
from apps.detections.records import WORTH_A_LOOK, Detection, verdict_of
from apps.detections.records import Verdict as Word
from apps.detections.store import DetectionTable
from apps.links import services as links
from apps.metrics import recording
from apps.metrics.catalog import VERDICT_LAG
from apps.sessions import evidence, receiving, transitions
from apps.sessions import services as sessions
from apps.sessions.records import Session, SessionStatus, SessionUnusable
from apps.sessions.trail import SessionEvent

if TYPE_CHECKING:
    from qkd.detection import Verdict

log = logging.getLogger(__name__)
HISTORY = 64  # ready sessions of a link that a verdict looks back on
EVENTS = {
    SessionStatus.READY: SessionEvent.READY,
    SessionStatus.ABORTED: SessionEvent.ABORTED,
    SessionStatus.STUDY: SessionEvent.STUDIED,
    SessionStatus.COMPROMISED: SessionEvent.COMPROMISED,
}


class DetectionNotFound(NotFound):
    """The session has no verdict yet, does not exist, or is another's."""


class Histories:
    """The histories of the links that a batch of sessions was run over, each read once.

    What the batch itself found is added as it goes, so that the last of a burst is judged as it would be alone.
    """

    def __init__(self) -> None:
        self._known: dict[str, list[Session]] = {}

    def before(self, session: Session) -> list[Session]:
        """The ready sessions of its link before a session, oldest first."""
        if session.link not in self._known:
            self._known[session.link] = sessions.history(session.link, before=session, limit=HISTORY)
        place = (session.timestamp, session.session_id)
        past = [one for one in self._known[session.link] if (one.timestamp, one.session_id) < place]
        return past[-HISTORY:]

    def add(self, judged: Session) -> None:
        """Take a session in that was found ready."""
        if judged.link in self._known:
            self._known[judged.link].append(judged)
            self._known[judged.link].sort(key=lambda one: (one.timestamp, one.session_id))


def judge(session_id: str, *, actor: Actor, histories: Histories | None = None) -> Detection:
    """Judge a pending session: its key becomes usable, or never will be (B1). Idempotent.

    Args:
        session_id: of the session.
        actor: who judges.
        histories: of the batch that the session came in; read for it alone where there is none.

    Raises:
        SessionNotFound: no such session.
    """
    session = sessions.find(session_id, actor=actor)
    if session.status is not SessionStatus.PENDING:
        return _existing(session_id)
    with tracing.entered(tracing.of_text(session.trace), session_id=session_id):
        return _judge(session, histories or Histories(), actor)


def _judge(session: Session, histories: Histories, actor: Actor) -> Detection:
    # Here, not above: numpy is a fifth of a cold start, and requests of the API judge nothing
    from qkd.detection import judge as statistics  # noqa: PLC0415

    session_id = session.session_id
    threshold = links.threshold_over(session.link) or settings.QBER_THRESHOLD
    if receiving.is_received(session):
        verdict = received.judge(session)
    else:
        verdict = statistics(
            evidence.of_session(session),
            threshold=threshold,
            history=[evidence.of_session(past) for past in histories.before(session)],
        )
    detection = _detection(session, verdict, threshold)
    try:
        with transaction(actor) as tx:
            tx.put(DetectionTable.of(detection))
            transitions.settle(tx, session, SessionStatus(detection.outcome))
            _open_case(tx, session, detection)
            tx.audit(
                EVENTS[SessionStatus(detection.outcome)],
                session_id=session_id,
                link=detection.link,
                verdict=verdict_of(detection).value,
                qber=round(detection.qber_calculated, 6),
                bits=session.final_key_length,
                keys=session.keys_total,
                reasons=[reason["code"] for reason in detection.reasons],
            )
    except SessionUnusable:  # another delivery of the same stream record was faster
        return _existing(session_id)
    if detection.outcome == SessionStatus.READY:
        histories.add(session)
    if verdict.is_compromised:
        log.warning("session %s on link %s is compromised", session_id, session.link)
    recording.observe(VERDICT_LAG, (detection.detected_at - session.timestamp).total_seconds())
    return detection


def _existing(session_id: str) -> Detection:
    found = store.of_session(session_id)
    if found is None:
        raise DetectionNotFound(f"There is no verdict on session {session_id!r}.")
    return found


def _detection(session: Session, verdict: "Verdict", threshold: float) -> Detection:
    moment = clock.now()
    return Detection(
        session_id=session.session_id,
        detection_timestamp=int(moment.timestamp() * 1_000_000),
        detected_at=moment,
        owner=session.owner,
        link=session.link,
        outcome=_outcome(session, verdict),
        qber_calculated=verdict.qber,
        threshold=threshold,
        chi_square_value=verdict.chi_square,
        is_compromised=verdict.is_compromised,
        is_anomalous=verdict.is_anomalous,
        confidence_level=verdict.confidence_level,
        p_values=verdict.p_values,
        tests=[asdict(test) for test in verdict.tests],
        reasons=[{"code": reason.code.value, "detail": reason.detail} for reason in verdict.reasons],
    )


def _open_case(tx: Transaction, session: Session, detection: Detection) -> None:
    """Open a case about a session that is worth a look, in the transaction of its verdict (B8)."""
    word = verdict_of(detection)
    if word in WORTH_A_LOOK:
        cases.open_about(
            tx,
            session,
            verdict=word.value,
            severity=Severity.CRITICAL if word is Word.COMPROMISED else Severity.WARNING,
            reasons=[reason["code"] for reason in detection.reasons],
            otherwise=SessionUnusable(f"There is a case about session {session.session_id} already."),
        )


def _outcome(session: Session, verdict: "Verdict") -> SessionStatus:
    if verdict.is_compromised:
        return SessionStatus.COMPROMISED
    # Where no bit was compared, nothing was found clean
    if not session.final_key_length or verdict.interval is None:
        return SessionStatus.ABORTED
    return SessionStatus.READY if session.secret else SessionStatus.STUDY


def judge_overdue(*, seconds: int, actor: Actor) -> int:
    """Judge the sessions whose stream record was lost; returns how many."""
    histories = Histories()
    return each(
        sessions.overdue(seconds),
        lambda waiting: judge(waiting.session_id, actor=actor, histories=histories),
    )


def find(session_id: str, *, actor: Actor) -> Detection:
    """The verdict on a session that the actor may see.

    Raises:
        DetectionNotFound: none yet, no such session, or another's.
    """
    found = store.of_session(session_id)
    if found is None or not may_see(actor, found.owner, session_id=session_id):
        raise DetectionNotFound(f"There is no verdict on session {session_id!r}.")
    return found


def listed(
    *, actor: Actor, limit: int, position: Position | None = None, verdict: str | None = None
) -> Page[Detection]:
    """Detections that the actor may see, newest first.

    Raises:
        Invalid: a filter from a caller without the scope owners:all.
    """
    if not actor.sees_all:
        if verdict:
            raise Invalid.of("verdict", "Filtering needs the scope owners:all.")
        return store.detections_page(limit=limit, position=position, owner=str(actor))
    return store.detections_page(limit=limit, position=position, verdict=verdict)
