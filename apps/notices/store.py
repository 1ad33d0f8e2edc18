"""Tables of webhooks and their deliveries."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from apps.common.authenticated import is_authentic, make_tag
from apps.common.dynamodb import (
    EnumAttribute,
    ObjectAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    WordsAttribute,
    authentic,
    feed,
    index,
    meta,
    page,
    partitions,
    sort_key,
)
from apps.notices.records import Delivery, DeliveryState, Webhook

LISTED = "all"


class WebhookTable(Table[Webhook]):
    Meta = meta("webhooks")
    record_type = Webhook
    by_feed = index("feed", "feed")

    webhook_id = UnicodeAttribute(hash_key=True)
    url = UnicodeAttribute()
    types = WordsAttribute()
    made_by = UnicodeAttribute()
    made_at = TimeAttribute()
    secret_key = UnicodeAttribute()
    active = BooleanAttribute()

    @classmethod
    def index_keys(cls, record: Webhook) -> dict[str, Any]:
        return {"feed": feed(LISTED, record.webhook_id), "sort": sort_key(record.made_at, record.webhook_id)}


class DeliveryTable(Table[Delivery]):
    Meta = meta("deliveries")
    record_type = Delivery
    undeciding = (
        "What is told to whom carries a seal of its own, as it is signed; how far that is decides nothing."
    )
    expires = True
    by_webhook = index("by_webhook", "webhook_feed")
    # Only what is pending, what is due first
    by_due = index("by_due", "due_feed", order=("due_at", TimeAttribute))

    webhook_id = UnicodeAttribute(hash_key=True)
    notice_id = UnicodeAttribute(range_key=True)
    type = UnicodeAttribute()
    document = ObjectAttribute()
    state = EnumAttribute(DeliveryState)
    made_at = TimeAttribute()
    due_at = TimeAttribute()
    attempts = NumberAttribute(default=0)
    answer = UnicodeAttribute(default="")
    delivered_at = TimeAttribute(null=True)
    ttl = NumberAttribute()
    webhook_feed = UnicodeAttribute(null=True)
    due_feed = UnicodeAttribute(null=True)

    @classmethod
    def of(cls, record: Delivery) -> "DeliveryTable":
        row = cast("DeliveryTable", super().of(record))
        row.tag = make_tag(cls.short_name(), row.told(), revision=1)
        return row

    def record(self) -> Delivery:
        if not self.malformed and not is_authentic(self.short_name(), self.told(), self.tag or ""):
            self.malformed = "its seal does not fit"
        return super().record()

    def told(self) -> dict[str, Any]:
        """What is signed and sent, and to whom."""
        told = {name: self.get_attributes()[name] for name in ("webhook_id", "notice_id", "type", "document")}
        values = self.attribute_values
        return {name: {one.attr_type: one.serialize(values.get(name))} for name, one in told.items()}

    @classmethod
    def index_keys(cls, record: Delivery) -> dict[str, Any]:
        pending = record.state is DeliveryState.PENDING
        return {
            "webhook_feed": feed(record.webhook_id, record.notice_id),
            "due_feed": feed(LISTED, record.notice_id) if pending else None,
            "sort": sort_key(record.made_at, record.notice_id),
        }


def webhooks_page(*, limit: int, position: Position | None) -> Page[Webhook]:
    """Webhooks, the newest first."""
    return page(WebhookTable.by_feed, LISTED, limit=limit, position=position)


def deliveries_page(webhook_id: str, *, limit: int, position: Position | None) -> Page[Delivery]:
    """Deliveries to a webhook, the newest first."""
    return page(DeliveryTable.by_webhook, webhook_id, limit=limit, position=position)


def due(moment: datetime) -> Iterator[Delivery]:
    """Deliveries that are pending and due, the longest first."""
    for part in partitions(LISTED):
        yield from authentic(DeliveryTable.by_due.query(part, DeliveryTable.due_at < moment))
