"""Webhooks: made, ended, told at least once, their deliveries listed and replayed."""

import logging
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from pynamodb.exceptions import PutError, UpdateError

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import clock
from apps.common.authenticated import current_key
from apps.common.dynamodb import Page, Position, pages
from apps.common.errors import Invalid
from apps.common.sweeps import each
from apps.common.transient import code_of
from apps.notices import sending, store
from apps.notices.kinds import TYPES
from apps.notices.records import (
    Delivery,
    DeliveryNotFound,
    DeliveryState,
    Notice,
    Webhook,
    WebhookEnded,
    WebhookNotFound,
)
from apps.notices.sending import NotSent
from apps.notices.store import DeliveryTable, WebhookTable
from apps.notices.trail import WebhookEvent

log = logging.getLogger(__name__)
MOST_ATTEMPTS = 10  # the last after half a day
FIRST_WAIT = 60  # seconds, doubled with each attempt
KEPT = timedelta(days=30)
AT_ONCE_SECONDS = (
    5.0  # that new deliveries are tried for where the trail is followed; the sweep tries the rest
)
PAGE = 100


def make(*, url: str, types: Iterable[str], actor: Actor) -> tuple[Webhook, str]:
    """Make a webhook; returns it with its secret, which is not shown again.

    Raises:
        Invalid: the address, or a type that there is not.
    """
    sending.check_url(url)
    wanted = tuple(sorted(set(types)))
    if not wanted or not set(wanted) <= set(TYPES):
        raise Invalid.of("types", f"Any of {', '.join(TYPES)}.")
    made = Webhook(
        webhook_id=f"wh-{uuid.uuid4()}",
        url=url,
        types=wanted,
        made_by=str(actor),
        made_at=clock.now(),
        secret_key=current_key().key_id,
    )
    row = WebhookTable.of(made)
    with transaction(actor) as tx:
        tx.put(row)
        tx.audit(WebhookEvent.MADE, webhook_id=made.webhook_id, types=list(wanted))
    secret = sending.secret_of(made)
    assert secret is not None  # noqa: S101 - derived under the current key
    return row.record(), sending.as_text(secret)


def find(webhook_id: str) -> Webhook:
    """One webhook, read consistently.

    Raises:
        WebhookNotFound: no such webhook.
    """
    found = WebhookTable.find(webhook_id)
    if found is None:
        raise WebhookNotFound(f"There is no webhook {webhook_id!r}.")
    return found


def end(webhook_id: str, *, actor: Actor) -> Webhook:
    """Tell a webhook nothing more.

    Raises:
        WebhookNotFound: no such webhook.
        WebhookEnded: it is ended already.
    """
    found = find(webhook_id)
    if not found.active:
        raise WebhookEnded(f"Webhook {webhook_id} is ended already.")
    with transaction(actor) as tx:
        tx.update(WebhookTable.of(found), [WebhookTable.active.set(False)])
        tx.audit(WebhookEvent.ENDED, webhook_id=webhook_id)
    return find(webhook_id)


def listed(*, limit: int, position: Position | None = None) -> Page[Webhook]:
    """Webhooks, the newest first, ended ones among them."""
    return store.webhooks_page(limit=limit, position=position)


def deliveries(webhook_id: str, *, limit: int, position: Position | None = None) -> Page[Delivery]:
    """Deliveries to a webhook, the newest first.

    Raises:
        WebhookNotFound: no such webhook.
    """
    return store.deliveries_page(find(webhook_id).webhook_id, limit=limit, position=position)


def add(notices: Iterable[Notice]) -> list[Delivery]:
    """Have every webhook that asked for it told of each notice; returns the deliveries that are new. Idempotent."""
    wanted = list(notices)
    if not wanted:
        return []
    moment, new = clock.now(), []
    for webhook in _active():
        for notice in wanted:
            if notice.type not in webhook.types:
                continue
            made = Delivery(
                webhook_id=webhook.webhook_id,
                notice_id=notice.notice_id,
                type=notice.type,
                document=notice.as_document(),
                state=DeliveryState.PENDING,
                made_at=moment,
                due_at=moment,
                ttl=int((moment + KEPT).timestamp()),
            )
            try:
                DeliveryTable.of(made).save(condition=DeliveryTable.absent())
            except PutError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
            else:
                new.append(made)
    return new


def _active() -> list[Webhook]:
    found: list[Webhook] = []
    for page in pages(lambda at: listed(limit=PAGE, position=at)):
        found += [one for one in page.records if one.active]
    return found


def deliver_at_once(new: Iterable[Delivery]) -> None:
    """Try new deliveries for a short while; what is left, the sweep tries."""
    until = time.monotonic() + AT_ONCE_SECONDS
    for delivery in new:
        if time.monotonic() >= until:
            return
        try:
            deliver(delivery)
        except Exception:  # it stays due
            log.exception("delivery %s to %s is left to the sweep", delivery.notice_id, delivery.webhook_id)


def deliver_due() -> int:
    """Try every delivery that is due; returns how many were tried."""
    return each(store.due(clock.now()), deliver)


def deliver(delivery: Delivery) -> Delivery:
    """Try one delivery, and note how it ended."""
    attempts, moment = int(delivery.attempts) + 1, clock.now()
    webhook = WebhookTable.find(delivery.webhook_id)
    if webhook is None or not webhook.active:
        return _note(delivery, replace(delivery, state=DeliveryState.FAILED, answer="webhook ended"))
    try:
        answer = sending.post(webhook, delivery, timestamp=int(moment.timestamp()))
    except NotSent as error:
        over = attempts >= MOST_ATTEMPTS
        wait = timedelta(seconds=FIRST_WAIT * 2 ** (attempts - 1))
        tried = replace(
            delivery,
            attempts=attempts,
            answer=str(error),
            due_at=moment + wait,
            state=DeliveryState.FAILED if over else DeliveryState.PENDING,
        )
        return _note(delivery, tried)
    done = replace(
        delivery, attempts=attempts, answer=answer, state=DeliveryState.DELIVERED, delivered_at=moment
    )
    return _note(delivery, done)


def _note(before: Delivery, after: Delivery) -> Delivery:
    """Write how an attempt ended, unless another process tried meanwhile: then theirs counts."""
    row = DeliveryTable.of(after)
    same = (DeliveryTable.state == before.state) & (DeliveryTable.attempts == int(before.attempts))
    with suppress(PutError, UpdateError):
        row.save(condition=same)
    return after


def replay(webhook_id: str, notice_id: str, *, actor: Actor) -> Delivery:
    """Send a delivery once more, whatever became of it.

    Raises:
        WebhookNotFound, DeliveryNotFound: no such webhook, or it was not told of this.
        WebhookEnded: the webhook is ended.
    """
    if not find(webhook_id).active:
        raise WebhookEnded(f"Webhook {webhook_id} is ended.")
    found = DeliveryTable.find(webhook_id, notice_id)
    if found is None:
        raise DeliveryNotFound(f"Webhook {webhook_id} was not told of {notice_id!r} in the last 30 days.")
    again = replace(found, state=DeliveryState.PENDING, attempts=0, due_at=clock.now(), delivered_at=None)
    row = DeliveryTable.of(again)
    with transaction(actor) as tx:
        tx.replace(row, condition=DeliveryTable.present())
        tx.audit(WebhookEvent.REPLAYED, webhook_id=webhook_id, notice_id=notice_id)
    return deliver(again)
