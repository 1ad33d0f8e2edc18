"""API keys that end soon and have no successor: told once a day, so that nobody is locked out unawares."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings

from apps.access import principals, store
from apps.access.records import ApiKey, KeyStatus
from apps.access.trail import ApiKeyEvent
from apps.audit.records import Actor
from apps.audit.services import record
from apps.common import clock
from apps.common.dynamodb import pages
from apps.common.sweeps import each

PAGE = 100


def tell(*, actor: Actor) -> int:
    """Record every API key that ends soon, unless its principal has one that does not; returns how many.

    One that was rotated ends as it should: its successor does not.
    """
    return each(list(_ending(clock.now())), lambda key: _record(key, actor))


def _ending(moment: datetime) -> Iterator[ApiKey]:
    soon = moment + timedelta(days=settings.EXPIRY_WARNING_DAYS)
    active: dict[str, list[ApiKey]] = defaultdict(list)
    for page in pages(lambda at: store.keys_page(limit=PAGE, position=at)):
        for key in page.records:
            if key.status is KeyStatus.ACTIVE and (key.expires_at is None or key.expires_at > moment):
                active[key.principal_id].append(key)
    for principal_id, keys in active.items():
        if all(key.expires_at is not None and key.expires_at <= soon for key in keys):
            found = principals.find_all(principal_id).get(principal_id)
            if found is not None and found.active:
                yield max(keys, key=lambda key: key.expires_at or soon)


def _record(key: ApiKey, actor: Actor) -> None:
    ends = None if key.expires_at is None else clock.as_text(key.expires_at)
    record(actor, ApiKeyEvent.EXPIRING, api_key=key.key_id, principal=key.principal_id, expires_at=ends)
