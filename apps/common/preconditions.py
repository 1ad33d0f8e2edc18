"""ETags of records, and requests that hold only for one state of a record: ``If-Match`` (E9).

    ETag: "<row>.<state>.<representation>"

*Row* names the record and *state* its tag (of a record without one, all that is shown), both hashed; the last part
changes with whatever is shown, counters too. ``If-None-Match`` compares all of it, ``If-Match`` the first two: a
counter that moved is no reason to refuse a change. The comparison is no look before the change: it is made with the
row that the service read, on whose tag the transaction is conditioned.
"""

import hashlib
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from apps.common.errors import Invalid, PlatformError

_ETAG = re.compile(r'(?:W/)?"([!#-~]*)"')


class PreconditionFailed(PlatformError):
    """The record is not in the state that the caller saw."""

    status = 412
    type = "precondition-failed"
    title = "The record changed since it was read"


@dataclass(slots=True)
class Expected:
    """The states of a row that a request holds for."""

    states: Mapping[str, frozenset[str]]  # by row
    met: bool = field(default=False)


_expected: ContextVar[Expected | None] = ContextVar("expected", default=None)


def etag(row: str, state: str, shown: bytes) -> str:
    """Make the ETag of a record.

    Args:
        row: the record's name: its table, and its key.
        state: its tag; where it has none, anything that changes with it.
        shown: its representation.
    """
    return f'"{_short(row)}.{_short(state or shown.decode())}.{_short(shown.decode())}"'


def begin(if_match: str) -> None:
    """Let the request under way change a record only in one of these states, until ``end``.

    Raises:
        Invalid: the header names no ETag.
    """
    if if_match.strip() == "*":
        return
    states: dict[str, frozenset[str]] = {}
    for found in _ETAG.findall(if_match):
        row, _, rest = found.partition(".")
        states[row] = states.get(row, frozenset()) | {rest.partition(".")[0]}
    if not states:
        raise Invalid.of("If-Match", "give the ETag of an answer, with its quotation marks")
    _expected.set(Expected(states))


def end() -> None:
    """Forget what the answered request held for."""
    _expected.set(None)


def check_row(row: str, state: str) -> None:
    """Check a row that is about to be changed, as it was read.

    Raises:
        PreconditionFailed: the request holds for another state of it.
    """
    expected = _expected.get()
    states = expected.states.get(_short(row)) if expected else None
    if expected is None or states is None:
        return
    if _short(state) not in states:
        raise PreconditionFailed("The record changed since you read it. Read it again, then decide.")
    expected.met = True


def check_met() -> None:
    """Check that what is about to be committed concerns the record that the request named.

    Raises:
        PreconditionFailed: it changes others only.
    """
    expected = _expected.get()
    if expected is not None and not expected.met:
        raise PreconditionFailed("If-Match names a record that this request does not change. Leave it out.")


def committed() -> None:
    """What the request held for is done: its further transactions, such as of what follows, are free."""
    expected = _expected.get()
    if expected is not None and expected.met:
        _expected.set(None)


def is_known(if_none_match: str, current: str) -> bool:
    """Return whether a caller has this representation already."""
    given = set(_ETAG.findall(if_none_match))
    return if_none_match.strip() == "*" or current.strip('"') in given


def _short(value: Any) -> str:
    return hashlib.sha256(str(value).encode()).hexdigest()[:16]
