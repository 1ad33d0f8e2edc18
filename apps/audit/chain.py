"""Hash chains, pure: what an entry's hash and a head's seal cover.

The hash is HMAC-SHA-256 under an audit key, so that who can write the table but does not hold the key cannot make a
chain that verifies. Source of the construction: Schneier & Kelsey, "Secure audit logs to support computer forensics"
(1999), without its key evolution.

Format 1 covers the fields as they are stored, each a text or absent, in the order of ``COVERED``: so an entry is
checked as it is read, without making anything of it. Format 0 (entries that state none) covered canonical JSON of the
record.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from apps.audit.chain_keys import AuditKey, KeyRing
from apps.audit.records import Entry, Head
from apps.common import clock

FORMAT = 1
MAX_CHAINS = 256
COVERED = (
    *(
        "format",
        "hashed_under",
        "chain",
        "sequence",
        "timestamp",
        "event",
        "outcome",
        "actor",
        "source_ip",
        "via",
    ),
    *("key_id", "session_id", "file_id", "detail", "rows", "previous_hash"),
)
_UNKNOWN_TO_FORMAT_0 = ("format", "hashed_under", "hash")
_ENTRY, _HEAD = b"qkdplatform audit entry v1|", b"qkdplatform audit head v1|"
_encode = json.JSONEncoder(separators=(",", ":")).encode


def names(count: int = MAX_CHAINS) -> list[str]:
    """Return the names of so many chains; of all that there can be, unless told."""
    return [f"{number:03d}" for number in range(count)]


def genesis(chain: str) -> str:
    """Return the hash that the first entry of a chain points back to."""
    return hashlib.sha256(f"qkdplatform audit chain {chain}".encode()).hexdigest()


def stored_document(document: Mapping[str, Any]) -> str:
    """Return a document as the table stores it."""
    return json.dumps(document, separators=(",", ":"), sort_keys=True)


def mac_of(covered: Sequence[str | None], key: AuditKey) -> str:
    """Return the hash of format 1 over the fields of ``COVERED`` as they are stored."""
    return hmac.digest(key.secret, _ENTRY + _encode(covered).encode(), "sha256").hex()


def entry_hash(entry: Entry, key: AuditKey) -> str:
    """Return the hash of an entry over every other field, in the entry's format."""
    if entry.format == 0:
        return _hash_of_format_0(entry, key)
    own: dict[str, Any] = {name: getattr(entry, name) for name in COVERED}
    own |= {"format": str(entry.format), "sequence": str(entry.sequence)}
    own |= {
        "timestamp": clock.as_text(entry.timestamp),
        "event": str(entry.event),
        "outcome": entry.outcome.value,
    }
    own |= {name: stored_document(own[name]) for name in ("detail", "rows")}
    return mac_of(list(own.values()), key)


def _hash_of_format_0(entry: Entry, key: AuditKey) -> str:
    content = {name: value for name, value in asdict(entry).items() if name not in _UNKNOWN_TO_FORMAT_0}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=_plain)
    return hmac.new(key.text, text.encode(), hashlib.sha256).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return clock.as_text(value)
    raise TypeError(f"An audit entry cannot hold {type(value).__name__}.")


def is_whole(entry: Entry, keys: KeyRing) -> bool:
    """Return whether an entry is as it was written, under a key that still counts."""
    if entry.format == 0:
        return any(is_same(entry.hash, entry_hash(entry, key)) for key in keys.accepted.values())
    key = keys.accepted.get(entry.hashed_under)
    return entry.format == FORMAT and key is not None and is_same(entry.hash, entry_hash(entry, key))


def is_same(stored: str, made: str) -> bool:
    """Return whether two hashes are equal, without telling by the time where they differ."""
    return hmac.compare_digest(stored.encode(), made.encode())


def as_link(entry: Entry, *, after: str, key: AuditKey) -> Entry:
    """Return the entry as the link that follows the hash ``after``."""
    placed = replace(entry, previous_hash=after, format=FORMAT, hashed_under=key.key_id)
    return replace(placed, hash=entry_hash(placed, key))


def sealed_head(last: Entry, key: AuditKey) -> Head:
    """Return the head of a chain that ends with an entry; without its seal it could be set back with a cut tail."""
    moment = clock.as_text(last.timestamp)
    seal = _seal(Head(last.chain, last.sequence, last.hash, "", moment), key)
    return Head(last.chain, last.sequence, last.hash, seal, moment)


def is_sealed(head: Head, keys: KeyRing) -> bool:
    """Return whether a head is as it was written, under a key that still counts."""
    key_id, dot, _ = head.seal.partition(".")
    if not dot:
        return any(is_same(head.seal, _seal_of_format_0(head, key)) for key in keys.accepted.values())
    key = keys.accepted.get(key_id)
    return key is not None and is_same(head.seal, _seal(head, key))


def _seal(head: Head, key: AuditKey) -> str:
    content = _encode([head.chain, str(head.sequence), head.hash, head.timestamp])
    return f"{key.key_id}.{hmac.digest(key.secret, _HEAD + content.encode(), 'sha256').hex()}"


def _seal_of_format_0(head: Head, key: AuditKey) -> str:
    content = f"head|{head.chain}|{head.sequence}|{head.hash}".encode()
    return hmac.new(key.text, content, hashlib.sha256).hexdigest()
