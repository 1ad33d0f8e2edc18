"""Places move in the transaction of what is done with the entries: so that is done once, whatever is delivered twice."""

import uuid
from collections.abc import Callable, Sequence

from pynamodb.exceptions import PutError, TransactWriteError
from pynamodb.transactions import TransactWrite

from apps.common.dynamodb import connection
from apps.common.transient import code_of
from apps.following.records import Move, PlaceMoved
from apps.following.store import PlaceTable, seal

_CONTENDED = frozenset({"TransactionConflict", "ConditionalCheckFailed"})
_INVALID = frozenset({"ValidationError", "ValidationException"})
_BUSY = frozenset({"TransactionInProgressException", "TransactionConflictException"})


def move(moves: Sequence[Move], also: Callable[[TransactWrite], None] | None = None) -> None:
    """Move places on, and write what ``also`` adds, all or nothing.

    Raises:
        PlaceMoved: another process is at the same entries.
    """
    try:
        # The token makes the SDK's own retry of a lost answer harmless
        with TransactWrite(connection=connection(), client_request_token=str(uuid.uuid4())) as write:
            if also is not None:
                also(write)
            for one in moves:
                _add(write, one)
    except TransactWriteError as error:
        if _codes(error) <= _CONTENDED | _BUSY:
            raise PlaceMoved from error
        raise


def is_invalid(error: TransactWriteError) -> bool:
    """Return whether a row holds what nothing can be added to, so that no repetition would help."""
    return not _codes(error).isdisjoint(_INVALID)


def _codes(error: TransactWriteError) -> set[str | None]:
    reasons = error.cancellation_reasons
    return {reason.code for reason in reasons if reason is not None} if reasons else {code_of(error)}


def begin_again(forged: PlaceTable, sequence: int) -> None:
    """Put a place where the platform did not write what is there.

    Raises:
        PlaceMoved: another process did.
    """
    row = PlaceTable(
        forged.follower, forged.chain, sequence=sequence, tag=seal(forged.follower, forged.chain, sequence)
    )
    same = None
    if not forged.malformed:
        same = PlaceTable.tag == forged.tag if forged.tag else PlaceTable.tag.does_not_exist()
    try:
        row.save(condition=same)
    except PutError as error:
        if code_of(error) == "ConditionalCheckFailedException":
            raise PlaceMoved from error
        raise


def _add(write: TransactWrite, one: Move) -> None:
    write.update(
        PlaceTable(one.follower, one.chain),
        [PlaceTable.sequence.set(one.after), PlaceTable.tag.set(seal(one.follower, one.chain, one.after))],
        condition=PlaceTable.sequence == one.before
        if one.before
        else PlaceTable.sequence.does_not_exist() | (PlaceTable.sequence == 0),
    )
