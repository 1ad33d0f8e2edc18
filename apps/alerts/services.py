"""Alerts: raised once, sent, escalated where nobody acknowledges them, and over once their condition is.

What cannot be sent stays due, and the sweep sends it: a failing topic costs minutes, never an alert.
"""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.cache import cache
from pynamodb.exceptions import UpdateError

from apps.alerts import store
from apps.alerts.conditions import APART, CONDITIONS, MANY, TEST, WAITING, Condition, Noticed
from apps.alerts.records import Alert, AlertNotFound, AlertSettled, AlertStatus, Urgency
from apps.alerts.store import AlertTable
from apps.alerts.trail import AlertEvent
from apps.audit.records import Actor, Event, system
from apps.audit.services import Conflict, transaction
from apps.common import aws, clock, standstill
from apps.common.authenticated import RecordForged
from apps.common.dynamodb import Page, Position, feed, pages
from apps.common.errors import Unavailable
from apps.common.scheduling import Schedule
from apps.common.sweeps import each

log = logging.getLogger(__name__)
ALERTER = system("alerter")
PAGE = 100
COUNTED_SECONDS = (
    60  # between two writes that an alert was noticed again: a burst is one alert, not a hot row
)
SUBJECT_LENGTH = 100  # that SNS takes
_SEEN = "alerts.passing"
_ACTIONS = {one.name: one.action for one in CONDITIONS}


def id_of(noticed: Noticed) -> str:
    """Name the alert of a condition about something."""
    told = f"{noticed.condition.name}|{noticed.about}"
    return f"al-{hashlib.sha256(told.encode()).hexdigest()[:24]}"


def raise_alert(noticed: Noticed, *, actor: Actor = ALERTER) -> Alert:
    """Raise the alert of what was noticed, and send it; where there is one already, count that. Idempotent.

    Where many of a condition are open, the alert is about all that is noticed besides.
    """
    try:
        found = AlertTable.find(id_of(noticed))
    except RecordForged:  # whoever spoils its row silences neither this alert nor those that come after it
        return _send_unkept(_new(noticed))
    if found is not None and found.status is not AlertStatus.OVER:
        _count_again(found)
        return found
    if noticed.about != MANY and noticed.condition.events and _are_many(noticed.condition):
        return raise_alert(replace(noticed, about=MANY), actor=actor)
    raised = _new(noticed)
    if found is not None:
        raised = replace(raised, tag=found.tag, times=int(found.times) + 1)
    row = AlertTable.of(raised)
    try:
        with transaction(actor) as tx:
            if found is None:
                tx.put(row)
            else:
                tx.replace(row)
            tx.audit(AlertEvent.RAISED, **_fields(raised))
    except Conflict:  # another process noticed it, too
        return find(raised.alert_id)
    return send(row.record())


def _are_many(condition: Condition) -> bool:
    """Return whether what is noticed of a condition goes to the alert of all together: until that is over, always."""
    with suppress(RecordForged):
        together = AlertTable.find(id_of(Noticed(condition, MANY)))
        if together is not None and together.status is not AlertStatus.OVER:
            return True
    newest = listed(limit=PAGE, status=AlertStatus.OPEN).records
    return sum(one.condition == condition.name for one in newest) >= APART


def _new(noticed: Noticed) -> Alert:
    return Alert(
        alert_id=id_of(noticed),
        condition=noticed.condition.name,
        about=noticed.about,
        urgency=noticed.condition.urgency,
        text=noticed.condition.text,
        status=AlertStatus.OPEN,
        raised_at=clock.now(),
        last_at=clock.now(),
        detail=noticed.detail,
    )


def _send_unkept(alert: Alert) -> Alert:
    """Send an alert that cannot be kept, each time that it is noticed.

    Raises:
        Unavailable: it is not sent; what it was noticed by comes again.
    """
    if not _publish(alert, topic=settings.ALERT_TOPIC_ARN):
        raise Unavailable("An alert could not be sent. What it was noticed by comes again.")
    return replace(alert, sent_at=clock.now())


def _count_again(found: Alert) -> None:
    if found.last_at is not None and found.last_at > clock.ago(COUNTED_SECONDS):
        return
    with suppress(UpdateError):  # gone meanwhile
        AlertTable.of(found).update(
            [AlertTable.times.add(1), AlertTable.last_at.set(clock.now())], condition=AlertTable.present()
        )


def is_quiet() -> bool:
    """Return whether only critical alerts are sent now."""
    begins, ends, hour = settings.ALERT_QUIET_FROM, settings.ALERT_QUIET_UNTIL, clock.now().hour
    if begins == ends:
        return False
    return begins <= hour < ends if begins < ends else hour >= begins or hour < ends


def send(alert: Alert) -> Alert:
    """Send an alert that is due; where that fails, or it has to wait, the sweep sends it later."""
    waits = alert.urgency is not Urgency.CRITICAL and alert.condition != TEST.name and is_quiet()
    if alert.sent_at is not None or waits:
        return alert
    if not _publish(alert, topic=settings.ALERT_TOPIC_ARN):
        return alert
    return _mark(alert, AlertEvent.SENT, replace(alert, sent_at=clock.now()))


def _publish(alert: Alert, *, topic: str, escalated: bool = False) -> bool:
    """Tell a topic; return whether it took the message. Without a topic, the log is told."""
    mark = "ESCALATED: " if escalated else ""
    log.warning("%salert %s: %s (%s)", mark, alert.alert_id, alert.text, alert.about)
    if not topic:
        return True
    message = {**_fields(alert), "text": alert.text, "raised_at": clock.as_text(alert.raised_at)}
    message |= {"escalated": escalated, "action": _ACTIONS.get(alert.condition, ""), "detail": alert.detail}
    try:
        aws.client("sns").publish(
            TopicArn=topic,
            Subject=f"{mark}{alert.text}"[:SUBJECT_LENGTH],
            Message=json.dumps(message),
            MessageAttributes={
                "severity": {"DataType": "String", "StringValue": alert.urgency.value},
                "condition": {"DataType": "String", "StringValue": alert.condition},
            },
        )
    except (BotoCoreError, ClientError) as error:
        log.error("alert %s is not sent yet: %s", alert.alert_id, type(error).__name__)  # noqa: TRY400 - AWS's own
        return False
    return True


def _mark(alert: Alert, event: Event, changed: Alert) -> Alert:
    """Keep what was done with an alert; where somebody changed it meanwhile, theirs counts."""
    row = AlertTable.of(changed)
    try:
        with transaction(ALERTER) as tx:
            tx.replace(row)
            tx.audit(event, **_fields(alert))
    except Conflict:
        return find(alert.alert_id)
    return row.record()


def _fields(alert: Alert) -> dict[str, Any]:
    return {
        "alert_id": alert.alert_id,
        "condition": alert.condition,
        "about": alert.about,
        "severity": alert.urgency.value,
    }


def find(alert_id: str) -> Alert:
    """One alert, read consistently.

    Raises:
        AlertNotFound: no such alert.
    """
    found = AlertTable.find(alert_id)
    if found is None:
        raise AlertNotFound(f"There is no alert {alert_id!r}.")
    return found


def listed(*, limit: int, position: Position | None = None, status: AlertStatus | None = None) -> Page[Alert]:
    """Alerts, those raised last first: all, or of one status."""
    return store.alerts_page(limit=limit, position=position, status=status)


def acknowledge(alert_id: str, *, actor: Actor) -> Alert:
    """Take on an open alert: it is escalated no more.

    Raises:
        AlertNotFound: no such alert.
        AlertSettled: it is acknowledged or over.
    """
    found = find(alert_id)
    if found.status is not AlertStatus.OPEN:
        raise AlertSettled(f"Alert {alert_id} is {found.status}; only an open one can be acknowledged.")
    with transaction(actor) as tx:
        tx.update(
            AlertTable.of(found),
            [
                AlertTable.status.set(AlertStatus.ACKNOWLEDGED),
                AlertTable.status_feed.set(feed(AlertStatus.ACKNOWLEDGED, alert_id)),
                AlertTable.acknowledged_by.set(str(actor)),
                AlertTable.acknowledged_at.set(clock.now()),
            ],
        )
        tx.audit(AlertEvent.ACKNOWLEDGED, **_fields(found))
    return find(alert_id)


def end(alert_id: str, *, actor: Actor) -> Alert:
    """Say that the condition of an alert holds no more: noticed again, it is sent again.

    Raises:
        AlertNotFound: no such alert.
        AlertSettled: it is over already.
    """
    found = find(alert_id)
    if found.status is AlertStatus.OVER:
        raise AlertSettled(f"Alert {alert_id} is over already.")
    with transaction(actor) as tx:
        tx.update(
            AlertTable.of(found),
            [
                AlertTable.status.set(AlertStatus.OVER),
                AlertTable.status_feed.set(feed(AlertStatus.OVER, alert_id)),
            ],
        )
        tx.audit(AlertEvent.OVER, **_fields(found))
    return find(alert_id)


def try_way(*, actor: Actor) -> Alert:
    """Send a test alert, by whoever wants to know whether alerts arrive."""
    noticed = Noticed(TEST, str(actor))
    raised = raise_alert(noticed, actor=actor)
    if raised.status is not AlertStatus.OVER:
        raised = end(raised.alert_id, actor=actor)  # the next test is sent again
    return raised


def _of(status: AlertStatus) -> Iterator[Alert]:
    for page in pages(lambda at: listed(limit=PAGE, position=at, status=status)):
        yield from page.records


def send_due() -> int:
    """Send what is due, and escalate what nobody acknowledged; returns how many were looked at."""
    return each(list(_of(AlertStatus.OPEN)), _send_or_escalate)


def _send_or_escalate(alert: Alert) -> None:
    if alert.sent_at is None:
        send(alert)
    elif _is_neglected(alert):
        topic = settings.ALERT_ESCALATION_TOPIC_ARN or settings.ALERT_TOPIC_ARN
        if _publish(alert, topic=topic, escalated=True):
            _mark(alert, AlertEvent.ESCALATED, replace(alert, escalated_at=clock.now()))


def _is_neglected(alert: Alert) -> bool:
    if alert.urgency is not Urgency.CRITICAL or alert.escalated_at is not None or alert.sent_at is None:
        return False
    return alert.sent_at < clock.ago(60 * settings.ALERT_ESCALATE_MINUTES)


def _without_counts(what: str) -> str:
    """What is stuck, without numbers that change: "messages that wait (2 in flight)" is one alert, however many fly."""
    return re.sub(r"\s*\([^)]*\)$", "", what)


def look() -> int:
    """Raise an alert of each thing that is stuck, and end those of what is not any more; returns how many are.

    What may pass a moment later is one once the look before found it, too.
    """
    found = {_without_counts(one.what): one for one in standstill.found()}
    passing = {what for what, one in found.items() if one.may_pass}
    new = _not_seen_before(passing) if passing else set()
    for what, one in found.items():
        if what in new:
            continue
        raise_alert(
            Noticed(WAITING, what, {"count": one.count, "action": one.action, "examples": list(one.examples)})
        )
    end_where(WAITING, lambda about: about not in found)
    return len(found)


def _not_seen_before(passing: set[str]) -> set[str]:
    seen: set[str] = cache.get(_SEEN, set())
    cache.set(_SEEN, passing, timeout=1.5 * Schedule.SWEEP.interval.total_seconds())
    return passing - seen


def end_where(condition: Condition, is_over: Callable[[str], bool]) -> None:
    """End the alerts of a condition about what it does not hold for any more."""
    for status in (AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED):
        for alert in list(_of(status)):
            if alert.condition == condition.name and is_over(alert.about):
                with suppress(AlertSettled, Conflict):
                    end(alert.alert_id, actor=ALERTER)
