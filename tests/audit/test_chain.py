"""The audit trail: whole, keyed, in one transaction with what it records."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit import chain, services, writing
from apps.audit.chain_keys import KeyRing, as_ring
from apps.audit.records import Entry, Event, Outcome, system
from apps.audit.services import Conflict, record, transaction
from apps.audit.store import EntryTable, HeadTable
from apps.audit.verification import verify
from apps.audit.walking import Walk, start_of
from apps.common import clock
from apps.common.dynamodb import Position
from apps.files.trail import FileEvent
from apps.jobs.records import Job, JobState
from apps.jobs.store import JobTable
from apps.jobs.trail import JobEvent
from tests import requirement

KEYS = as_ring("key of these tests")
ACTOR = system("tests")


def a_chain(length: int) -> list[Entry]:
    entries, before = [], chain.genesis("000")
    for number in range(1, length + 1):
        entry = Entry(
            chain="000",
            sequence=number,
            timestamp=clock.now(),
            event=FileEvent.READ,
            outcome=Outcome.OK,
            actor="system:tests",
            source_ip="",
            via=None,
            key_id=None,
            session_id=None,
            file_id=f"file-{number}",
            detail={"number": number},
        )
        entries.append(chain.as_link(entry, after=before, key=KEYS.current))
        before = entries[-1].hash
    return entries


def as_item(entry: Entry) -> Any:
    return EntryTable.of(entry).serialize()


def found(entries: list[Entry], length: int, keys: KeyRing = KEYS) -> list[int]:
    walk = Walk("000", start_of("000"), keys)
    walk.take([as_item(entry) for entry in entries])
    end = replace(entries[-1], sequence=length) if entries else None
    walk.end(chain.sealed_head(end, keys.current) if end else None)
    return [problem.sequence for problem in walk.problems]


def a_job(job_id: str = "job") -> Job:
    return Job(job_id, "generate_sessions", JobState.QUEUED, "system:tests", 1, clock.now())


@requirement("D3")
@given(st.integers(0, 20))
def test_a_whole_chain_has_no_problems(length):
    assert found(a_chain(length), length) == []


@requirement("D3")
@given(st.integers(1, 12), st.data())
def test_a_changed_entry_is_named(length, data):
    entries = a_chain(length)
    place = data.draw(st.integers(0, length - 1))
    field = data.draw(st.sampled_from(["actor", "file_id", "outcome", "detail", "timestamp"]))
    changed = {
        "actor": "user:mallory",
        "file_id": "another",
        "outcome": Outcome.DENIED,
        "detail": {"number": -1},
        "timestamp": clock.now(),
    }
    entries[place] = replace(entries[place], **{field: changed[field]})
    assert found(entries, length) == [place + 1]


@requirement("D3")
@given(st.integers(2, 12), st.data())
def test_a_removed_entry_is_named(length, data):
    entries = a_chain(length)
    place = data.draw(st.integers(0, length - 1))
    del entries[place]
    assert found(entries, length)[0] == place + 1


@requirement("D3")
def test_reordered_entries_are_named():
    entries = a_chain(4)
    swapped = [entries[0], replace(entries[2], sequence=2), replace(entries[1], sequence=3), entries[3]]
    assert found(swapped, 4) == [2, 2, 3, 3, 4]


@requirement("D3")
def test_a_chain_made_with_another_key_does_not_verify():
    assert found(a_chain(3), 3, as_ring("not the key")) == [1, 2, 3]


@requirement("D3")
def test_verification_names_an_entry_edited_behind_its_back(aws):
    for number in range(5):
        record(ACTOR, FileEvent.READ, file_id=f"file-{number}")
    assert verify().problems == []
    row = next(iter(EntryTable.by_file.query("file-2#0")))
    row.update([EntryTable.actor.set("user:mallory")])
    found = verify().problems
    assert {(problem.chain, problem.sequence) for problem in found} == {(row.chain, row.sequence)}
    assert {problem.what for problem in found} == {
        "its content was changed",
        "it was moved in or hidden from lists (actor_feed)",
    }


@requirement("D3")
def test_a_cut_tail_is_found_even_when_the_head_is_set_back(aws):
    for _ in range(3):
        record(ACTOR, FileEvent.READ)
    last = next(iter(EntryTable.by_feed.query("all#0", scan_index_forward=False)))
    before = EntryTable.get(last.chain, last.sequence - 1)
    last.delete()
    assert [p.sequence for p in verify().problems] == [3]
    head = HeadTable.get(last.chain)
    head.update([HeadTable.sequence.set(2), HeadTable.hash.set(before.hash)])
    assert "the head was changed" in {problem.what for problem in verify().problems}


@requirement("D3")
def test_an_entry_added_behind_the_head_is_found(aws):
    record(ACTOR, FileEvent.READ)
    row = next(iter(EntryTable.by_feed.query("all#0")))
    forged = replace(row.record(), sequence=2, file_id="forged")
    EntryTable.of(forged).save()
    assert {p.sequence for p in verify().problems} >= {2}


@requirement("D2", "I1")
def test_a_change_without_an_entry_is_refused(aws):
    with pytest.raises(ValueError, match="needs its audit entry"), transaction(ACTOR) as tx:
        tx.put(JobTable.of(a_job()))
    assert JobTable.find("job") is None


@requirement("D2", "I1")
def test_nothing_changes_when_the_entry_cannot_be_written(aws):
    EntryTable.delete_table()
    with pytest.raises(writing.AuditUnavailable), transaction(ACTOR) as tx:
        tx.put(JobTable.of(a_job()))
        tx.audit(JobEvent.QUEUED)
    assert JobTable.find("job") is None


@requirement("I1")
def test_no_entry_is_written_when_the_change_is_refused(aws):
    JobTable.of(a_job()).save()
    with pytest.raises(Conflict), transaction(ACTOR) as tx:
        tx.put(JobTable.of(a_job()))
        tx.audit(JobEvent.QUEUED)
    assert verify().entries == 0


@requirement("I1")
def test_an_error_inside_the_block_writes_nothing(aws):
    with pytest.raises(KeyError), transaction(ACTOR) as tx:
        tx.put(JobTable.of(a_job()))
        tx.audit(JobEvent.QUEUED)
        raise KeyError
    assert JobTable.find("job") is None
    assert verify().entries == 0


@requirement("D3")
def test_a_head_moved_by_another_process_is_followed(aws):
    record(ACTOR, FileEvent.READ)
    stale = dict(writing.known_chains().heads)
    record(ACTOR, FileEvent.READ)
    writing.known_chains().heads.update(stale)
    record(ACTOR, FileEvent.READ)
    verification = verify()
    assert (verification.entries, verification.problems) == (3, [])


@requirement("D4", "I6")
@pytest.mark.parametrize("by", ["key", "session", "file"])
def test_entries_are_found_by_what_they_are_about(aws, by):
    for number in range(3):
        record(ACTOR, FileEvent.READ, **{f"{by}_id": f"it-{number}"})
    found = services.entries_page(limit=10, by=by, value="it-1").records
    assert [getattr(entry, f"{by}_id") for entry in found] == ["it-1"]


def after(page):
    return Position(str(page.older))


@requirement("D4", "I6")
def test_pages_go_back_and_forth_without_loss(aws):
    for _ in range(7):
        record(ACTOR, FileEvent.READ)
    everything = [entry.sequence for entry in services.entries_page(limit=100).records]
    first = services.entries_page(limit=3)
    second = services.entries_page(limit=3, position=after(first))
    third = services.entries_page(limit=3, position=after(second))
    pages = [first, second, third]
    assert [entry.sequence for page in pages for entry in page.records] == everything
    assert third.older is None
    back = services.entries_page(limit=3, position=Position(str(third.newer), older=False))
    assert back.records == second.records


@requirement("I1")
def test_threads_share_the_chains_without_a_gap(aws):
    def work():
        for _ in range(10):
            record(ACTOR, FileEvent.READ)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verification = verify()
    assert (verification.entries, verification.problems) == (60, [])


class AnotherRelease(Event):
    """Events that this release does not declare."""

    MOVED = "building.moved", "A building moved."


@requirement("D1", "D3")
def test_an_entry_of_another_release_is_shown_and_verified(admin_api):
    elsewhere = system("elsewhere")
    record(elsewhere, AnotherRelease.MOVED)
    [entry] = services.entries_page(limit=5, by="actor", value=str(elsewhere)).records
    assert entry.event == "building.moved"
    shown = admin_api.call("GET", f"audit?actor={elsewhere}").json()["items"]
    assert [item["event"] for item in shown] == ["building.moved"]
    assert verify().problems == []
