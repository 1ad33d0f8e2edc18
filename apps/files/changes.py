"""Changes of files in a transaction: only along the table of transitions, of rows that are as they were read."""

from dataclasses import replace
from typing import TypeVar, cast

from apps.audit.services import Transaction
from apps.files.records import File, Row
from apps.files.states import is_possible
from apps.files.store import FileTable

FileT = TypeVar("FileT", bound=File)
RowT = TypeVar("RowT", bound=Row)


def put(tx: Transaction, record: RowT, *, otherwise: Exception | None = None) -> RowT:
    """Write a record that is new, in a transaction; return it as its row then is.

    Raises (at commit):
        otherwise: there is a row under its id.
    """
    row = FileTable.of(record)
    tx.put(row, otherwise=otherwise)
    return cast("RowT", row.record())


def change(tx: Transaction, before: File, after: FileT, *, otherwise: Exception | None = None) -> FileT:
    """Write a record over one that was read and must be unchanged since; return it as its row then is.

    The whole row is written: nothing stays of what the record no longer says, nor of another kind of record.

    Raises (at commit):
        otherwise: the row was changed meanwhile.

    Raises:
        ValueError: the table of transitions has no such arrow.
    """
    if not is_possible(before.status, after.status):
        raise ValueError(f"No transition leads from {before.status} to {after.status}.")
    row = FileTable.of(replace(after, tag=before.tag))
    if before.tag:
        tx.replace(row, otherwise=otherwise)
    else:  # the upload of an object that nobody announced, which has no row before this one
        tx.put(row, otherwise=otherwise)
    return cast("FileT", row.record())
