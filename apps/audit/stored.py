"""One stored entry, checked as it stands: its fields, its hash, its place in the lists.

The rules are those of the records (``chain``, ``EntryTable.index_keys``) on what is stored, three times faster; a test
holds the two against each other.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.audit import chain as chains
from apps.audit.chain_keys import KeyRing
from apps.audit.places import as_told
from apps.audit.records import Outcome
from apps.audit.store import LISTED, EntryTable
from apps.common.authenticated import RecordForged
from apps.common.dynamodb import misplaced, shards

_FEEDS = (
    ("actor_feed", "actor"),
    ("key_feed", "key_id"),
    ("session_feed", "session_id"),
    ("file_feed", "file_id"),
)
_OPTIONAL = frozenset(["via", "key_id", "session_id", "file_id", "source_ip"])
_NUMBERS = frozenset(["format", "sequence"])
_TYPES = tuple((name, "N" if name in _NUMBERS else "S", name in _OPTIONAL) for name in chains.COVERED)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a stored entry says, and what is wrong with it (nothing, mostly)."""

    sequence: int | None  # None where it is no number of an entry
    previous_hash: str
    hash: str
    timestamp: str
    event: str
    detail: str
    rows: str
    wrong: Sequence[str]
    format: int = chains.FORMAT

    @property
    def named_rows(self) -> Mapping[str, str]:
        """The newest tags of rows that it names; none where it is not as it was written."""
        return {} if self.wrong or self.rows == "{}" else json.loads(self.rows)


def check(item: Mapping[str, Mapping[str, Any]], keys: KeyRing) -> Checked:
    """Return what an entry says and what is wrong with it. Nothing that is stored makes this fail."""
    item = as_told(item)
    try:
        covered: list[Any] = [
            item[name][kind] if not may_lack or name in item else None for name, kind, may_lack in _TYPES
        ]
        stored_hash = item["hash"]["S"]
    except (KeyError, TypeError):
        return _check_slowly(item, keys)
    form, key_id, chain, number, moment, event, _, _, _, _, _, _, _, detail, rows, before = covered
    key = keys.accepted.get(key_id)
    if form != "1" or key is None or not number.isdecimal():
        return _check_slowly(item, keys)
    if not chains.is_same(stored_hash, chains.mac_of(covered, key)):
        return _check_slowly(item, keys)
    wrong = () if _is_listed(item, covered, f"{chain}-{number:0>12}") else _places(item)
    return Checked(int(number), before, stored_hash, moment, event, detail, rows, wrong)


def _is_listed(item: Mapping[str, Mapping[str, Any]], covered: Sequence[Any], identifier: str) -> bool:
    """Return whether an entry with the right hash stands in exactly the lists that it belongs in."""
    allowed = shards()
    if item.get("sort") != {"S": f"{covered[4]}#{identifier}"} or not _is_in(item, "feed", LISTED, allowed):
        return False
    for feed, subject in _FEEDS:
        value = item[subject]["S"] if subject in item else None
        if not _is_in(item, feed, value, allowed):
            return False
    return _is_in(item, "approval_feed", _approval(covered[13], covered[6]), allowed)


def _approval(detail: str, outcome: str) -> str | None:
    if '"approval_id"' not in detail or outcome != Outcome.OK.value:
        return None
    found = json.loads(detail).get("approval_id")
    return str(found) if found else None


def _is_in(
    item: Mapping[str, Mapping[str, Any]], feed: str, name: str | None, allowed: frozenset[str]
) -> bool:
    stored = item.get(feed)
    if not name or stored is None:
        return not name and stored is None
    listed, _, shard = _text(item, feed).rpartition("#")
    return listed == name and shard in allowed


def _check_slowly(item: Mapping[str, Mapping[str, Any]], keys: KeyRing) -> Checked:
    """Check an entry of format 0, or say of a damaged one what is wrong."""
    number = item.get("sequence", {}).get("N", "")
    sequence = int(number) if number.isdecimal() and len(number) <= 15 else None
    row = EntryTable.from_raw_data(dict(item))
    text = {
        name: _text(item, name) for name in ("previous_hash", "hash", "timestamp", "event", "detail", "rows")
    }
    wrong: list[str] = []
    form = 0
    try:
        entry = row.record()
        form = entry.format
        if not chains.is_whole(entry, keys):
            wrong.append(_why_not_whole(entry.format, entry.hashed_under, keys))
        wrong += _places(item)
    except RecordForged:
        wrong.append(f"it is malformed ({row.malformed})")
    except (ValueError, TypeError, AttributeError) as error:
        wrong.append(f"it is malformed ({type(error).__name__})")
    return Checked(sequence, wrong=wrong, format=form, **text)


def _why_not_whole(form: int, key_id: str, keys: KeyRing) -> str:
    if form not in {0, chains.FORMAT}:
        return f"its format {form} is not known"
    if form and key_id not in keys.accepted:
        return f"its hash is under the key {key_id[:16]}, which is not configured"
    return "its content was changed"


def _text(item: Mapping[str, Mapping[str, Any]], name: str) -> str:
    found = item.get(name, {}).get("S", "")
    return found if isinstance(found, str) else ""


def _places(item: Mapping[str, Mapping[str, Any]]) -> list[str]:
    row = EntryTable.from_raw_data(dict(item))
    if row.malformed:  # by what the hash does not cover: the content is as it was written
        return [f"it is malformed ({row.malformed})"]
    places = misplaced(row, row.record())
    return [f"it was moved in or hidden from lists ({', '.join(places)})"] if places else []
