"""Opaque signed cursors, which name the place where a list continues."""

from django.core import signing

from apps.common.dynamodb import Position
from apps.common.errors import Invalid


def dump(sort: str | None, salt: str, *, older: bool = True) -> str | None:
    """Sign a place in the list ``salt``; return None at the list's end."""
    return None if sort is None else signing.dumps([sort, older], salt=f"cursor:{salt}")


def load(cursor: str | None, salt: str) -> Position | None:
    """Return the place that a cursor names.

    Raises:
        Invalid: not a cursor of this list.
    """
    if not cursor:
        return None
    try:
        sort, older = signing.loads(cursor, salt=f"cursor:{salt}")
    except (signing.BadSignature, ValueError):
        raise Invalid.of("cursor", "is not one that this list gave; leave it out to start again") from None
    return Position(sort, older)
