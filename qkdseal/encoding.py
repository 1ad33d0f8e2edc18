"""Strict readers for what comes from outside: each value has one spelling, and all else is ``PackageInvalid``."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from qkdseal.errors import PackageInvalid


def encode_fields(*fields: bytes) -> bytes:
    """The fields, each behind its length (4 bytes, big-endian), so that no two lists give the same bytes."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def to_base64(data: bytes) -> str:
    """The data in base64 (RFC 4648 section 4), padded."""
    return base64.b64encode(data).decode("ascii")


def to_json(value: Mapping[str, Any]) -> str:
    """The object as compact ASCII JSON with sorted names."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def json_object(text: str, *, limit: int) -> dict[str, Any]:
    """The JSON object in a text of at most ``limit`` characters.

    Raises:
        PackageInvalid: the text is longer, no JSON object, or repeats a name.
    """
    if len(text) > limit:
        raise PackageInvalid
    try:
        value = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        raise PackageInvalid from None
    if not isinstance(value, dict):
        raise PackageInvalid
    return value


class Fields:
    """Reads the fields of a parsed object, each once and by type; ``refuse_rest`` refuses what was not read."""

    def __init__(self, value: object) -> None:
        if not isinstance(value, Mapping):
            raise PackageInvalid
        self._left: dict[object, object] = dict(value)

    def text(self, name: str, *, limit: int) -> str:
        """A string of at most ``limit`` characters."""
        value = self._left.pop(name, None)
        if not isinstance(value, str) or len(value) > limit:
            raise PackageInvalid
        return value

    def data(self, name: str, *, limit: int) -> bytes:
        """At most ``limit`` bytes in base64, in its one canonical spelling."""
        text = self.text(name, limit=limit // 3 * 4 + 4)
        try:
            data = base64.b64decode(text, validate=True)
        except ValueError:
            raise PackageInvalid from None
        if len(data) > limit or to_base64(data) != text:
            raise PackageInvalid
        return data

    def number(self, name: str) -> int:
        """An integer; true and false are not integers."""
        value = self._left.pop(name, None)
        if not isinstance(value, int) or isinstance(value, bool):
            raise PackageInvalid
        return value

    def fields(self, name: str) -> "Fields":
        """An object within this one."""
        return Fields(self._left.pop(name, None))

    def has(self, name: str) -> bool:
        """Return whether an optional field is present and not yet read."""
        return name in self._left

    def refuse_rest(self) -> None:
        """Refuse fields that nothing has read."""
        if self._left:
            raise PackageInvalid


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise PackageInvalid
    return value
