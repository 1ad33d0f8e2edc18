"""Do one thing to many items: the failure of one does not keep the others waiting."""

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def each(items: Iterable[T], do: Callable[[T], object]) -> int:
    """Do something to every item, and return how many it was done to.

    Raises:
        ExceptionGroup: what failed, once all were tried.
    """
    done, failures = 0, []
    for item in items:
        try:
            do(item)
        except Exception as error:  # noqa: BLE001 - the others are done first, all failures are raised below
            failures.append(error)
        else:
            done += 1
    if failures:
        raise ExceptionGroup(f"{len(failures)} of {done + len(failures)} failed", failures)
    return done
