"""How a process knows when it is ended."""

import threading

from apps.common.deadline import ending_in, seconds_left
from tests import requirement


@requirement("G1")
def test_what_nobody_ends_has_no_seconds_left():
    assert seconds_left() is None


@requirement("G1")
def test_the_seconds_left_fall_and_end_with_the_block():
    with ending_in(100):
        first, second = seconds_left(), seconds_left()
        assert first is not None
        assert second is not None
        assert 99 < second <= first <= 100
    assert seconds_left() is None


@requirement("G1")
def test_they_never_fall_below_zero():
    with ending_in(-5):
        assert seconds_left() == 0


@requirement("G1")
def test_they_are_the_thread_s_own():
    seen = []
    with ending_in(100):
        thread = threading.Thread(target=lambda: seen.append(seconds_left()))
        thread.start()
        thread.join()
    assert seen == [None]
