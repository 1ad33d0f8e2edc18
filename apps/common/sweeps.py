"""Do one thing to many items: the failure of one does not keep the others waiting."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from apps.common import slices

T = TypeVar("T")


def each(items: Iterable[T], do: Callable[[T], object]) -> int:
    """Do something to every item, and return how many it was done to.

    In a part of a schedule that is until its slice is over; the next one goes on with those that had no turn yet.

    Raises:
        ExceptionGroup: what failed, once all were tried.
    """
    done, failures, part = 0, [], slices.current()
    for item in items:
        if part is not None:
            if part.was_tried(item):
                continue
            if part.is_over:
                part.is_cut = True
                break
            part.note(item)
        try:
            with slices.limited_to(None):  # what is done to one item is done whole, lists within it too
                do(item)
        except Exception as error:  # noqa: BLE001 - the others are done first, all failures are raised below
            failures.append(error)
        else:
            done += 1
    if failures:
        raise ExceptionGroup(f"{len(failures)} of {done + len(failures)} failed", failures)
    return done
