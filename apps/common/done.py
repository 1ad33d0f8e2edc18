"""What is remembered of a request that was done under an Idempotency-Key."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.common.authenticated import Record


@dataclass(frozen=True, slots=True)
class Done(Record):
    """A request that was done under a key."""

    claim_id: str  # of a principal and its key
    request: str  # "<id of the HMAC's key>.<HMAC of the request>"
    result: Mapping[str, Any]
    done_at: datetime
    ttl: int
