"""What happens to a field of a record, said on the field itself.

    size: Annotated[int | None, RENEWED, COPIED, SHOWN] = None

A field that says nothing but ``UNTOLD`` is wiped by shredding, stays with the document when it gets a new version, is
made again by re-encryption, and is not shown to the client. A test demands that every field says something. The tag is
not the record's but its row's: it goes along wherever the row is changed.
"""

from dataclasses import MISSING, Field, fields, replace
from enum import Enum
from typing import Any, TypeVar, get_type_hints

from apps.common.authenticated import Record

R = TypeVar("R")


class Trait(Enum):
    """What happens to a field."""

    SURVIVES = "survives shredding"
    RENEWED = "new with each version"
    COPIED = "copied by re-encryption"
    SHOWN = "shown to the client"
    UNTOLD = "none of these"


SURVIVES, RENEWED, COPIED, SHOWN, UNTOLD = Trait
_OF_THE_ROW = frozenset(field.name for field in fields(Record))


def traits_of(record_type: type[Any]) -> dict[str, frozenset[Trait]]:
    """What each field of a record says of itself."""
    hints = get_type_hints(record_type, include_extras=True)
    return {
        field.name: frozenset(
            one for one in getattr(hints[field.name], "__metadata__", ()) if isinstance(one, Trait)
        )
        for field in fields(record_type)
        if field.name not in _OF_THE_ROW
    }


def fields_with(record_type: type[Any], trait: Trait, *, without: bool = False) -> list[str]:
    """The fields that have a trait, or those ``without`` it."""
    return [name for name, traits in traits_of(record_type).items() if (trait in traits) is not without]


def values(record: Any, names: list[str]) -> dict[str, Any]:
    """Some fields of a record."""
    return {name: getattr(record, name) for name in names}


def as_shredded(record: R, *, text: str) -> R:
    """The record as shredding leaves it: only what ``SURVIVES``; ``text`` where there cannot be nothing."""
    record_type: type[Any] = type(record)
    told = traits_of(record_type)
    gone = {
        field.name: _empty(field, text)
        for field in fields(record)  # type: ignore[arg-type]
        if SURVIVES not in told.get(field.name, {SURVIVES})
    }
    return replace(record, **gone)  # type: ignore[type-var]


def _empty(field: "Field[Any]", text: str) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return text if field.default is MISSING else field.default
