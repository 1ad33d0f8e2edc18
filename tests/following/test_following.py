"""The trail is followed: each follower takes every entry once, whatever the stream repeats, loses or mixes up."""

import random
import threading

import pytest

from apps.audit import services as audit
from apps.audit import writing
from apps.audit.services import record
from apps.audit.store import EntryTable
from apps.audit.trail import AuditEvent
from apps.common.aws import client
from apps.following import events, places, services, store
from apps.following.records import Follower, Move, PlaceMoved
from apps.following.store import PlaceTable
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS
from tests.trail_stream import event, records

pytestmark = requirement("D6")


class Collector:
    """A follower that remembers what it took; ``fails`` lets the next so many tries fail."""

    def __init__(self, *, from_start=True):
        self.taken = []
        self.fails = 0
        self.follower = Follower("collector", self.take, from_start)

    def take(self, entries, moves):
        if self.fails:
            self.fails -= 1
            raise RuntimeError("not now")
        places.move(moves)
        self.taken += [(entry.chain, entry.sequence) for entry in entries]


@pytest.fixture
def collector(monkeypatch, aws):
    """The only follower."""
    made = Collector()
    monkeypatch.setattr(services, "followers", lambda: [made.follower])
    return made


def written(count):
    for _ in range(count):
        record(TESTS, AuditEvent.VERIFIED)
    return [
        (r["dynamodb"]["NewImage"]["chain"]["S"], int(r["dynamodb"]["NewImage"]["sequence"]["N"]))
        for r in records()
    ]


def test_every_entry_is_taken_once_and_in_the_order_of_its_chain(collector):
    there = written(30)
    handler(event(records()), None)
    handler(event(records()), None)
    assert sorted(collector.taken) == sorted(there)
    for chain in {chain for chain, _ in there}:
        assert [one for one in collector.taken if one[0] == chain] == [
            one for one in there if one[0] == chain
        ]


def test_what_the_stream_repeats_mixes_up_and_loses_is_taken_once(collector):
    there, some = written(20), random.Random(4)
    for _ in range(10):
        handler(event(some.sample(records(), k=some.randint(1, 12))), None)
    services.catch_up()
    assert sorted(collector.taken) == sorted(there)


def test_a_lost_record_is_read_from_the_chain(collector):
    there = written(12)
    handler(event(records()[-1:]), None)
    chain = there[-1][0]
    assert collector.taken == [one for one in there if one[0] == chain]


def test_the_sweep_takes_what_no_record_told_of_however_much_that_is(collector, monkeypatch):
    monkeypatch.setattr(services, "READ", 7)
    monkeypatch.setattr(services, "TOGETHER", 3)
    there = written(60)
    while services.catch_up():
        pass
    assert sorted(collector.taken) == sorted(there)
    assert services.catch_up() == 0


def test_a_follower_that_fails_takes_the_same_again_and_stops_no_other(collector, monkeypatch):
    other = Collector()
    other.follower = Follower("other", other.take)
    monkeypatch.setattr(services, "followers", lambda: [collector.follower, other.follower])
    there = written(5)
    collector.fails = 1
    with pytest.raises(ExceptionGroup):
        events.handle_stream(event(records()), None)
    assert (collector.taken, sorted(other.taken)) == ([], sorted(there))
    events.handle_stream(event(records()), None)
    assert sorted(collector.taken) == sorted(other.taken) == sorted(there)


def test_processes_at_the_same_entries_take_each_once(collector):
    there = written(20)
    threads = [
        threading.Thread(target=lambda: events.handle_stream(event(records()), None)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(collector.taken) == sorted(there)


def test_a_place_that_moved_meanwhile_is_not_overwritten(aws):
    places.move([Move("f", "000", 0, 3)])
    for before in (0, 2):
        with pytest.raises(PlaceMoved):
            places.move([Move("f", "000", before, 9)])
    assert store.read("f", ["000", "001"]) == ({"000": 3}, [])


def test_one_that_begins_now_takes_nothing_from_before(monkeypatch, aws):
    fresh = Collector(from_start=False)
    monkeypatch.setattr(services, "followers", lambda: [fresh.follower])
    before = written(10)
    services.catch_up()
    assert fresh.taken == []
    there = written(10)
    handler(event(records()), None)
    services.catch_up()
    assert set(fresh.taken) <= set(there) - set(before)
    known = {chain for chain, _ in before}
    assert {one for one in there if one[0] in known} - set(before) <= set(fresh.taken)


@pytest.mark.parametrize("ahead", [1, 10**9])
def test_an_entry_that_somebody_made_up_is_passed_over_and_hides_no_other(collector, ahead):
    written(1)
    image = records()[0]["dynamodb"]["NewImage"]
    chain = image["chain"]["S"]
    forged = EntryTable.from_raw_data({**image, "sequence": {"N": str(1 + ahead)}})
    forged.save()
    handler(event(records()), None)
    services.catch_up()
    assert collector.taken == [(chain, 1)]
    assert store.read("collector", [chain]) == ({chain: 1}, [])
    forged.delete()
    there = written(40)
    handler(event(records()), None)
    services.catch_up()
    assert sorted(collector.taken) == sorted(there)


def test_what_is_no_entry_is_no_reason_to_stop(collector):
    there = written(1)
    spoiled = {
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {"NewImage": {"chain": {"S": "000"}}},
    }
    removed = {**records()[0], "eventName": "REMOVE"}
    events.handle_stream(event([spoiled, removed, *records()]), None)
    assert collector.taken == there


def test_places_are_of_this_follower(collector):
    written(3)
    handler(event(records()), None)
    assert {row.follower for row in PlaceTable.scan()} == {"collector"}
    assert audit.entries_page(limit=50).records, "following leaves no entries of its own"
    assert len(records()) == 3


def test_entries_that_are_archived_by_now_hold_up_nobody_who_begins(collector):
    writing.known_chains().names = ["007"]
    written(4)
    for number in (1, 2):
        EntryTable.get("007", number).delete()
    assert services.catch_up() == 2
    assert collector.taken == [("007", 3), ("007", 4)]


def test_many_entries_that_somebody_made_up_in_a_row_hide_no_other(collector, monkeypatch):
    monkeypatch.setattr(services, "READ", 3)
    writing.known_chains().names = ["007"]
    there = written(2)
    image = records()[0]["dynamodb"]["NewImage"]
    for number in range(1, 8):
        EntryTable.from_raw_data({**image, "sequence": {"N": f"1.{number}"}}).save()
    for _ in range(3):
        services.catch_up()
    assert collector.taken == there


@requirement("I10")
@pytest.mark.parametrize("from_start", [True, False])
@pytest.mark.parametrize("spoil", ["forward", "of another chain", "untagged", "no number"])
def test_whoever_sets_a_place_forward_hides_nothing_that_comes(monkeypatch, aws, from_start, spoil):
    collector = Collector(from_start=from_start)
    monkeypatch.setattr(services, "followers", lambda: [collector.follower])
    writing.known_chains().names = ["007"]
    there = written(2)
    handler(event(records()), None)
    row = PlaceTable.get("collector", "007")
    seals = {"forward": row.tag, "of another chain": store.seal("collector", "000", 9), "untagged": None}
    if spoil in seals:
        PlaceTable("collector", "007", sequence=9, tag=seals[spoil]).save()
    else:
        item = {"follower": {"S": "collector"}, "chain": {"S": "007"}, "sequence": {"S": "x"}}
        client("dynamodb").put_item(TableName=PlaceTable.Meta.table_name, Item=item)
    assert services.catch_up() == 0, "what is left is not known"
    there += (more := written(3)[2:])
    handler(event(records()[2:]), None)
    assert collector.taken == there
    written(1)
    services.catch_up()
    assert len(more) == 3
    assert len(collector.taken) == 6
    assert store.read("collector", ["007"]) == ({"007": 6}, [])
