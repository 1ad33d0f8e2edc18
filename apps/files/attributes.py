"""Attributes of files: names like identifiers; values text, numbers or flags (E6).

One attribute of a file may have a name that begins with ``find.``: by it the file is found through an index (decision 60).
"""

import math
import re
from collections.abc import Mapping
from typing import Any

NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")
FOUND_BY = "find."
MAX_ATTRIBUTES = 32
MAX_CHARACTERS = 256
MEDIA_TYPE = re.compile(r"^[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}$")


def problem_of(name: Any, value: Any) -> str | None:
    """Why this cannot be an attribute; None where it can."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return "a name starts with a letter; then letters, digits, '_', '.', '-'; at most 64"
    if isinstance(value, str):
        return None if len(value) <= MAX_CHARACTERS else f"at most {MAX_CHARACTERS} characters"
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return None if abs(value) < 2**53 else "a number is smaller than 2^53"
    return "a value is text, a number, true or false"


def as_text(value: Any) -> str:
    """A value as it is asked for in an address.

    >>> as_text(True), as_text(1.5), as_text("A")
    ('true', '1.5', 'A')
    """
    return str(value).lower() if isinstance(value, bool) else str(value)


def declared(attributes: Mapping[str, Any]) -> tuple[str, str] | None:
    """The attribute by which a file is found, and its value; None where it has none."""
    names = sorted(name for name in attributes if name.startswith(FOUND_BY))
    return (names[0], as_text(attributes[names[0]])) if names else None


def kept(*sources: Mapping[str, str]) -> dict[str, Any]:
    """What can be kept of metadata and tags that came with an object, within the limits; the first source counts."""
    found: dict[str, Any] = {}
    for source in sources:
        for name, value in sorted(source.items()):
            if len(found) < MAX_ATTRIBUTES:
                found.setdefault(_beside(found, _as_name(name)), value[:MAX_CHARACTERS])
    return found


def _beside(found: Mapping[str, Any], name: str) -> str:
    """The name of an attribute beside others: a file is found by one."""
    there = declared(found)
    other = name.startswith(FOUND_BY) and there is not None and there[0] != name
    return f"m_{name}"[:64] if other else name


def _as_name(text: str) -> str:
    """The name of an attribute, made of one that came with an object.

    >>> _as_name("cost center"), _as_name("9lives")
    ('cost_center', 'm_9lives')
    """
    safe = re.sub(r"[^A-Za-z0-9_.-]", "_", text)
    return (safe if NAME.match(safe[:1]) else f"m_{safe}")[:64]
