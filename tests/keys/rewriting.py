"""Pool keys in states that tests need."""

from dataclasses import replace
from typing import Any

from apps.keys import seeds, services
from apps.keys.records import PoolKey
from apps.keys.store import PoolKeyTable


def rewritten(key: PoolKey, **attributes: Any) -> PoolKey:
    """The key, its record changed behind the platform's back."""
    PoolKeyTable.of(replace(key, **attributes)).save()
    seeds._kept.clear()
    return services.find(key.key_id)
