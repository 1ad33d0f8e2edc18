"""A form about a record carries what the record was when its page was made.

Whoever sends it after somebody else changed the record is told what that is now, and nothing is done: else the form
would set back what the other one had set, a person who left among it, without a word.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms

FIELD = "seen"
LONGEST_VALUE = 60  # characters of a value that is told


def marks(values: Mapping[str, Any]) -> str:
    """Return the marks of what a form shows: a digest of each value."""
    return json.dumps({name: _digest(value) for name, value in values.items()})


def changed(sent: str, values: Mapping[str, Any]) -> list[str]:
    """Return the names of values that are others now than the marks say. Of a form without marks nothing is known."""
    try:
        before = json.loads(sent) if sent else {}
    except (ValueError, RecursionError):
        before = {}
    if not isinstance(before, dict):
        return []
    return [name for name, value in values.items() if name in before and before[name] != _digest(value)]


def problem_of(
    form: "forms.Form | forms.ModelForm[Any]", names: Iterable[str], now: Mapping[str, Any]
) -> str:
    """Return what to tell whoever sent the form: the fields that somebody else changed, and what they are now."""
    told = ", ".join(f"{_label(form, name)}{_value(now[name])}" for name in names)
    return (
        f"Somebody else changed this since you opened the page: {told}. Nothing was done. Set each field as it is to "
        "be, then confirm."
    )


def _label(form: "forms.Form | forms.ModelForm[Any]", name: str) -> str:
    return str(form[name].label) if name in form.fields else name


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return f" (now {'yes' if value else 'no'})"
    if value is None or value == "":
        return " (now empty)"
    text = " ".join(str(value).split())
    return f" (now {text})" if isinstance(value, str | int | float) and len(text) <= LONGEST_VALUE else ""


def _digest(value: Any) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        value = sorted(json.dumps(one, default=_plain, sort_keys=True) for one in value)
    text = json.dumps(value, default=_plain, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return str(getattr(value, "pk", value))
