"""Entries that somebody spoiled are named with their place, and break no list; keys rotate; a clock may go back."""

import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit import chain, services, writing
from apps.audit.chain_keys import as_ring
from apps.audit.records import Outcome, system
from apps.audit.services import record
from apps.audit.store import EntryTable, HeadTable
from apps.audit.stored import check
from apps.audit.verification import Depth, verify
from apps.audit.writing import AuditUnavailable
from apps.common import clock
from apps.common.aws import client
from apps.common.dynamodb import misplaced
from apps.files.trail import FileEvent
from tests import requirement
from tests.audit.test_chain import KEYS, a_chain, as_item

ACTOR = system("tests")


def write(count: int = 3, **subject: str) -> None:
    for _ in range(count):
        record(ACTOR, FileEvent.READ, **subject)


def spoil(sequence: int, **attributes: Any) -> str:
    """Overwrite attributes of an entry as a table writer does; None removes one."""
    chain_name = str(next(iter(HeadTable.scan())).chain)
    key = {"chain": {"S": chain_name}, "sequence": {"N": str(sequence)}}
    item = client("dynamodb").get_item(TableName=EntryTable.Meta.table_name, Key=key)["Item"]
    item |= attributes
    kept = {name: value for name, value in item.items() if value is not None}
    client("dynamodb").put_item(TableName=EntryTable.Meta.table_name, Item=kept)
    return chain_name


CHANGED, MOVED = "its content was changed", "it was moved in or hidden from lists ({})"
SPOILED: dict[str, dict[str, Any]] = {
    "no document": {"detail": {"S": "{"}},
    "a list for a document": {"detail": {"S": "[]"}},
    "a deep document": {"detail": {"S": "[" * 100_000}},
    "an unknown outcome": {"outcome": {"S": "perhaps"}},
    "no time": {"timestamp": {"S": "yesterday"}},
    "no time in its place": {"sort": {"S": "yesterday#"}},
    "no place": {"sort": None},
    "no actor": {"actor_feed": None},
    "a number for its actor's list": {"actor_feed": {"N": "7"}},
    "another's list beside its own actor": {"actor": {"S": "system:tests"}, "actor_feed": {"S": "user:b#0"}},
    "a number for a text": {"event": {"N": "7"}},
    "a number for the hash": {"hash": {"N": "7"}},
    "a hash that is not ASCII": {"hash": {"S": "ü" * 64}},
    "no hash": {"hash": None},
    "a format of tomorrow": {"format": {"N": "9"}},
    "half a format": {"format": {"N": "0.5"}},
    "a text for the format": {"format": {"S": "1"}},
    "an older format": {"format": None, "hashed_under": None},
    "another key": {"hashed_under": {"S": "00000000"}},
    "tags that are none": {"rows": {"S": '{"files/x": 7}'}},
    "an unknown event": {"event": {"S": "no.such"}},
    "no list, and a number for a tag": {"feed": None, "tag": {"N": "7"}},
}


@requirement("D3", "D5")
@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_entry_is_named_with_its_place_and_breaks_no_list(aws, how: str):
    write()
    chain_name = spoil(2, **SPOILED[how])
    named = {(problem.chain, problem.sequence) for problem in verify(Depth.RECORDS).problems}
    assert (chain_name, 2) in named
    assert named <= {(chain_name, 2), (chain_name, 3)}
    assert {1, 3} <= {entry.sequence for entry in services.entries_page(limit=10).records}


@requirement("D3")
def test_an_entry_between_two_numbers_is_named(aws):
    write()
    chain_name = str(next(iter(HeadTable.scan())).chain)
    row = EntryTable.get(chain_name, 2)
    item = EntryTable.of(row.record()).serialize() | {"sequence": {"N": "2.5"}}
    client("dynamodb").put_item(TableName=EntryTable.Meta.table_name, Item=item)
    assert any("its number is no whole one" in problem.what for problem in verify().problems)
    assert len(services.entries_page(limit=10).records) >= 3


@requirement("D3", "D2")
@pytest.mark.parametrize("attributes", [{"seal": {"N": "1"}}, {"timestamp": {"S": "never"}}])
def test_a_spoiled_head_is_named_and_other_chains_take_the_entries(aws, attributes: dict[str, Any]):
    write()
    row = next(iter(HeadTable.scan()))
    item = row.serialize() | attributes
    client("dynamodb").put_item(TableName=HeadTable.Meta.table_name, Item=item)
    assert any(problem.what.startswith("the head") for problem in verify().problems)
    writing.known_chains.cache_clear()
    write(len(writing.known_chains().names))
    assert HeadTable.count() > 1, "other chains take the entries"
    writing.known_chains().names = [row.chain]
    with pytest.raises(AuditUnavailable, match="No chain of the audit trail takes entries"):
        write(1)


@requirement("D3", "D4")
@pytest.mark.parametrize(
    ("hidden", "named"),
    [
        ({"actor_feed": {"S": "nobody#0"}}, CHANGED),
        ({"actor_feed": {"S": "system:tests#7"}}, MOVED),
        ({"actor_feed": {"S": "system:tests#x"}}, MOVED),
        ({"actor_feed": None}, CHANGED),
        ({"feed": None}, MOVED),
        ({"sort": {"S": "2000-01-01T00:00:00.000000Z#000-000000000002"}}, CHANGED),
        ({"approval_feed": {"S": "some-approval#0"}}, MOVED),
        ({"key_feed": {"S": "some-key#0"}}, CHANGED),
    ],
)
def test_an_entry_hidden_from_a_list_or_put_into_another_is_named(aws, hidden: dict[str, Any], named: str):
    """A list that names what an entry says is part of its content."""
    write(file_id="a-file")
    chain_name = spoil(2, **hidden)
    found = verify().problems
    assert {(problem.chain, problem.sequence) for problem in found} == {(chain_name, 2)}
    assert named.format(next(iter(hidden))) in {problem.what for problem in found}


@requirement("D4")
def test_growing_the_shards_of_feeds_is_no_tampering(aws, settings):
    settings.FEED_SHARDS = 2
    write(6)
    settings.FEED_SHARDS = 8
    write(6)
    assert verify().whole


@requirement("D3", "E7")
def test_the_audit_key_rotates_and_the_previous_one_still_verifies(aws, settings):
    write(2)
    settings.AUDIT_KEY_PREVIOUS, settings.AUDIT_KEY = [settings.AUDIT_KEY], "another"
    assert verify().whole, "the head is under the previous key, too"
    write(2)
    assert verify().whole
    settings.AUDIT_KEY_PREVIOUS = []
    assert {problem.sequence for problem in verify().problems} == {1, 2}
    assert "is under the key" in verify().problems[0].what


def in_format_0(entries: list[Any], key: Any) -> list[Any]:
    """What was written before entries named their format: each hash over canonical JSON of the record."""
    before, made = chain.genesis("000"), []
    for entry in entries:
        old = replace(entry, format=0, hashed_under="", previous_hash=before)
        made.append(replace(old, hash=chain.entry_hash(old, key)))
        before = made[-1].hash
    return made


@requirement("D3")
def test_entries_of_the_first_format_still_verify():
    from apps.audit.walking import Walk, start_of

    old = in_format_0(a_chain(3), KEYS.current)
    assert old[0].hash == "7b" or len(old[0].hash) == 64
    items = [{k: v for k, v in as_item(e).items() if k not in {"format", "hashed_under"}} for e in old]
    walk = Walk("000", start_of("000"), as_ring("new", "key of these tests"))
    walk.take(items)
    assert walk.problems == []
    items[1]["actor"] = {"S": "user:mallory"}
    walk = Walk("000", start_of("000"), KEYS)
    walk.take(items)
    assert [problem.sequence for problem in walk.problems] == [2, 2], "its content, and its place in a list"


@requirement("D3")
@given(
    detail=st.dictionaries(
        st.text(max_size=5),
        st.one_of(st.integers(), st.text(max_size=9), st.none(), st.floats(allow_nan=False)),
        max_size=4,
    ),
    subjects=st.fixed_dictionaries(
        {
            name: st.one_of(st.none(), st.text(min_size=1, max_size=9))
            for name in ("key_id", "session_id", "file_id", "via")
        }
    ),
    approval=st.one_of(st.none(), st.text(max_size=9)),
    outcome=st.sampled_from(Outcome),
)
def test_what_is_checked_as_it_is_stored_is_what_the_record_says(detail, subjects, approval, outcome):
    """The fast check of a stored entry agrees with the slow one of its record."""
    [entry] = a_chain(1)
    if approval is not None:
        detail = detail | {"approval_id": approval}
    entry = chain.as_link(
        replace(entry, detail=detail, outcome=outcome, **subjects),
        after=entry.previous_hash,
        key=KEYS.current,
    )
    item = json.loads(json.dumps(as_item(entry)))
    row = EntryTable.from_raw_data(dict(item))
    assert chain.is_whole(row.record(), KEYS)
    assert misplaced(row, row.record()) == []
    found = check(item, KEYS)
    assert (found.wrong, found.hash, found.sequence) == ((), entry.hash, 1)


@requirement("D3")
def test_a_clock_that_goes_back_makes_no_entry_older_and_is_reported(aws, monkeypatch, caplog):
    write(1)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now - timedelta(hours=1))
    write(1)
    writing.known_chains().heads.clear()  # another process: the head tells it the time
    write(1)
    first, second, third = sorted(services.entries_page(limit=5).records, key=lambda entry: entry.sequence)
    assert first.timestamp == second.timestamp == third.timestamp
    assert second.detail["clock_behind_seconds"] == pytest.approx(3600, abs=5)
    assert "behind the last entry" in caplog.text
    found = verify()
    assert (found.problems, found.held_back) == ([], 2)


@requirement("D3")
def test_a_chain_whose_times_go_back_is_named():
    from apps.audit.walking import Walk, start_of

    entries = a_chain(3)
    late = chain.as_link(
        replace(entries[1], timestamp=entries[1].timestamp - timedelta(days=1)),
        after=entries[0].hash,
        key=KEYS.current,
    )
    last = chain.as_link(entries[2], after=late.hash, key=KEYS.current)
    walk = Walk("000", start_of("000"), KEYS)
    walk.take([as_item(entry) for entry in (entries[0], late, last)])
    assert [(p.sequence, p.what) for p in walk.problems] == [
        (2, "its time is before that of the entry before it")
    ]


@pytest.mark.slow
@requirement("D5")
def test_a_reader_s_processor_takes_20_000_entries_a_second():
    """Recorded pages: the JSON that DynamoDB sends, 1.1 KB an entry. Half of it is demanded here: others work beside."""
    items = [as_item(entry) for entry in a_chain(700)]
    page = json.dumps({"Items": items})
    from apps.audit.walking import Walk, start_of

    best = 0.0
    for _ in range(5):
        walk = Walk("000", start_of("000"), KEYS)
        began = time.process_time()
        walk.take(json.loads(page)["Items"])
        best = max(best, 700 / (time.process_time() - began))
        assert walk.problems == []
    assert best > 10_000
