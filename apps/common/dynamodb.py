"""What every DynamoDB table here shares: attribute types, feeds and pages, and the list of all tables.

A *feed* is the partition of an index that a list is read from: ``"<name>#<shard>"``, ordered by
``sort`` (``"<time>#<id>"``). One shard (the default) makes one Query a page. Where a partition would be
too hot for that (about 1,000 writes a second), ``FEED_SHARDS`` spreads it, and a page merges one Query
per shard. A cursor is the sort key where the page ended, so it does not depend on the shards.
"""

import importlib
import importlib.util
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from functools import cache
from heapq import merge
from itertools import islice
from typing import Any, ClassVar, Generic, TypeVar
from zlib import crc32

from django.apps import apps
from django.conf import settings
from pynamodb.attributes import Attribute, UnicodeAttribute
from pynamodb.connection import Connection, TableConnection
from pynamodb.constants import PAY_PER_REQUEST_BILLING_MODE
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, Projection
from pynamodb.models import Model

from apps.common import clock
from apps.common.errors import Unavailable

_sharing = threading.Lock()
RecordT = TypeVar("RecordT")
EnumT = TypeVar("EnumT", bound=StrEnum)


@cache
def connection() -> Connection:
    """Return this process's connection to DynamoDB."""
    return Connection(
        region=settings.AWS_REGION, connect_timeout_seconds=3, read_timeout_seconds=10, max_retry_attempts=3
    )


class EnumAttribute(Attribute[EnumT], Generic[EnumT]):
    """A StrEnum, stored as its value."""

    attr_type = "S"

    def __init__(self, enum: type[EnumT], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.enum = enum

    def serialize(self, value: EnumT) -> str:
        return value.value

    def deserialize(self, value: str) -> EnumT:
        return self.enum(value)


class TimeAttribute(Attribute[datetime]):
    """A moment in UTC, ISO 8601 with microseconds: text order is time order."""

    attr_type = "S"

    def serialize(self, value: datetime) -> str:
        return clock.as_text(value)

    def deserialize(self, value: str) -> datetime:
        return clock.from_text(value)


class DocumentAttribute(Attribute[Mapping[str, Any]]):
    """A small JSON document."""

    attr_type = "S"

    def serialize(self, value: Mapping[str, Any]) -> str:
        return json.dumps(value, separators=(",", ":"), sort_keys=True)

    def deserialize(self, value: str) -> Mapping[str, Any]:
        document: Mapping[str, Any] = json.loads(value)
        return document


class Table(Model, Generic[RecordT]):
    """A table whose rows are the fields of a record (a frozen dataclass), plus index keys."""

    record_type: ClassVar[type[Any]]
    feed = UnicodeAttribute(null=True)  # partition of the list of all
    sort = UnicodeAttribute(null=True)  # place in every list

    @classmethod
    def _get_connection(cls) -> TableConnection:
        """Share one client between all tables: making one for each takes longer than a cold start may."""
        made = super()._get_connection()
        with _sharing:
            if made.connection is not connection():
                connection().add_meta_table(made.get_meta_table())
                made.connection = connection()
        return made

    @classmethod
    def of(cls, record: RecordT) -> "Table[RecordT]":
        """Return the row of a record; ``index_keys`` adds what the indexes are read by."""
        values = {field.name: getattr(record, field.name) for field in fields(record)}  # type: ignore[arg-type]
        return cls(**values, **cls.index_keys(record))

    @classmethod
    def index_keys(cls, record: RecordT) -> dict[str, Any]:  # noqa: ARG003 - for tables without indexes
        return {}

    def record(self) -> RecordT:
        """Return the record of a row. Fields that an index does not project are None."""
        made: RecordT = self.record_type(**{f.name: getattr(self, f.name) for f in fields(self.record_type)})
        return made

    @property
    def key(self) -> Any:
        """The row's partition key."""
        return getattr(self, str(self._hash_keyname))

    @classmethod
    def _ttl_attribute(cls) -> Attribute[Any] | None:
        """Return the attribute after which DynamoDB removes rows, a number named ``ttl``, if the table has one."""
        return cls.get_attributes().get("ttl")

    @classmethod
    def absent(cls) -> Condition:
        """Return the condition that no row has this key yet."""
        key: Attribute[Any] = cls._hash_key_attribute()  # type: ignore[no-untyped-call]
        return key.does_not_exist()

    @classmethod
    def present(cls) -> Condition:
        """Return the condition that a row has this key: else an update would make one."""
        key: Attribute[Any] = cls._hash_key_attribute()  # type: ignore[no-untyped-call]
        return key.exists()

    @classmethod
    def find(cls, hash_key: Any, range_key: Any = None) -> RecordT | None:
        """Read the record under a key consistently; return None where there is none."""
        if not is_key(hash_key):
            return None
        try:
            return cls.get(hash_key, range_key, consistent_read=True).record()
        except DoesNotExist:
            return None


def find_together(*wanted: tuple[type[Table[Any]], str]) -> list[Any]:
    """Read records of several tables consistently by one BatchGetItem; those that do not exist are None.

    Raises:
        Unavailable: DynamoDB answered for some of them only.
    """
    keys = {
        table.Meta.table_name: {"Keys": [{str(table._hash_keyname): {"S": key}}], "ConsistentRead": True}  # noqa: SLF001
        for table, key in wanted
    }
    answer = connection().dispatch("BatchGetItem", {"RequestItems": keys})
    if answer.get("UnprocessedKeys"):  # throttled, or over 16 MB: the client asks again
        raise Unavailable("The database is busy. Try again in a moment.")
    rows = [answer["Responses"].get(table.Meta.table_name) for table, _ in wanted]
    return [
        table.from_raw_data(found[0]).record() if found else None
        for (table, _), found in zip(wanted, rows, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Page(Generic[RecordT]):
    """A page of a list, newest first; ``older`` and ``newer`` are the sort keys to go on from."""

    records: list[RecordT]
    older: str | None = None
    newer: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page starts: just below (older than) or just above (newer than) a sort key."""

    sort: str
    older: bool = True


def is_key(value: str) -> bool:
    """Return whether DynamoDB takes a text as a partition key: 1 to 2,048 bytes."""
    return 0 < len(value.encode()) <= 2048


def sort_key(moment: datetime, identifier: str) -> str:
    """A place in a list: by time, then by id, so that no two rows share it."""
    return f"{clock.as_text(moment)}#{identifier}"


def feed(name: str, identifier: str) -> str:
    """Return the partition that lists a row."""
    return f"{name}#{crc32(identifier.encode()) % settings.FEED_SHARDS}"


def partitions(name: str) -> list[str]:
    """Return every partition of a feed."""
    return [f"{name}#{shard}" for shard in range(settings.FEED_SHARDS)]


def page(
    index: GlobalSecondaryIndex[Any], name: str, *, limit: int, position: Position | None = None
) -> Page[Any]:
    """Read one page of a feed, newest first, by one Query for each shard (I6)."""
    ascending = position is not None and not position.older
    condition = None
    if position is not None:
        condition = Table.sort > position.sort if ascending else Table.sort < position.sort
    streams: list[Iterator[Any]] = [
        iter(index.query(partition, condition, scan_index_forward=ascending, limit=limit + 1))
        for partition in partitions(name)
    ]
    rows = list(islice(merge(*streams, key=lambda row: row.sort, reverse=not ascending), limit + 1))
    more, rows = len(rows) > limit, rows[:limit]
    if ascending:
        rows.reverse()
    if not rows:
        return Page([])
    has_older, has_newer = (True, more) if ascending else (more, position is not None)
    return Page(
        [row.record() for row in rows],
        older=rows[-1].sort if has_older else None,
        newer=rows[0].sort if has_newer else None,
    )


def pages(page_at: Callable[[Position | None], Page[RecordT]]) -> Iterator[Page[RecordT]]:
    """Yield every page of a list that is not empty, newest first, whatever changes meanwhile."""
    position: Position | None = None
    while True:
        found = page_at(position)
        if found.records:
            yield found
        if found.older is None:
            return
        position = Position(found.older)


def all_tables() -> list[type[Table[Any]]]:
    """Return every concrete table of the installed apps, by importing their ``store`` modules."""
    for config in apps.get_app_configs():
        name = f"{config.name}.store"
        if config.name.startswith("apps.") and importlib.util.find_spec(name):
            importlib.import_module(name)
    return [table for table in Table.__subclasses__() if hasattr(table, "Meta")]


def index(
    name: str,
    partition: str,
    *,
    order: tuple[str, type[Attribute[Any]]] = ("sort", UnicodeAttribute),
    projection: Projection | None = None,
) -> GlobalSecondaryIndex[Any]:
    """Make a global secondary index.

    Args:
        name: the index's name.
        partition: the attribute that partitions it.
        order: the attribute that orders it, and its type.
        projection: what it holds; whole rows by default.
    """
    attributes = {
        "Meta": type("Meta", (), {"index_name": name, "projection": projection or AllProjection()}),
        partition: UnicodeAttribute(hash_key=True),
        order[0]: order[1](range_key=True),
    }
    made: GlobalSecondaryIndex[Any] = type("Index", (GlobalSecondaryIndex,), attributes)()
    return made


def meta(name: str, **extra: Any) -> Any:
    """Make a table's PynamoDB ``Meta``: the prefixed name, and what all tables share."""
    shared = {
        "table_name": f"{settings.TABLE_PREFIX}-{name}",
        "region": settings.AWS_REGION,
        "billing_mode": PAY_PER_REQUEST_BILLING_MODE,
    }
    return type("Meta", (), shared | extra)
