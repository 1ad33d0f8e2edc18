"""A list as a file: what its filters show, for whoever may see it, told in the trail before a byte goes out."""

import csv
import io
import json
import logging
from typing import Any

import pytest
from django.test import Client

from apps.access import ready_roles
from apps.access.roles import Role
from apps.audit import services as audit
from apps.audit.records import Entry
from apps.common.dynamodb import Page
from apps.common.errors import Unavailable
from apps.console import exporting
from apps.files.admin import FileAdmin
from apps.keys import services as keys
from apps.keys.admin import PoolKeyAdmin
from tests import requirement
from tests.console.demo import ALICE, SEALED, Demo
from tests.console.pages import AUDIT, DETECTIONS, FILES, LISTS, OTHERS, POOL, SESSIONS, ids, messages_of
from tests.console.test_lists import destruction_asked
from tests.console.test_permissions import People
from tests.console.test_roles import as_role


def exported(client: Any, url: str, kind: str = "csv", **filters: str) -> Any:
    return client.get(f"{url}export/{kind}/", filters)


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()


def rows_of(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text_of(answer))))


def lines_of(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text_of(answer).splitlines()]


def told() -> list[Entry]:
    return [entry for entry in audit.entries_page(limit=100).records if entry.event == "list.exported"]


@requirement("F1", "I2")
def test_every_list_is_had_as_a_file_with_what_it_shows_and_no_secret(console: Client, filled: Demo) -> None:
    destruction_asked(filled)
    for url in LISTS.values():
        shown = sorted(ids(console.get(url)))
        answer = exported(console, url, "jsonl")
        text = text_of(answer)
        found = [json.loads(line) for line in text.splitlines()]
        key = next(iter(found[0]))
        assert set(shown) <= {str(row[key]) for row in found}, url
        rows = rows_of(exported(console, url))
        assert {row[key].removeprefix("'") for row in rows} >= set(shown), url
        assert SEALED not in text
        assert not {"wrapped", "secret_hash", "private", "sealed"} & set(found[0]), url
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="')
        assert "no-store" in answer.headers["Cache-Control"]


@requirement("F1")
def test_the_filters_hold_for_the_file_as_for_the_list(console: Client, filled: Demo) -> None:
    for url, query in (
        (SESSIONS, {"status": "compromised", "link": "metro"}),
        (FILES, {"name": "rahmen"}),
        (DETECTIONS, {"verdict": "compromised"}),
        (AUDIT, {"actor": str(ALICE), "event": "pool_key.revoked"}),
        (POOL, {"q": filled.pool_keys[2].key_id}),
        (SESSIONS, {"until": "2020-01-01"}),
    ):
        page = console.get(url, query)
        rows = lines_of(exported(console, url, "jsonl", **query))
        assert [str(next(iter(row.values()))) for row in rows] == ids(page), (url, query)
        if rows:
            assert "export/csv/?" in page.content.decode(), "the link keeps the filters"
    assert exported(console, POOL, state="bogus").status_code == 302
    assert (
        "Unknown filter ignored"
        in messages_of(console.get(exported(console, POOL, nosuch="1")["Location"]))[0]
    )


@requirement("F6", "I9")
def test_each_ready_role_exports_the_lists_that_it_may_see_and_no_other(
    filled: Demo, db: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "django.request")
    ready_roles.sync()
    for role in Role:
        client = as_role(role)
        sees = {url: client.get(url).status_code for url in (*LISTS.values(), *OTHERS.values())}
        gets = {url: exported(client, url).status_code for url in sees if not url.endswith("/letter/")}
        assert {url: sees[url] for url in gets} == gets, role
        assert 200 in gets.values(), role
        assert (gets[POOL] == 403) is (role is Role.CLIENT), role


@requirement("F6", "I9")
def test_who_sees_their_own_files_exports_their_own_only(filled: Demo, db: None) -> None:
    ready_roles.sync()
    client = as_role(Role.CLIENT)
    assert rows_of(exported(client, FILES)) == []
    assert rows_of(exported(client, SESSIONS)) == []
    assert len(rows_of(exported(as_role(Role.ADMINISTRATOR), FILES))) > 1
    others = exported(client, SESSIONS, owner=str(ALICE))
    assert others["Location"].startswith(f"{SESSIONS}?owner="), "the list says what is wrong with the filter"
    assert messages_of(client.get(others["Location"]))


@requirement("F6")
def test_nothing_is_read_or_told_for_whom_the_list_is_not(
    person: People, filled: Demo, calls: list[str]
) -> None:
    client = person("keys.view_poolkey")
    calls.clear()
    assert exported(client, SESSIONS).status_code == 403
    assert calls == []
    assert exported(Client(), POOL).status_code == 302
    assert exported(client, POOL, "xlsx").status_code == 404
    assert client.post(f"{POOL}export/csv/").status_code in {403, 405}
    assert told() == []


@requirement("I1", "D1")
def test_the_trail_says_who_exported_what_before_a_byte_goes_out(console: Client, filled: Demo) -> None:
    answer = exported(console, SESSIONS, "jsonl", status="ready", link="metro")
    (entry,) = told()  # nothing of the answer was asked for yet
    assert entry.actor.startswith("user:")
    assert entry.detail["list"] == "qkd_sessions.session"
    assert entry.detail["format"] == "jsonl"
    assert entry.detail["filters"] == {"status": "ready", "link": "metro"}
    answer.close()


@requirement("I1")
def test_without_its_entry_nothing_goes_out(
    console: Client, filled: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise Unavailable("The trail does not answer.")

    monkeypatch.setattr(audit, "record", fails)
    answer = exported(console, POOL)
    assert answer.status_code == 503
    assert filled.pool_keys[0].key_id not in answer.content.decode()


@requirement("I8")
def test_no_spreadsheet_computes_what_somebody_typed(
    console: Client, filled: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"]
    original = FileAdmin.display_for
    names = iter(evil)

    def named(self: FileAdmin, request: Any, record: Any) -> Any:
        obj = original(self, request, record)
        obj.name = next(names, "plain")  # type: ignore[attr-defined]
        return obj

    monkeypatch.setattr(FileAdmin, "display_for", named)
    found = [row["name"] for row in rows_of(exported(console, FILES))]
    assert len(found) >= 2
    assert [name for name in found if name != "plain"] == [f"'{name}" for name in evil[: len(found)]]
    assert {exporting._cell(text) for text in evil} == {f"'{text}" for text in evil}
    assert exporting._cell(-3) == -3


@requirement("F1", "I6")
@pytest.mark.parametrize("bound", [("MOST_ROWS", 7), ("MOST_PAGES", 2), ("MOST_BYTES", 1)])
def test_a_file_that_is_cut_says_so_in_its_last_line(
    console: Client, monkeypatch: pytest.MonkeyPatch, calls: list[str], bound: tuple[str, int]
) -> None:
    keys.create(12, actor=ALICE)
    monkeypatch.setattr(exporting, "LOOKED_THROUGH", 5)
    assert len(rows_of(exported(console, POOL))) == 12, "whole: nothing is said"
    monkeypatch.setattr(exporting, *bound)
    calls.clear()
    found = lines_of(exported(console, POOL, "jsonl"))
    assert calls.count("Query") <= 4, "what is not sent is not read"
    count = {"MOST_ROWS": 7, "MOST_PAGES": 10, "MOST_BYTES": 5}[bound[0]]
    assert len(found) == count + 1
    assert found[-1]["end"].startswith(f"Cut after {count} rows")
    assert text_of(exported(console, POOL)).splitlines()[-1].startswith(f"Cut after {count} rows")


@requirement("F1")
def test_exactly_as_many_as_there_may_be_are_whole(console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.create(10, actor=ALICE)
    monkeypatch.setattr(exporting, "LOOKED_THROUGH", 5)
    monkeypatch.setattr(exporting, "MOST_ROWS", 10)
    monkeypatch.setattr(exporting, "MOST_PAGES", 2)
    found = lines_of(exported(console, POOL, "jsonl"))
    assert len(found) == 10
    assert "end" not in found[-1]


@requirement("F1")
def test_a_store_that_fails_on_the_way_is_told_in_the_file(
    console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.create(8, actor=ALICE)
    monkeypatch.setattr(exporting, "LOOKED_THROUGH", 5)
    original = PoolKeyAdmin.page

    def fails_later(self: PoolKeyAdmin, request: Any, **asked: Any) -> Page[Any]:
        if asked["position"] is not None:
            raise Unavailable("The store does not answer.")
        return original(self, request, **asked)

    monkeypatch.setattr(PoolKeyAdmin, "page", fails_later)
    assert lines_of(exported(console, POOL, "jsonl"))[-1]["end"].startswith(
        "Not whole: reading failed after 5 rows"
    )


@requirement("F1")
def test_an_empty_list_is_a_file_with_its_names_alone(console: Client) -> None:
    assert "export/csv/" not in console.get(SESSIONS).content.decode()
    assert text_of(exported(console, SESSIONS)).startswith("session_id,timestamp,")
    assert len(text_of(exported(console, SESSIONS)).splitlines()) == 1
    assert text_of(exported(console, SESSIONS, "jsonl")) == ""
