"""What every DynamoDB table here shares: attribute types, feeds and pages, and the list of all tables.

A *feed* is the partition of an index that a list is read from: ``"<name>#<shard>"``, ordered by
``sort`` (``"<time>#<id>"``). One shard (the default) makes one Query a page. Where a partition would be
too hot for that (about 1,000 writes a second), ``FEED_SHARDS`` spreads it, and a page merges one Query
per shard. A cursor is the sort key where the page ended, so it does not depend on the shards.
"""

import importlib
import importlib.util
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
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
from apps.common.authenticated import Record, RecordForged, is_authentic
from apps.common.errors import Unavailable

log = logging.getLogger(__name__)
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


class WordsAttribute(Attribute[tuple[str, ...]]):
    """A few words, in order."""

    attr_type = "S"

    def serialize(self, value: tuple[str, ...]) -> str:
        return json.dumps(list(value), separators=(",", ":"))

    def deserialize(self, value: str) -> tuple[str, ...]:
        return tuple(str(word) for word in json.loads(value))


class Table(Model, Generic[RecordT]):
    """A table whose rows are the fields of a record (a frozen dataclass), plus index keys."""

    record_type: ClassVar[type[Any]]
    # Fields outside of the tag: counters and marks that decide nothing, so that adding to them leaves the tag alone.
    outside: ClassVar[frozenset[str]] = frozenset()
    # Why a table's rows carry no tag, where they carry none.
    undeciding: ClassVar[str] = ""
    # Whether a time to live removes rows, which then leave no entry.
    expires: ClassVar[bool] = False
    feed = UnicodeAttribute(null=True)  # partition of the list of all
    sort = UnicodeAttribute(null=True)  # place in every list
    tag = UnicodeAttribute(null=True)

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
        """Return the record of a row that was read whole, once its tag is checked.

        Raises:
            RecordForged: the platform did not write it so.
        """
        if self.is_tagged() and not self.is_authentic():
            log.error("the row %s is not authentic", self.row_name)
            raise RecordForged(
                f"The record {self.row_name} was changed outside of the platform; tell the operator."
            )
        made_of = self.record_class()
        made: RecordT = made_of(**{f.name: getattr(self, f.name) for f in fields(made_of)})
        return made

    def record_class(self) -> type[Any]:
        """Return which record the row holds; a table of several kinds of records says which."""
        return self.record_type

    def is_authentic(self) -> bool:
        """Return whether the row's tag is the platform's for what the row holds."""
        return is_authentic(self.tagged_as(), self.deciding(), self.tag or "")

    def tagged_as(self) -> str:
        """Return what its tag binds a row to beside its fields: the table, and the kind of record."""
        return f"{self.short_name()}/{self.record_class().__name__}"

    @classmethod
    def is_tagged(cls) -> bool:
        """Return whether rows of this table carry a tag."""
        return issubclass(cls.record_type, Record)

    @classmethod
    def short_name(cls) -> str:
        """Return the table's name without its prefix."""
        return str(cls.Meta.table_name).removeprefix(f"{settings.TABLE_PREFIX}-")

    @property
    def row_name(self) -> str:
        """Names the row in the trail: table and key."""
        range_key = getattr(self, str(self._range_keyname)) if self._range_keyname else None
        return f"{self.short_name()}/{self.key}" + ("" if range_key is None else f"/{range_key}")

    def deciding(self) -> dict[str, Any]:
        """Return the fields that the tag covers, as ``{attribute: {type: value}}``."""
        values = self.attribute_values
        return {
            attribute.attr_name: {attribute.attr_type: attribute.serialize(values[name])}
            for name, attribute in _covered(type(self), self.record_class()).items()
            if values.get(name) is not None
        }

    def covers(self, attribute: str) -> bool:
        """Return whether the tag covers an attribute, by its name in the table."""
        covered = _covered(type(self), self.record_class())
        return any(found.attr_name == attribute for found in covered.values())

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


_covering: dict[tuple[type[Any], type[Any]], dict[str, Attribute[Any]]] = {}


def _covered(table: type[Table[Any]], record: type[Any]) -> dict[str, Attribute[Any]]:
    found = _covering.get((table, record))
    if found is None:
        names = {f.name for f in fields(record)} - table.outside - {"tag"}
        found = {name: table.get_attributes()[name] for name in sorted(names)}
        _covering[table, record] = found
    return found


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
    left_out: tuple[
        str, ...
    ] = ()  # rows that are not authentic, or not of this list; who decides by it heeds them


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
    records, left_out = _belonging(rows, partition_key(index), name)
    return Page(
        records,
        older=rows[-1].sort if has_older else None,
        newer=rows[0].sort if has_newer else None,
        left_out=left_out,
    )


def authentic(rows: Iterable["Table[RecordT]"]) -> Iterator[RecordT]:
    """Yield the records of rows, without those that somebody else wrote: one of them must not stop a sweep."""
    for row in rows:
        with suppress(RecordForged):  # logged there, with the row's name
            yield row.record()


def partition_key(index: GlobalSecondaryIndex[Any]) -> str:
    """Return the attribute that partitions an index."""
    attribute: Attribute[Any] = index._hash_key_attribute()  # type: ignore[no-untyped-call] # noqa: SLF001
    return attribute.attr_name


def _belonging(rows: list[Any], partition: str, name: str) -> tuple[list[Any], tuple[str, ...]]:
    """The records of the rows that belong in a list, and the names of the others, which were forged or moved here."""
    records: list[Any] = []
    left_out: list[str] = []
    for row in rows:
        try:
            record = row.record()
        except RecordForged:  # logged there
            left_out.append(row.row_name)
            continue
        if row.is_tagged() and partition in misplaced(row, record):
            log.error("the row %s does not belong in the list %s", row.row_name, name)
            left_out.append(row.row_name)
        else:
            records.append(record)
    return records, tuple(left_out)


def misplaced(row: Table[RecordT], record: RecordT) -> list[str]:
    """Return the index keys of a row that are others than its record gives: the lists that it was moved in or hidden from."""
    return sorted(
        key for key, derived in row.index_keys(record).items() if _differs(key, getattr(row, key), derived)
    )


def _differs(key: str, stored: Any, derived: Any) -> bool:
    if key.endswith("feed") and stored and derived:
        # The shard follows from the FEED_SHARDS of its time: any will do
        return str(stored).rpartition("#")[0] != str(derived).rpartition("#")[0]
    return bool(stored != derived)


def pages(page_at: Callable[[Position | None], Page[RecordT]]) -> Iterator[Page[RecordT]]:
    """Yield every page of a list that is not empty, newest first, whatever changes meanwhile."""
    position: Position | None = None
    while True:
        found = page_at(position)
        if found.records or found.left_out:
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
