"""Types of attributes that PynamoDB does not have."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pynamodb.attributes import Attribute

from apps.common import clock

EnumT = TypeVar("EnumT", bound=StrEnum)


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


class ObjectAttribute(DocumentAttribute):
    """A small JSON object; a list, a text or a number in its place is malformed."""

    def deserialize(self, value: str) -> Mapping[str, Any]:
        document = super().deserialize(value)
        if not isinstance(document, dict):
            raise ValueError("It is no JSON object.")  # noqa: TRY004 - of what is stored, not of a caller's
        return document


class PackedAttribute(Attribute[Mapping[str, Any]]):
    """A JSON object of which one field is base64: that is stored as the bytes it stands for, without base64's third.

    The object, a line feed, the bytes; without a line feed where the field is missing, or not what base64 writes.
    """

    attr_type = "B"

    def __init__(self, packed: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.packed = packed

    def serialize(self, value: Mapping[str, Any]) -> bytes:
        data = _as_bytes(value.get(self.packed))
        rest = {name: one for name, one in value.items() if data is None or name != self.packed}
        text = json.dumps(rest, separators=(",", ":"), sort_keys=True).encode()
        return text if data is None else text + b"\n" + data

    def deserialize(self, value: bytes) -> Mapping[str, Any]:
        text, line, data = value.partition(b"\n")
        document: dict[str, Any] = json.loads(text)
        if not isinstance(document, dict):
            raise ValueError("It is no JSON object.")  # noqa: TRY004 - of what is stored, not of a caller's
        return document | {self.packed: base64.b64encode(data).decode()} if line else document


def _as_bytes(text: object) -> bytes | None:
    """What a text stands for that base64 wrote; None for any other."""
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except ValueError:
        return None
    return data if data is not None and base64.b64encode(data).decode() == text else None


class WordsAttribute(Attribute[tuple[str, ...]]):
    """A few words, in order."""

    attr_type = "S"

    def serialize(self, value: tuple[str, ...]) -> str:
        return json.dumps(list(value), separators=(",", ":"))

    def deserialize(self, value: str) -> tuple[str, ...]:
        return tuple(str(word) for word in json.loads(value))
