"""Sessions, verdicts and usage for a data lake: every row at least once, by table and day, and no live table is read (D6)."""

import json
import random

import pytest
from django.conf import settings as django_settings

from apps.audit import services as audit
from apps.audit.records import Outcome
from apps.cases.trail import CaseEvent
from apps.common.aws import client
from apps.exports import analytics
from apps.files.trail import FileEvent
from apps.following import places
from apps.following import services as following
from apps.sessions.trail import SessionEvent
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS
from tests.faults import counted
from tests.trail_stream import event, records
from tests.uploads import deliver, registered

pytestmark = requirement("D6")


@pytest.fixture(autouse=True)
def _exporting(settings, aws):
    settings.ANALYTICS_EXPORT = True


def happened(count):
    for number in range(count):
        audit.record(TESTS, FileEvent.ENCRYPTED, file_id=f"f{number}", size=number, secret_place="left out")
        audit.record(TESTS, SessionEvent.READY, session_id=f"s{number}", link="l", verdict="clean", qber=0.01)
        audit.record(TESTS, CaseEvent.OPENED, session_id=f"s{number}", case_id="c", link="l", severity="info")
        audit.record(TESTS, FileEvent.READ, outcome=Outcome.DENIED, file_id="other's")
        audit.record(TESTS, FileEvent.REWRAPPED, file_id="of no table")


def files():
    s3, bucket = client("s3"), django_settings.EXPORTS_BUCKET
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys}


def lines():
    """Rows by table."""
    found: dict[str, list[dict[str, object]]] = {}
    for key, body in files().items():
        table, day = key.split("/")[1:3]
        rows = [json.loads(line) for line in body.splitlines()]
        assert {f"day={row['time'][:10]}" for row in rows} == {day}
        found.setdefault(table, []).extend(rows)
    return found


def test_rows_stand_in_their_table_with_its_columns():
    happened(2)
    handler(event(records()), None)
    found = lines()
    assert {table: len(rows) for table, rows in found.items()} == {"usage": 2, "verdicts": 2, "cases": 2}
    assert {row["size"] for row in found["usage"]} == {0, 1}
    assert found["verdicts"][0]["verdict"] == "clean"
    assert "secret_place" not in json.dumps(found)


def test_a_row_says_whose_use_it_is_though_the_platform_did_it(api, stock):
    deliver(registered(api, b"abc").event)
    handler(event(records()), None)
    (row,) = (one for one in lines()["usage"] if one["event"] == "file.encrypted")
    assert (row["owner"], row["actor"] == row["owner"], row["size"]) == (str(api.client), False, 3)


def test_whatever_dies_on_the_way_no_row_is_lost_and_each_is_told_by_its_entry(monkeypatch):
    some, move = random.Random(4), places.move

    def killed(moves, also=None):
        if moves[0].follower == "analytics" and some.random() < 0.5:
            raise RuntimeError("killed before the place moved")
        move(moves, also)

    monkeypatch.setattr(places, "move", killed)
    for _ in range(5):
        happened(1)
        try:
            handler(event(some.sample(records(), k=4)), None)
        except ExceptionGroup:
            continue
    monkeypatch.setattr(places, "move", move)
    following.catch_up()
    assert {table: len({row["entry"] for row in rows}) for table, rows in lines().items()} == {
        "usage": 5,
        "verdicts": 5,
        "cases": 5,
    }


def test_no_table_is_read_for_it(monkeypatch):
    happened(1)
    (alone,) = [one for one in following.followers() if one.name == "analytics"]
    monkeypatch.setattr(following, "followers", lambda: [alone])
    batch = event(records())
    with counted() as calls:
        handler(batch, None)
    assert set(calls) == {"BatchGetItem", "PutObject", "TransactWriteItems"}, (
        "its place, its files, its place"
    )


def test_every_column_has_a_type_that_athena_knows():
    page = analytics.page()
    for table, (_, columns) in analytics.TABLES.items():
        assert f"analytics/{table}/" in page
        assert all(f"`{name}`" in page for name in columns)
