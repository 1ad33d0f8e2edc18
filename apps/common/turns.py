"""The turns of a schedule's parts: who is at one now, when it last had one, and what waits of it."""

import logging
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from pynamodb.exceptions import PynamoDBConnectionError, UpdateError
from pynamodb.expressions.update import Action

from apps.common import clock
from apps.common.slices import Turn
from apps.common.store import TurnTable
from apps.common.transient import code_of

log = logging.getLogger(__name__)
# A run that is killed keeps others from a part for this long; one that lives extends it three times as often
LEASE_SECONDS = 30


def known(schedule: str) -> dict[str, Turn]:
    """The latest turn of each part of a schedule that has had one, by one Query."""
    return {row.part: row.record() for row in TurnTable.query(schedule, consistent_read=True)}


def take(schedule: str, part: str) -> Turn | None:
    """Take a part's turn; None where another run is at it."""
    moment = clock.now()
    row = TurnTable(schedule, part)
    # No lease lasts as long as one that was begun by a clock that has been set back since
    beyond = TurnTable.held_until > moment + timedelta(seconds=2 * LEASE_SECONDS)
    free = TurnTable.held_until.does_not_exist() | (TurnTable.held_until < moment) | beyond
    holder = uuid.uuid4().hex
    actions: list[Action] = [
        TurnTable.started_at.set(moment),
        TurnTable.holder.set(holder),
        TurnTable.held_until.set(moment + timedelta(seconds=LEASE_SECONDS)),
        TurnTable.whole_since.set(TurnTable.whole_since | moment),
        TurnTable.tried.set(TurnTable.tried | ()),
        TurnTable.failed.set(TurnTable.failed | False),
    ]
    try:
        row.update(actions, condition=free)
    except UpdateError as error:
        if code_of(error) != "ConditionalCheckFailedException":
            raise
        return None
    taken: Turn = row.record()
    return taken


@contextmanager
def kept(turn: Turn) -> Iterator[None]:
    """Keep a turn for as long as the block takes."""
    stop = threading.Event()
    thread = threading.Thread(target=_keep, args=(turn, stop), name="turn", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _keep(turn: Turn, stop: threading.Event) -> None:
    while not stop.wait(LEASE_SECONDS / 3):
        until = clock.now() + timedelta(seconds=LEASE_SECONDS)
        try:
            _row(turn).update([TurnTable.held_until.set(until)], condition=TurnTable.holder == turn.holder)
        except PynamoDBConnectionError as error:  # another run may then do the same work, which does no harm
            log.warning("the turn of %s was not kept: %s", turn.part, type(error).__name__)


def end(turn: Turn, *, tried: tuple[str, ...], is_whole: bool, failed: bool) -> None:
    """Give a turn back, and remember what the next one passes over; a turn that another run has is left to it."""
    actions: list[Action] = [
        TurnTable.held_until.remove(),
        TurnTable.tried.set(tried),
        TurnTable.failed.set(failed),
    ]
    if is_whole and not failed:
        actions.append(TurnTable.whole_since.set(clock.now()))
    try:
        _row(turn).update(actions, condition=TurnTable.holder == turn.holder)
    except UpdateError as error:
        if code_of(error) != "ConditionalCheckFailedException":
            raise


def _row(turn: Turn) -> TurnTable:
    return TurnTable(turn.schedule, turn.part)


def starved(schedule: str) -> list[Turn]:
    """The parts of a schedule that have not come to the end of what is due for an hour."""
    return [turn for turn in known(schedule).values() if turn.is_starved]
