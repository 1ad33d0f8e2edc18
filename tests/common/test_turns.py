"""Parts of schedules take turns: one at a time, the longest waiting first, and none starves unseen (I11)."""

import threading
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace

import pytest

from apps.common import clock, scheduling, slices, turns
from apps.common.deadline import ending_in
from apps.common.scheduling import Part, Schedule
from apps.common.slices import STARVED_SECONDS
from apps.common.sweeps import each
from tests import requirement
from tests.faults import Fault, injected
from tests.waiting import LIMIT_SECONDS, wait_for


@pytest.fixture
def ran(aws, monkeypatch):
    """Three parts that tell that they ran; what they do can be replaced."""
    told = SimpleNamespace(names=[], work={})

    def part(order, name):
        def run():
            told.names.append(name)
            return told.work.get(name, lambda: 1)()

        return Part(Schedule.SWEEP, order, name, run)

    parts = [part(1, "first"), part(2, "second"), part(3, "third")]
    monkeypatch.setattr(scheduling, "parts_of", lambda _: list(parts))
    return told


def run():
    scheduling.run(Schedule.SWEEP)


@requirement("I11", "E4")
def test_where_time_ends_before_the_last_part_the_next_run_begins_with_it(ran, monkeypatch):
    left = iter([900.0, 10.0])
    with monkeypatch.context() as patch:
        patch.setattr(scheduling, "seconds_left", lambda: next(left))
        run()
    assert ran.names == ["first"]
    ran.names.clear()
    with ending_in(900):
        run()
    assert ran.names == ["second", "third", "first"]


@requirement("I11")
def test_of_two_runs_at_once_a_part_is_in_one(ran):
    inside, go = threading.Event(), threading.Event()

    def slowly():
        inside.set()
        assert go.wait(LIMIT_SECONDS)
        return 1

    ran.work["first"] = slowly
    other = threading.Thread(target=run)
    other.start()
    assert inside.wait(LIMIT_SECONDS)
    run()
    go.set()
    other.join()
    assert ran.names.count("first") == 1
    run()
    assert ran.names.count("first") == 2


@requirement("I11", "C6")
def test_a_run_that_was_killed_keeps_nobody_waiting_for_long(ran, later):
    assert turns.take(Schedule.SWEEP, "first")
    run()
    assert "first" not in ran.names
    later(seconds=turns.LEASE_SECONDS + 1)
    run()
    assert "first" in ran.names


@requirement("I11", "C6")
def test_a_long_part_keeps_its_turn(ran, monkeypatch):
    monkeypatch.setattr(turns, "LEASE_SECONDS", 0.3)
    moment, seen = [clock.now()], []
    monkeypatch.setattr(clock, "now", lambda: moment[0])

    def held_until():
        return turns.known(Schedule.SWEEP)["first"].held_until

    def slowly():
        for _ in range(3):  # twice as long as the lease
            moment[0] += timedelta(seconds=0.2)
            wait_for(lambda: held_until() == moment[0] + timedelta(seconds=0.3))
        seen.append(turns.take(Schedule.SWEEP, "first"))
        return 1

    ran.work["first"] = slowly
    run()
    assert seen == [None]


@requirement("I11")
def test_a_part_goes_on_where_its_slice_ended_and_is_named_while_it_starves(ran, monkeypatch, later):
    done: list[int] = []
    now = [0.0]
    monkeypatch.setattr(slices, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def work(number):
        now[0] += 0.6 * scheduling.SLICE_SECONDS
        done.append(number)

    ran.work["first"] = lambda: each(range(100), work)
    run()
    assert len(done) == 2
    first = len(done)
    run()
    assert done[first] == first, "not from the beginning"
    assert not turns.starved(Schedule.SWEEP)
    later(seconds=STARVED_SECONDS + 1)
    run()
    assert [turn.part for turn in turns.starved(Schedule.SWEEP)] == ["first"]
    while turns.known(Schedule.SWEEP)["first"].tried:
        run()
    assert sorted(set(done)) == list(range(100))
    assert turns.starved(Schedule.SWEEP) == []


@requirement("I11", "C6")
@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("nth", range(1, 6))
def test_whichever_call_of_the_turns_fails_the_next_run_does_the_work(ran, fault, nth, later):
    with injected(fault, nth=nth), suppress(Exception):  # what the fault was made for
        run()
    later(seconds=turns.LEASE_SECONDS + 1)
    ran.names.clear()
    run()
    assert sorted(ran.names) == ["first", "second", "third"]
