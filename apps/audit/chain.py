"""Hash chains, pure: what an entry's hash covers, and what makes a chain whole.

The hash is HMAC-SHA-256 under the audit key, so that who can write the table but does not hold the key
cannot make a chain that verifies. Source of the construction: Schneier & Kelsey, "Secure audit logs to
support computer forensics" (1999), without its key evolution.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from datetime import datetime

from apps.audit.records import Entry, Problem
from apps.common import clock


def names(count: int) -> list[str]:
    """Return the names of so many chains."""
    return [f"{number:03d}" for number in range(count)]


def genesis(chain: str) -> str:
    """Return the hash that the first entry of a chain points back to."""
    return hashlib.sha256(f"qkdplatform audit chain {chain}".encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return clock.as_text(value)
    raise TypeError(f"An audit entry cannot hold {type(value).__name__}.")


def _mac(key: bytes, content: bytes) -> str:
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def entry_hash(entry: Entry, key: bytes) -> str:
    """Return the hash of an entry over every other field, as canonical JSON."""
    content = asdict(entry)
    del content["hash"]
    return _mac(key, json.dumps(content, sort_keys=True, separators=(",", ":"), default=_plain).encode())


def is_whole(entry: Entry, key: bytes) -> bool:
    """Return whether an entry is as it was written."""
    return is_same(entry.hash, entry_hash(entry, key))


def is_same(stored: str, made: str) -> bool:
    """Return whether two hashes are equal, without telling by the time where they differ."""
    return hmac.compare_digest(stored.encode(), made.encode())


def as_link(entry: Entry, *, after: str, key: bytes) -> Entry:
    """Return the entry as the link that follows the hash ``after``."""
    placed = replace(entry, previous_hash=after)
    return replace(placed, hash=entry_hash(placed, key))


def head_seal(chain: str, sequence: int, digest: str, key: bytes) -> str:
    """Return the MAC without which a head could be set back together with a cut tail."""
    return _mac(key, f"head|{chain}|{sequence}|{digest}".encode())


def problems(entries: Iterable[Entry], *, chain: str, length: int, key: bytes) -> Iterator[Problem]:
    """Walk a chain from its first entry; yield what is wrong, with the entry's number.

    Args:
        entries: the stored entries in ascending order of their sequence.
        chain: the chain's name.
        length: how many entries the head says there are.
        key: the audit key.
    """
    expected, previous = 1, genesis(chain)
    for entry in entries:
        if entry.sequence != expected:
            yield Problem(chain, expected, f"missing; the next entry found is {entry.sequence}")
        elif entry.previous_hash != previous:
            yield Problem(chain, entry.sequence, "does not continue the entry before it")
        if not is_whole(entry, key):
            yield Problem(chain, entry.sequence, "its content was changed")
        expected, previous = entry.sequence + 1, entry.hash
    if expected - 1 != length:
        yield Problem(chain, expected, f"the chain ends here, but its head counts {length} entries")
