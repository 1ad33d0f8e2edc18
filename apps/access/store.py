"""The table of API clients."""

from typing import Any

from pynamodb.attributes import UnicodeAttribute

from apps.access.records import ApiClient, ClientStatus
from apps.access.roles import Role
from apps.common.dynamodb import (
    EnumAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    feed,
    index,
    meta,
    page,
    sort_key,
)

LISTED = "all"


class ClientTable(Table[ApiClient]):
    Meta = meta("api-clients")
    record_type = ApiClient
    by_feed = index("feed", "feed")

    client_id = UnicodeAttribute(hash_key=True)
    name = UnicodeAttribute()
    role = EnumAttribute(Role)
    status = EnumAttribute(ClientStatus)
    secret_hash = UnicodeAttribute()
    created_at = TimeAttribute()
    created_by = UnicodeAttribute()

    @classmethod
    def index_keys(cls, record: ApiClient) -> dict[str, Any]:
        return {"feed": feed(LISTED, record.client_id), "sort": sort_key(record.created_at, record.client_id)}


def clients_page(*, limit: int, position: Position | None) -> Page[ApiClient]:
    """Read a page of all clients, newest first."""
    return page(ClientTable.by_feed, LISTED, limit=limit, position=position)
