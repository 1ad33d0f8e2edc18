"""Sessions are judged by their counts and their link's history, before anything can use the key."""

import json
import logging

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import may_see, transaction
from apps.common import aws, clock
from apps.common.dynamodb import Page, Position
from apps.common.errors import Invalid, NotFound
from apps.common.sweeps import each
from apps.detections import store
from apps.detections.records import Detection
from apps.detections.store import DetectionTable
from apps.sessions import services as sessions
from apps.sessions import transitions
from apps.sessions.records import Session, SessionStatus, SessionUnusable
from apps.sessions.trail import SessionEvent
from qkd.detection import Verdict
from qkd.detection import judge as statistics
from qkd.estimation import BasisCounts

log = logging.getLogger(__name__)
NAMESPACE = "QuantumKeys"
EVENTS = {
    SessionStatus.READY: SessionEvent.READY,
    SessionStatus.ABORTED: SessionEvent.ABORTED,
    SessionStatus.STUDY: SessionEvent.STUDIED,
    SessionStatus.COMPROMISED: SessionEvent.COMPROMISED,
}


class DetectionNotFound(NotFound):
    """The session has no verdict yet, does not exist, or is another's."""


def judge(session_id: str, *, actor: Actor) -> Detection:
    """Judge a pending session: its key becomes usable, or never will be (B1). Idempotent.

    Raises:
        SessionNotFound: no such session.
    """
    session = sessions.find(session_id, actor=actor)
    if session.status is not SessionStatus.PENDING:
        return _existing(session_id)
    verdict = statistics(
        BasisCounts(**session.counts),
        expected_qber=session.expected_qber,
        threshold=settings.QBER_THRESHOLD,
        history=[BasisCounts(**past.counts) for past in sessions.history(session.link, before=session)],
    )
    detection = _detection(session, verdict)
    if verdict.is_compromised:
        _alert(detection)  # before the commit: an alert twice is better than none
    try:
        with transaction(actor) as tx:
            tx.put(DetectionTable.of(detection))
            transitions.settle(tx, session, SessionStatus(detection.outcome))
            tx.audit(
                EVENTS[SessionStatus(detection.outcome)],
                session_id=session_id,
                qber=round(detection.qber_calculated, 6),
                reasons=[reason["code"] for reason in detection.reasons],
            )
    except SessionUnusable:  # another delivery of the same stream record was faster
        return _existing(session_id)
    _measure(detection)
    return detection


def _existing(session_id: str) -> Detection:
    found = store.of_session(session_id)
    if found is None:
        raise DetectionNotFound(f"There is no verdict on session {session_id!r}.")
    return found


def _detection(session: Session, verdict: Verdict) -> Detection:
    moment = clock.now()
    return Detection(
        session_id=session.session_id,
        detection_timestamp=int(moment.timestamp() * 1_000_000),
        detected_at=moment,
        owner=session.owner,
        link=session.link,
        outcome=_outcome(session, verdict),
        qber_calculated=verdict.qber,
        threshold=settings.QBER_THRESHOLD,
        chi_square_value=verdict.chi_square,
        is_compromised=verdict.is_compromised,
        is_anomalous=verdict.is_anomalous,
        confidence_level=verdict.confidence_level,
        p_values=verdict.p_values,
        reasons=[{"code": reason.code.value, "detail": reason.detail} for reason in verdict.reasons],
    )


def _outcome(session: Session, verdict: Verdict) -> SessionStatus:
    if verdict.is_compromised:
        return SessionStatus.COMPROMISED
    # Where no bit was compared, nothing was found clean
    if not session.final_key_length or verdict.interval is None:
        return SessionStatus.ABORTED
    return SessionStatus.READY if session.secret else SessionStatus.STUDY


def _alert(detection: Detection) -> None:
    """Alert the operators (B6). The text holds ids and statistics only."""
    text = {
        "session_id": detection.session_id,
        "link": detection.link,
        "qber": detection.qber_calculated,
        "reasons": list(detection.reasons),
    }
    log.warning("session %s on link %s is compromised", detection.session_id, detection.link)
    if settings.ALERT_TOPIC_ARN:
        aws.client("sns").publish(
            TopicArn=settings.ALERT_TOPIC_ARN, Subject="Quantum session compromised", Message=json.dumps(text)
        )


def _measure(detection: Detection) -> None:
    """Log metrics in CloudWatch's embedded format, which needs no call."""
    if settings.LOCAL:
        return
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.add_dimension("link", detection.link)
    metrics.add_metric("QBER", MetricUnit.Percent, 100 * detection.qber_calculated)
    metrics.add_metric("SessionsJudged", MetricUnit.Count, 1)
    metrics.add_metric("SessionsCompromised", MetricUnit.Count, int(detection.is_compromised))
    metrics.flush_metrics()


def judge_overdue(*, seconds: int, actor: Actor) -> int:
    """Judge the sessions whose stream record was lost; returns how many."""
    return each(sessions.overdue(seconds), lambda waiting: judge(waiting.session_id, actor=actor))


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
