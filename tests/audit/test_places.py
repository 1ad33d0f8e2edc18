"""What an entry's places in lists say is stored once: entries of before verify beside those of now, and the largest usual one fits a write unit."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit import chain, places
from apps.audit.chain_keys import as_ring
from apps.audit.records import Entry, Outcome, system
from apps.audit.services import record
from apps.audit.store import EntryTable, HeadTable
from apps.audit.stored import check
from apps.audit.verification import Depth, verify
from apps.common import tracing
from apps.common.aws import client
from apps.files.trail import FileEvent
from tests import requirement
from tests.write_units import size

KEYS = as_ring("key of these tests")
ID = "0f" * 18
TAG = "8fbeffaf.1795715490778.GgHk_Iy9HVBq4ivDFuKwhw"
ENCRYPTED = Entry(
    chain="255", sequence=10**11, timestamp=datetime(2026, 11, 26, 1, 2, 3, 45, UTC), event="file.encrypted",
    outcome=Outcome.OK, actor="system:encryptor", source_ip="", via=None, key_id=f"pk-{ID}", session_id=ID, file_id=ID,
    detail={
        "owner": f"user:{ID}", "plaintext_removed": ID, "request_id": ID, "size": 10**9,
        "uploaded_by": "AWS:" + "AROA" * 5 + ":qkd-prod-api-handler", "uploaded_from": "2001:db8:" + "ffff:" * 5 + "ffff",
    },
    rows={f"files/{ID}": TAG, f"quantum-keys/{ID}.1023": TAG},
)  # fmt: skip


def linked(entry: Entry) -> Entry:
    return chain.as_link(entry, after=chain.genesis(entry.chain), key=KEYS.current)


def as_stored_now(entry: Entry) -> dict[str, Any]:
    return EntryTable.of(entry).serialize()


def whole_row(entry: Entry) -> dict[str, Any]:
    """A row with all its fields, as it was stored before."""
    return places.as_told(EntryTable.of(entry).serialize())


@requirement("G6")
def test_the_entry_of_an_upload_is_below_a_kilobyte():
    item = EntryTable.of(linked(ENCRYPTED)).serialize()
    assert size(item) <= 1024 < size(places.as_told(item))


@requirement("D3")
@given(
    st.fixed_dictionaries(
        {
            name: st.one_of(st.none(), st.text(min_size=1, max_size=4), st.just("a#0"))
            for name in ("key_id", "session_id", "file_id")
        }
    ),
    st.text(max_size=4),
)
def test_a_stored_entry_tells_all_its_fields_and_verifies_as_one_of_before(subjects, actor: str):
    entry = linked(replace(ENCRYPTED, actor=actor, **subjects))
    stored = EntryTable.of(entry).serialize()
    before = whole_row(entry)
    assert {"timestamp", "actor"} <= before.keys()
    assert places.as_stored(before) == stored
    for item in (stored, before):
        assert EntryTable.from_raw_data(dict(item)).record() == entry
        assert check(item, KEYS).wrong == ()


@requirement("D3", "I10")
@pytest.mark.parametrize("name", ["actor_feed", "key_feed", "session_feed", "file_feed", "sort"])
def test_a_place_that_was_changed_changes_what_the_entry_says(name: str):
    item = EntryTable.of(linked(ENCRYPTED)).serialize()
    assert (
        "its content was changed" in check(item | {name: {"S": "2026-01-01T00:00:00.000000Z#0"}}, KEYS).wrong
    )
    before = whole_row(linked(ENCRYPTED)) | {name: {"S": "2026-01-01T00:00:00.000000Z#0"}}
    assert list(check(before, KEYS).wrong) == [f"it was moved in or hidden from lists ({name})"]


@requirement("D3", "I10")
@pytest.mark.parametrize("make_row", [as_stored_now, whole_row], ids=["of now", "of before"])
@pytest.mark.parametrize(
    "spoiled",
    [
        {name: {"N": "7"}}
        for name in ("feed", "sort", "actor_feed", "key_feed", "session_feed", "file_feed", "approval_feed")
    ]
    + [{"feed": {"S": "others#0"}, "tag": {"N": "7"}}],
    ids=str,
)
def test_a_place_of_another_type_is_named(make_row, spoiled: dict[str, Any]):
    """The archive's bucket takes what an index would refuse."""
    item = make_row(linked(ENCRYPTED)) | spoiled
    assert check(item, KEYS).wrong


@requirement("D3")
def test_a_chain_goes_on_behind_entries_that_have_all_fields(aws):
    actor = system("tests")
    for _ in range(3):
        record(actor, FileEvent.READ, file_id=ID)
    for row in EntryTable.scan():
        item = places.as_told(row.serialize())
        client("dynamodb").put_item(TableName=EntryTable.Meta.table_name, Item=item)
    for _ in range(HeadTable.count() + 1):
        record(actor, FileEvent.READ, file_id=ID)
    kept = client("dynamodb").scan(TableName=EntryTable.Meta.table_name)["Items"]
    assert len({"timestamp" in item for item in kept}) == 2, "both kinds are there"
    assert verify(Depth.RECORDS).whole


@requirement("G6")
def test_a_trace_of_the_callers_own_leaves_an_upload_s_entry_below_a_kilobyte():
    """A caller's trace adds an id to each entry."""
    trace = tracing.of_request(ID, traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01")
    with tracing.entered(trace):
        detail = {**ENCRYPTED.detail, **tracing.as_detail(), "uploaded_from": "192.0.2.123"}
    assert "trace_id" in detail
    assert size(EntryTable.of(linked(replace(ENCRYPTED, detail=detail))).serialize()) <= 1024
