"""One thing done to many: a failure does not keep the others waiting, and is told in the end."""

import pytest

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
