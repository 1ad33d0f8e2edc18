"""One thing done to many: a failure does not keep the others waiting, and is told in the end."""

from contextlib import suppress
from types import SimpleNamespace

import pytest

from apps.common import slices
from apps.common.slices import MOST_REMEMBERED, Slice, limited_to
from apps.common.sweeps import each
from tests import requirement


@requirement("I4")
def test_all_are_done_and_counted():
    done: list[int] = []
    assert each(iter(range(4)), done.append) == 4
    assert done == [0, 1, 2, 3]


@requirement("I4")
def test_what_fails_is_raised_after_the_others_are_done():
    done: list[float] = []
    with pytest.raises(ExceptionGroup, match="2 of 5 failed") as caught:
        each([1, 0, 2, 0, 4], lambda n: done.append(1 / n))
    assert done == [1.0, 0.5, 0.25]
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError] * 2


def test_nothing_to_do_is_nothing_done():
    assert each([], print) == 0


@requirement("I11")
def test_a_slice_goes_on_behind_what_was_tried_and_begins_again_after_a_whole_round():
    """Those at the head of the list always fail: the others have their turn all the same."""
    done: list[int] = []

    def do(number: int) -> None:
        if number < 3:
            raise ValueError
        done.append(number)

    def run(tried: tuple[str, ...], turns: int) -> tuple[str, ...]:
        part = Slice(60, tried)
        left = iter([False] * turns + [True])
        part.__class__ = type("Cut", (Slice,), {"is_over": property(lambda _: next(left))})
        with limited_to(part), suppress(ExceptionGroup):
            each([number for number in range(6) if number not in done], do)
        return part.tried

    tried = run((), 2)
    assert (done, len(tried)) == ([], 2)
    tried = run(tried, 2)
    assert done == [3]
    tried = run(tried, 9)
    assert (done, tried) == ([3, 4, 5], ())


@requirement("I11", "I6")
def test_a_round_is_remembered_up_to_a_limit():
    part = Slice(60)
    for number in range(MOST_REMEMBERED + 5):
        part.note(number)
    assert part.tried == (), "nothing was left over"
    part.is_cut = True
    assert len(part.tried) == MOST_REMEMBERED


@requirement("I11", "I4")
def test_what_is_done_to_one_item_is_done_whole(monkeypatch):
    """A list within an item is no part of the round: the same things in it come again with each item."""
    done: list[int] = []
    with limited_to(Slice(60)):
        each("ab", lambda _: each([1, 2], done.append))
    assert done == [1, 2, 1, 2]
    now = [0.0]
    monkeypatch.setattr(slices, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def take_long(item):
        now[0] += 40
        done.append(item)

    done.clear()
    with limited_to(Slice(50)):
        each("ab", lambda _: each([1, 2, 3], take_long))
    assert done == [1, 2, 3], "the slice was over within the first, which was done whole"
