"""How a process knows when it is ended."""

import threading
from types import SimpleNamespace

from apps.common import deadline
from apps.common.deadline import ending_in, seconds_left
from tests import requirement


@requirement("G1")
def test_what_nobody_ends_has_no_seconds_left():
    assert seconds_left() is None


@requirement("G1")
def test_the_seconds_left_fall_and_end_with_the_block(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with ending_in(100):
        assert seconds_left() == 100
        now[0] += 30
        assert seconds_left() == 70
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
