"""Tables whose rows are records: made, tagged, checked, found."""

import importlib
import importlib.util
import logging
import threading
from dataclasses import fields
from typing import Any, ClassVar, Generic, Self, TypeVar

from django.apps import apps
from django.conf import settings
from pynamodb.attributes import Attribute, UnicodeAttribute
from pynamodb.connection import TableConnection
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition
from pynamodb.models import Model

from apps.common.authenticated import Record, RecordForged, is_authentic
from apps.common.dynamodb.connection import connection
from apps.common.errors import Unavailable

log = logging.getLogger(__name__)
# What reading an attribute raises that holds something else than its type says
_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError)
_sharing = threading.Lock()
RecordT = TypeVar("RecordT")


def is_key(value: str) -> bool:
    """Return whether DynamoDB takes a text as a partition key: 1 to 2,048 bytes."""
    return 0 < len(value.encode()) <= 2048


def _is_sort_key(value: Any) -> bool:
    """Return whether DynamoDB takes a value as a sort key: a text of 1 to 1,024 bytes, or a number."""
    return not isinstance(value, str) or 0 < len(value.encode()) <= 1024


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
    malformed = ""  # why no record can be made of a row that was read

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        """Return the row that DynamoDB gave; one that somebody spoiled has its keys and places only, and says why.

        So a page or a scan goes on past it, and whoever asks for its record is told its name.
        """
        try:
            return super().from_raw_data(data)
        except _MALFORMED as error:
            row = cls()
            for name, attribute in cls.get_attributes().items():
                if attribute.is_hash_key or attribute.is_range_key or name == "sort" or name.endswith("feed"):
                    row.attribute_values[name] = _as_far(attribute, data.get(attribute.attr_name, {}))
            row.malformed = f"{type(error).__name__}: {str(error)[:200]}"
            return row

    @classmethod
    def _get_connection(cls) -> TableConnection:
        """Share one client between all tables: making one for each takes longer than a cold start may.

        By one thread at a time: two that made one each would both tell the shared client of the table, which refuses.
        """
        made = cls._connection
        if made is None or made.connection is not connection():
            with _sharing:
                made = super()._get_connection()
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
            RecordForged: the platform did not write it so, or nothing can be made of it.
        """
        if self.malformed or (self.is_tagged() and not self.is_authentic()):
            log.error(
                "the row %s is not authentic%s", self.row_name, self.malformed and f" ({self.malformed})"
            )
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
        return not self.malformed and is_authentic(self.tagged_as(), self.deciding(), self.tag or "")

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
        return f"{self.short_name()}/{self.key}" + ("" if self.range_key is None else f"/{self.range_key}")

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

    @property
    def range_key(self) -> Any:
        """The row's sort key; None in a table that has none."""
        return getattr(self, str(self._range_keyname)) if self._range_keyname else None

    @property
    def whole_key(self) -> Any:
        """What names the row: its partition key, with its sort key in a table that has one."""
        return (self.key, self.range_key) if self._range_keyname else self.key

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
        if not is_key(hash_key) or not _is_sort_key(range_key):
            return None
        try:
            return cls.get(hash_key, range_key, consistent_read=True).record()
        except DoesNotExist:
            return None


def _as_far(attribute: Attribute[Any], stored: dict[str, Any]) -> Any:
    """Return a value as its attribute reads it; as it is stored where that cannot be read."""
    value = next(iter(stored.values()), None)
    try:
        return None if value is None else attribute.deserialize(value)
    except _MALFORMED:
        return value


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


def all_tables() -> list[type[Table[Any]]]:
    """Return every concrete table of the installed apps, by importing their ``store`` modules."""
    for config in apps.get_app_configs():
        name = f"{config.name}.store"
        if config.name.startswith("apps.") and importlib.util.find_spec(name):
            importlib.import_module(name)
    return [table for table in Table.__subclasses__() if hasattr(table, "Meta")]
