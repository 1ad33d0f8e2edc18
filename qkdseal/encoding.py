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


class JsonInvalid(ValueError):
    """A text is no JSON, or JSON that two readers could understand differently; the message says which."""


def read_json(text: str) -> Any:
    """Read JSON strictly, so that every reader of a text understands the same.

    >>> read_json('{"a": 1, "b": [true]}')
    {'a': 1, 'b': [True]}
    >>> read_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    qkdseal.encoding.JsonInvalid: The JSON repeats the name "a" in an object.

    Raises:
        JsonInvalid: no JSON (NaN and Infinity are none), a repeated name, half of a surrogate pair, or too deep.
    """
    try:
        value = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)
        # Finds 1e999, and half of a pair that was escaped: it has no UTF-8, so it could be neither hashed nor answered.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except JsonInvalid:
        raise
    except RecursionError:
        raise JsonInvalid("The JSON is nested too deeply. Send a flatter document.") from None
    except UnicodeEncodeError:
        raise JsonInvalid(
            "The JSON holds half of a surrogate pair, which is no character. Send well-formed Unicode."
        ) from None
    except ValueError as error:
        raise JsonInvalid(f"This is no JSON: {error}") from None
    return value


def json_object(text: str, *, limit: int) -> dict[str, Any]:
    """The JSON object in a text of at most ``limit`` characters.

    Raises:
        PackageInvalid: the text is longer, no JSON object, or refused by ``read_json``.
    """
    if len(text) > limit:
        raise PackageInvalid
    try:
        value = read_json(text)
    except JsonInvalid:
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
        names = [name for name, _ in pairs]
        repeated = next(name for name in value if names.count(name) > 1)
        raise JsonInvalid(f"The JSON repeats the name {json.dumps(repeated)} in an object.")
    return value


def _refuse_constant(text: str) -> None:
    raise JsonInvalid(f"{text} is no JSON.")
