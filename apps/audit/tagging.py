"""Tags of the rows that a transaction writes: each update is conditioned on the tag that was verified (I10).

Two racing updates can so never leave a row that no tag fits, and a row that somebody else wrote is not changed
into one that looks authentic.
"""

import time
from collections.abc import Sequence
from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path, Value
from pynamodb.expressions.update import Action, RemoveAction, SetAction

from apps.common import preconditions
from apps.common.authenticated import make_tag, revision_of
from apps.common.dynamodb import Table

GONE = "gone"


def tag_row(row: Table[Any]) -> str:
    """Give a row that is written whole its tag, and return that; empty where its table has none."""
    if not row.is_tagged():
        return ""
    row.tag = _next(row, row.deciding())
    return str(row.tag)


def tag_after(row: Table[Any], actions: Sequence[Action]) -> str:
    """The tag of a row once these actions are done; empty where nothing changes that the tag covers.

    Raises:
        ValueError: the actions add to what the tag covers, so that the value is not known.
    """
    if not row.is_tagged():
        return ""
    item = row.deciding()
    changed = False
    for action in actions:
        name = _target(action)
        if not row.covers(name):
            continue
        changed = True
        if isinstance(action, SetAction):
            item[name] = _known_value(action)
        elif isinstance(action, RemoveAction):
            item.pop(name, None)
        else:
            raise ValueError(  # noqa: TRY004 - of an action, not of a type
                f"{name} decides, so it is set to a known value and not added to."
            )
    return _next(row, item) if changed else ""


def _target(action: Action) -> str:
    path = action.values[0]
    if not isinstance(path, Path):
        raise TypeError("An action changes an attribute.")
    return str(path.path[0])


def _known_value(action: SetAction) -> Any:
    value = action.values[1]
    if not isinstance(value, Value):
        raise TypeError(f"{_target(action)} decides, so it is set to a known value.")
    return value.value


def unchanged(row: Table[Any], condition: Condition | None) -> Condition:
    """The condition that what a row's tag covers is as it was read, and what else is demanded.

    Raises:
        ValueError: the record was not read, or an untagged row is changed without a condition.
    """
    if not row.is_tagged():
        if condition is None:
            raise ValueError(f"A change of {row.row_name} needs its condition.")
        return condition
    if not row.tag:
        raise ValueError(f"{row.row_name} has to be read before it is changed.")
    preconditions.check_row(row.row_name, row.tag)
    same = Table.tag == row.tag
    return same if condition is None else same & condition


def tombstone(row: Table[Any]) -> str:
    """What the trail says of a row that is removed."""
    return f"{GONE}.{_revision(row)}" if row.is_tagged() else ""


def _next(row: Table[Any], item: dict[str, Any]) -> str:
    return make_tag(row.tagged_as(), item, revision=_revision(row))


def _revision(row: Table[Any]) -> int:
    """Grows with each change; begins with the time, so that a row made again under an old key comes later."""
    return max(revision_of(row.tag or "") + 1, int(time.time() * 1000))
