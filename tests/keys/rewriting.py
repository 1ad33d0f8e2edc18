"""Pool keys as the platform would have written them another time."""

from dataclasses import replace
from typing import Any

from apps.audit.tagging import tag_row
from apps.keys import services
from apps.keys.records import PoolKey
from apps.keys.store import PoolKeyTable


def rewritten(key: PoolKey, **attributes: Any) -> PoolKey:
    """A pool key with other attributes, written past the life that leads to them, and with its tag."""
    row = PoolKeyTable.of(replace(key, **attributes))
    tag_row(row)
    row.save()
    return services.find(key.key_id)
