"""Lists of detections hold keys only: a verdict is written once, and not again in each list."""

from typing import Any

from apps.common.aws import client
from apps.detections import services as detections
from apps.detections.store import DetectionTable
from apps.sessions import services as sessions
from apps.sessions.services import GenerateRequest
from apps.stack import resources
from tests import requirement
from tests.conftest import TESTS
from tests.read_units import counted_read_units
from tests.write_units import counted_units


def pending() -> str:
    return sessions.generate(GenerateRequest(key_length=256, error_rate=0.02), actor=TESTS).session_id


def described(table: str) -> Any:
    return client("dynamodb").describe_table(TableName=table)["Table"]


@requirement("G6", "I6")
def test_a_verdict_costs_one_write_unit_in_each_list_that_it_is_in(pool):
    session_id = pending()
    with counted_units() as units:
        judged = detections.judge(session_id, actor=TESTS)
    lists = {name: count for name, count in units.items() if "-detections/" in name}
    assert {name.rpartition("/")[2]: count for name, count in lists.items()} == {
        "feed": 1,
        "by_owner": 1,
        "by_verdict": 0,
    }
    with counted_read_units() as read:
        assert detections.listed(actor=TESTS, limit=50).records == [judged]
    assert read == [0.5, 0.5], "the keys, and the row"


@requirement("F1", "I6")
def test_a_stage_whose_index_holds_whole_rows_still_lists_what_was_written_before(pool):
    """No projection of an index can be changed in place: a table of an earlier release keeps its own."""
    dynamodb, name = client("dynamodb"), DetectionTable.Meta.table_name
    feed = next(one for one in described(name)["GlobalSecondaryIndexes"] if one["IndexName"] == "feed")
    old: Any = {"IndexName": "feed", "KeySchema": feed["KeySchema"], "Projection": {"ProjectionType": "ALL"}}
    before = detections.judge(pending(), actor=TESTS)
    dynamodb.update_table(TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "feed"}}])
    dynamodb.update_table(TableName=name, GlobalSecondaryIndexUpdates=[{"Create": old}])
    resources.ensure_tables()
    after = detections.judge(pending(), actor=TESTS)
    kept = next(one for one in described(name)["GlobalSecondaryIndexes"] if one["IndexName"] == "feed")
    assert kept["Projection"]["ProjectionType"] == "ALL", "the start leaves it as it is"
    assert detections.listed(actor=TESTS, limit=50).records == [after, before]
