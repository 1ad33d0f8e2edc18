"""Rows carry tags: what a table writer changes is not acted on, and racing updates never leave a row that no tag fits."""

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.access import api_keys as access
from apps.access.roles import Role
from apps.access.store import ApiKeyTable
from apps.audit import writing
from apps.audit.rows import NewestTags, RowCheck, newest_tags
from apps.audit.services import Conflict
from apps.audit.store import walk
from apps.common.authenticated import Record, RecordForged, is_authentic, make_tag
from apps.common.aws import client
from apps.common.dynamodb import all_tables
from apps.common.errors import Refused
from tests import requirement
from tests.conftest import TESTS

ITEMS = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.one_of(
        st.builds(lambda text: {"S": text}, st.text(max_size=20)),
        st.builds(lambda data: {"B": data}, st.binary(max_size=20)),
        st.builds(lambda number: {"N": str(number)}, st.integers(-(10**20), 10**20)),
        st.builds(lambda flag: {"BOOL": flag}, st.booleans()),
    ),
    max_size=5,
)


@requirement("C15", "I10")
def test_every_table_is_authenticated_or_says_why_it_decides_nothing():
    silent = [
        table.__name__
        for table in all_tables()
        if issubclass(table.record_type, Record) is bool(table.undeciding)
    ]
    assert silent == []


@requirement("I10")
def test_a_row_of_which_its_keys_alone_are_there_is_refused_in_every_table():
    taken = []
    for table in all_tables():
        keys = {
            one.attr_name: {one.attr_type: "1"}
            for one in table.get_attributes().values()
            if one.is_hash_key or one.is_range_key
        }
        row = table.from_raw_data(keys)
        if table.is_tagged():
            try:
                row.record()
            except RecordForged:
                continue
            taken.append(table.__name__)
    assert taken == []


@requirement("I10")
@given(item=ITEMS, revision=st.integers(1, 2**53))
def test_a_tag_is_for_exactly_these_fields(item: dict[str, Any], revision: int):
    tag = make_tag("t", item, revision=revision)
    assert is_authentic("t", item, tag)
    assert not is_authentic("u", item, tag)
    assert not is_authentic("t", {**item, "other": {"S": "x"}}, tag)
    head, _, mac = tag.rpartition(".")
    assert not is_authentic("t", item, f"{head}.{'A' if mac[0] != 'A' else 'B'}{mac[1:]}")
    key_id, _, _ = tag.split(".")
    assert not is_authentic("t", item, f"{key_id}.{revision + 1}.{mac}")


@requirement("I10")
@given(tag=st.text(max_size=60))
def test_no_text_is_a_tag_by_chance(tag: str):
    assert not is_authentic("t", {"a": {"S": "b"}}, tag)


@requirement("I10")
@pytest.mark.parametrize(
    ("written", "read"), [("1.0", "1"), ("0.0000010", "1E-6"), ("-0", "0"), ("1e3", "1000")]
)
def test_numbers_count_by_their_value(written: str, read: str):
    """DynamoDB gives numbers back in a spelling of its own."""
    tag = make_tag("t", {"n": {"N": written}}, revision=1)
    assert is_authentic("t", {"n": {"N": read}}, tag)


@requirement("E7", "I10")
def test_the_previous_key_still_counts_while_it_is_rotated(aws, settings):
    made, _ = access.issue_for_service("a", role=Role.CLIENT, actor=TESTS)
    settings.RECORD_KEY_PREVIOUS, settings.RECORD_KEY = [settings.RECORD_KEY], "another"
    assert access.find(made.key_id).name == "a"
    access.revoke(made.key_id, reason="leaked", actor=TESTS)  # writes the row under the new key
    settings.RECORD_KEY_PREVIOUS = []
    assert access.find(made.key_id).name == "a"


@requirement("E7", "I10")
def test_a_key_that_is_gone_no_longer_counts(aws, settings):
    made, _ = access.issue_for_service("a", role=Role.CLIENT, actor=TESTS)
    settings.RECORD_KEY = "another"
    with pytest.raises(RecordForged):
        access.find(made.key_id)


@requirement("I10")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("principal_id", {"S": "service:first-run"}),
        ("status", {"S": "active"}),
        ("secret_hash", {"S": "00"}),
        ("tag", {"S": ""}),
    ],
)
def test_a_changed_row_is_refused_by_name(aws, name: str, value: dict[str, str]):
    made, _ = access.issue_for_service("a", role=Role.CLIENT, actor=TESTS)
    access.revoke(made.key_id, reason="leaked", actor=TESTS)
    client("dynamodb").update_item(
        TableName=ApiKeyTable.Meta.table_name,
        Key={"key_id": {"S": made.key_id}},
        UpdateExpression="SET #n = :v",
        ExpressionAttributeNames={"#n": name},
        ExpressionAttributeValues={":v": value},
    )
    with pytest.raises(RecordForged, match=made.key_id):
        access.find(made.key_id)


@requirement("I10")
def test_racing_updates_leave_a_row_that_its_tag_fits(aws):
    made, _ = access.issue_for_service("a", role=Role.CLIENT, actor=TESTS)
    failures: list[Exception] = []

    def revoke() -> None:
        try:
            access.revoke(made.key_id, reason="leaked", actor=TESTS)
        except Exception as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    threads = [threading.Thread(target=revoke) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) == 5
    assert all(isinstance(failure, Conflict | Refused) for failure in failures)
    assert access.find(made.key_id).status == "revoked"


def row_problems(newest: NewestTags) -> list[str]:
    check = RowCheck(newest)
    check.go(catch_up=lambda: None, tick=lambda: None, after_table=lambda: None)
    return [problem.what for problem in check.problems]


@requirement("D3", "I10")
@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("set back", "it was set back to an earlier state"),
        ("removed", "it is gone, and no entry says so"),
        ("changed", "its content is not what the platform wrote"),
        ("made up", "no entry says that it was made"),
        ("hidden", "it was moved in or hidden from lists (feed)"),
    ],
)
def test_the_trail_finds_what_a_table_writer_did(aws, harm: str, found: str):
    dynamodb, table = client("dynamodb"), ApiKeyTable.Meta.table_name
    made, _ = access.issue_for_service("a", role=Role.CLIENT, actor=TESTS)
    key = {"key_id": {"S": made.key_id}}
    before = dynamodb.get_item(TableName=table, Key=key)["Item"]
    access.revoke(made.key_id, reason="leaked", actor=TESTS)
    newest = newest_tags(entry for chain in writing.known_chains().names for entry in walk(chain))
    assert row_problems(newest) == []
    after = dynamodb.get_item(TableName=table, Key=key)["Item"]
    if harm == "set back":
        dynamodb.put_item(TableName=table, Item=before)
    elif harm == "removed":
        dynamodb.delete_item(TableName=table, Key=key)
    elif harm == "changed":
        dynamodb.put_item(TableName=table, Item=after | {"status": {"S": "active"}})
    elif harm == "made up":
        newest.of = {row: tag for row, tag in newest.of.items() if made.key_id not in row}
    else:
        dynamodb.put_item(TableName=table, Item=after | {"feed": {"S": "nowhere#0"}})
    assert row_problems(newest) == [found]
