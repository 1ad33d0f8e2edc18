"""Rows that decide about security carry a tag that only the platform can make (I10).

    tag = key id . revision . HMAC-SHA-256(record key, table || revision || fields that decide)[:16 bytes]

Whoever can write the tables but has no record key can neither make a row nor change one: the tag is checked
wherever a row becomes a record. The revision grows with every change and stands in the change's audit entry, so a
row set back to an earlier state, which is authentic, is found by ``verify_audit --records``. Counters and other
marks that decide nothing stay outside of the tag, so that they can be added to without rewriting it.

The encoding is canonical: the fields by name, as DynamoDB stores them, absent ones left out.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from hmac import compare_digest, digest
from typing import Any

from django.conf import settings

from apps.common.errors import Refused

MAC_BYTES = 16  # 128 bits: a forger has one try a row that is read, and each is refused and logged
_LABEL = "qkdplatform record v1"


class RecordForged(Refused):
    """A stored record was not written by this platform, or was changed since; it is not acted on."""

    type = "record-forged"
    title = "The stored record is not authentic"


@dataclass(frozen=True, slots=True)
class Record:
    """What a tagged table holds. ``tag`` is that of the row as it was read, empty before the first write."""

    tag: str = field(default="", kw_only=True, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RecordKey:
    """A key for tags, with the id that names it in them."""

    key_id: str
    secret: bytes = field(repr=False)


@lru_cache(maxsize=8)
def _key(text: str) -> RecordKey:
    secret = hashlib.sha256(b"qkdplatform record key v1|" + text.encode()).digest()
    return RecordKey(hashlib.sha256(b"id|" + secret).hexdigest()[:8], secret)


def current_key() -> RecordKey:
    """The key of new tags."""
    return _key(settings.RECORD_KEY)


def accepted_keys() -> dict[str, RecordKey]:
    """Every key whose tags still count: the current one and, while it is rotated, the previous ones."""
    keys = [_key(text) for text in (settings.RECORD_KEY, *settings.RECORD_KEY_PREVIOUS)]
    return {key.key_id: key for key in keys}


def revision_of(tag: str) -> int:
    """The revision that a tag states; 0 for what has none."""
    parts = tag.split(".")
    is_number = len(parts) == 3 and parts[1].isdecimal() and len(parts[1]) <= 20
    return int(parts[1]) if is_number else 0


def make_tag(table: str, item: Mapping[str, Any], *, revision: int, key: RecordKey | None = None) -> str:
    """The tag of a row.

    Args:
        table: the table's name without its prefix.
        item: the fields that decide, as ``{name: {type: value}}``.
        revision: > that of the row before.
        key: the current one unless told.
    """
    key = key or current_key()
    content = f"{_LABEL}|{table}|{revision}|{_canonical(item)}".encode()
    mac = digest(key.secret, content, "sha256")[:MAC_BYTES]
    return f"{key.key_id}.{revision}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def is_authentic(table: str, item: Mapping[str, Any], tag: str) -> bool:
    """Return whether a row's tag is the platform's for exactly these fields."""
    key = accepted_keys().get(tag.partition(".")[0])
    if key is None:
        return False
    made = make_tag(table, item, revision=revision_of(tag), key=key)
    return compare_digest(made.encode(), tag.encode())


def _canonical(item: Mapping[str, Any]) -> str:
    plain = {name: _plain(value) for name, value in item.items()}
    present = {name: value for name, value in plain.items() if value is not None}
    return json.dumps(present, sort_keys=True, separators=(",", ":"))


def _plain(value: Mapping[str, Any]) -> list[Any] | None:
    """One attribute as DynamoDB gives it back: numbers normalised, bytes in base64, nothing for an empty text."""
    ((kind, content),) = value.items()
    if kind == "NULL" or content is None or content == "":
        return None
    if kind == "N":
        number = Decimal(str(content)).normalize()
        return [kind, str(number or Decimal(0))]
    if kind == "B":
        return [kind, base64.b64encode(bytes(content)).decode()]
    return [kind, content]
