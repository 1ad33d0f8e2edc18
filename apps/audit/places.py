"""What an entry's places in lists say is not stored twice: an entry of an upload takes two write units so, not three.

The lists that an entry stands in name its actor and subjects, its place in them its time. A field that they give
exactly is left out of the row. It is told again before anything is made of the row or checked, so that the hash
covers it as ever, and who moves an entry from one such list to another changes its content. Rows of before, which
have both, are read and checked alike.
"""

from collections.abc import Mapping
from typing import Any

Item = Mapping[str, Mapping[str, Any]]
_LISTS = (
    ("actor", "actor_feed"),
    ("key_id", "key_feed"),
    ("session_id", "session_feed"),
    ("file_id", "file_feed"),
)
_TOLD = frozenset(["timestamp", *(name for name, _ in _LISTS)])


def as_stored(item: Item) -> dict[str, Any]:
    """Return a row without the fields that its places in lists tell."""
    given = as_told({name: value for name, value in item.items() if name not in _TOLD})
    return {name: value for name, value in item.items() if name not in _TOLD or given.get(name) != value}


def as_told(item: Item) -> dict[str, Any]:
    """Return a row with all fields. What it has itself counts; nothing that is stored makes this fail."""
    told = dict(item)
    for name, place in _LISTS:
        if name not in told and (text := _text(item, place)):
            told[name] = {"S": text.rpartition("#")[0]}
    if "timestamp" not in told and (text := _text(item, "sort")):
        told["timestamp"] = {"S": text.partition("#")[0]}
    return told


def _text(item: Item, name: str) -> str:
    try:
        text = item[name]["S"]
    except (KeyError, TypeError):
        return ""
    return text if isinstance(text, str) else ""
