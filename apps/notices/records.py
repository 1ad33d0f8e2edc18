"""Domain events: what happened, told to other systems by ids only; and who asked to be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from apps.common import tracing
from apps.common.authenticated import Record
from apps.common.errors import NotFound, Refused
from apps.common.tracing import Trace


class WebhookNotFound(NotFound):
    """No such webhook."""


class DeliveryNotFound(NotFound):
    """No such delivery."""


class WebhookEnded(Refused):
    """The webhook is ended: nothing is sent to it."""


class DeliveryState(StrEnum):
    """``pending`` until the receiver answered with 2xx, or too many attempts failed."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Notice:
    """One domain event. Its id is its entry's in the trail: the same event told twice has the same."""

    notice_id: str
    type: str
    time: str
    data: Mapping[str, str]

    @property
    def trace(self) -> Trace | None:
        """The trace of the request that led to it."""
        return tracing.of_detail(self.data)

    def as_document(self) -> dict[str, Any]:
        """As it is sent."""
        return {"id": self.notice_id, "type": self.type, "time": self.time, "data": dict(self.data)}


@dataclass(frozen=True, slots=True)
class Webhook(Record):
    """An address that is told. Its secret is kept nowhere: it is derived under the record key that ``secret_key`` names."""

    webhook_id: str
    url: str
    types: tuple[str, ...]
    made_by: str
    made_at: datetime
    secret_key: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice to one webhook, and how far it is."""

    webhook_id: str
    notice_id: str
    type: str
    document: Mapping[str, Any]
    state: DeliveryState
    made_at: datetime
    due_at: datetime
    attempts: int = 0
    answer: str = ""  # of the last attempt: a status, or the kind of failure
    delivered_at: datetime | None = None
    ttl: int = field(default=0)
