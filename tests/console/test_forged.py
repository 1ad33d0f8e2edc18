"""Rows that somebody wrote into the tables: lists leave them out and say so, pages say so, and neither is an error of ours."""

import json
from typing import Any

import pytest
from django.test import Client

from apps.access.store import ApiKeyTable
from apps.cases.store import CaseTable
from apps.common.aws import client
from apps.common.dynamodb import Table
from apps.detections.store import DetectionTable
from apps.files.store import FileTable
from apps.jobs.store import JobTable
from apps.keys.store import PoolKeyTable
from apps.links.store import LinkTable
from apps.sessions.store import SessionTable
from tests import requirement
from tests.console.demo import Demo
from tests.console.pages import CASES, CLIENTS, DETECTIONS, FILES, JOBS, LINKS, POOL, SESSIONS, ids

pytestmark = requirement("F1", "I10")
TABLES: dict[str, type[Table[Any]]] = {
    SESSIONS: SessionTable, DETECTIONS: DetectionTable, POOL: PoolKeyTable, FILES: FileTable, JOBS: JobTable,
    CLIENTS: ApiKeyTable, LINKS: LinkTable, CASES: CaseTable,
}  # fmt: skip
FORGED = "000made-up"
PLACES = {"sort", "feed"}  # by which a row is listed


def forge(table: type[Table[Any]], harm: str) -> None:
    """Write a row of our own beside those of a table, newest in the same lists."""
    name = table.Meta.table_name
    item: dict[str, Any] = client("dynamodb").scan(TableName=name)["Items"][0]
    key = str(table._hash_keyname)
    named: dict[str, Any] = {key: {"S": FORGED}, "sort": {"S": f"2999-01-01T00:00:00.000000Z#{FORGED}"}}
    keys = {key, str(table._range_keyname)}
    harmed: dict[str, dict[str, Any]] = {
        "copied": item,
        "stripped": {k: v for k, v in item.items() if k in keys | PLACES},
        "nonsense": {
            k: v if k in keys | PLACES or "S" not in v else {"S": '\u202e<script>{"'} for k, v in item.items()
        },
    }
    client("dynamodb").put_item(TableName=name, Item=harmed[harm] | named)


@pytest.mark.parametrize("harm", ["copied", "stripped", "nonsense"])
def test_a_row_that_somebody_wrote_is_left_out_of_its_list_and_named(
    console: Client, filled: Demo, harm: str
) -> None:
    for url, table in TABLES.items():
        before = ids(console.get(url))
        forge(table, harm)
        page = console.get(url)
        assert ids(page) == before, url
        assert [name.split("/")[1] for name in page.context["cl"].left_out] == [FORGED], url
        assert "1 record was changed outside of the platform" in " ".join(page.content.decode().split())
        answer: Any = console.get(f"{url}export/jsonl/")
        lines = b"".join(answer.streaming_content).decode().splitlines()
        assert FORGED in json.loads(lines[-1])["end"]
        shown = console.get(f"{url}{FORGED}/change/")
        assert shown.status_code == 409, url
        assert "was changed outside of the platform" in shown.content.decode()
    assert console.get("/admin/").status_code == 200
    assert console.get("/admin/dashboard/data/").status_code == 200
