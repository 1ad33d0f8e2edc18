"""Changes of files in a transaction: only along the table of transitions, and as the difference of two records."""

from typing import TypeVar

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from apps.audit.services import Transaction
from apps.files.records import File
from apps.files.states import is_possible
from apps.files.store import FileTable

FileT = TypeVar("FileT", bound=File)


def change(
    tx: Transaction,
    before: FileT,
    after: FileT,
    *,
    condition: Condition | None = None,
    otherwise: Exception | None = None,
) -> None:
    """Write what is different of a record in a transaction, if its row is still in the same state.

    Raises (at commit):
        otherwise: the row is in another state, or does not meet ``condition``.

    Raises:
        ValueError: the table of transitions has no such arrow.
    """
    _check(before, after)
    unchanged = FileTable.status == before.status
    if condition is not None:
        unchanged &= condition
    tx.update(FileTable.of(before), _differences(before, after), condition=unchanged, otherwise=otherwise)


def replace_row(
    tx: Transaction, before: File, after: File, *, condition: Condition, otherwise: Exception | None = None
) -> None:
    """Write a record over another that must meet ``condition``: an upload becomes a document, or a row is wiped.

    Raises:
        ValueError: the table of transitions has no such arrow.
    """
    _check(before, after)
    tx.replace(FileTable.of(after), condition=condition, otherwise=otherwise)


def _check(before: File, after: File) -> None:
    if not is_possible(before.status, after.status):
        raise ValueError(f"No transition leads from {before.status} to {after.status}.")


def _differences(before: FileT, after: FileT) -> list[Action]:
    """Also of what the indexes are read by, which nobody has to name."""
    old, new = FileTable.of(before).attribute_values, FileTable.of(after).attribute_values
    changed = [name for name in FileTable.get_attributes() if old.get(name) != new.get(name)]
    return [
        getattr(FileTable, name).remove()
        if new.get(name) is None
        else getattr(FileTable, name).set(new[name])
        for name in changed
    ]
