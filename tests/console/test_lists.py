"""Lists: one Query a page, cursors both ways, filters by index, search by id."""

from itertools import chain
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.custody import retirement
from apps.keys import services as keys
from apps.keys.records import KeyState
from tests import requirement
from tests.console.demo import ALICE, Demo
from tests.console.pages import AUDIT, DETECTIONS, FILES, LISTS, POOL, SESSIONS, ids, messages_of


@requirement("F1", "I6")
def test_every_list_is_one_query_and_no_sql_of_its_own(
    console: Client, filled: Demo, calls: list[str]
) -> None:
    for url in LISTS.values():
        calls.clear()
        with CaptureQueriesContext(connection) as sql:
            page = console.get(url)
        assert page.status_code == 200
        assert ids(page), url
        assert calls == ["Query"], url
        model = page.context["cl"].opts.db_table
        assert not [query for query in sql.captured_queries if model in query["sql"]]


@requirement("F1", "I6")
def test_pages_lead_through_the_whole_list_and_back(console: Client, calls: list[str]) -> None:
    made = [key.key_id for key in keys.create(60, actor=ALICE)]
    calls.clear()
    forward, url = [], POOL
    while url:
        page = console.get(url)
        forward.append(ids(page))
        url = page.context["cl"].older and POOL + page.context["cl"].older
    backward, url = [forward[-1]], POOL + page.context["cl"].newer
    while url:
        page = console.get(url)
        backward.append(ids(page))
        url = page.context["cl"].newer and POOL + page.context["cl"].newer
    assert [len(page) for page in forward] == [25, 25, 10]
    assert sorted(chain.from_iterable(forward)) == sorted(made)
    assert backward[::-1] == forward
    assert set(calls) == {"Query"}


FILTERS: list[tuple[str, str, str, Any]] = [
    (SESSIONS, "status=compromised", "status", "compromised"),
    (SESSIONS, "link=metro", "link", "metro"),
    (DETECTIONS, "verdict=compromised", "is_compromised", True),
    (POOL, "state=revoked", "state", "revoked"),
    (FILES, "status=rejected", "status", "rejected"),
    (FILES, "document_type=contract", "document_type", "contract"),
    (AUDIT, f"actor={ALICE}", "actor", str(ALICE)),
    (AUDIT, "file=file-1", "file_id", "file-1"),
]


@requirement("F1", "I6")
def test_every_filter_asks_its_index(console: Client, filled: Demo, calls: list[str]) -> None:
    for url, query, field, value in FILTERS:
        calls.clear()
        page = console.get(f"{url}?{query}")
        assert {getattr(shown, field) for shown in page.context["cl"].result_list} == {value}, query
        assert calls == ["Query"], query


@requirement("F1")
def test_audit_entries_are_found_by_what_they_are_about(console: Client, filled: Demo) -> None:
    for by, value in (("session", filled.ready.session_id), ("key", filled.pool_keys[2].key_id)):
        page = console.get(AUDIT, {by: value})
        assert {getattr(entry, f"{by}_id") for entry in page.context["cl"].result_list} == {value}


@requirement("F1")
def test_a_search_finds_the_exact_id_only(console: Client, calls: list[str]) -> None:
    key = keys.create(3, actor=ALICE)[0]
    calls.clear()
    assert ids(console.get(POOL, {"q": f" {key.key_id} "})) == [key.key_id]
    assert calls == ["GetItem"]
    assert ids(console.get(POOL, {"q": key.key_id[:-1]})) == []
    assert ids(console.get(POOL, {"q": "x" * 3000})) == []


@requirement("F1")
def test_a_filter_starts_anew_and_ends_the_one_before(console: Client) -> None:
    keys.create(30, actor=ALICE)
    second = console.get(POOL + console.get(POOL).context["cl"].older)
    assert "cursor" in second.context["cl"].newer
    chosen = second.context["cl"].get_query_string({"state": "revoked"})
    assert chosen == "?state=revoked"
    filtered = console.get(SESSIONS + "?status=ready")
    assert filtered.context["cl"].get_query_string({"link": "metro"}) == "?link=metro"


@requirement("F1")
def test_the_cursor_keeps_the_filter(console: Client) -> None:
    for key in keys.create(40, actor=ALICE)[:30]:
        retirement.rotate(key.key_id, reason="test", actor=ALICE)
    first = console.get(POOL, {"state": KeyState.ROTATION_QUEUED})
    second = console.get(POOL + first.context["cl"].older)
    assert len(ids(first)) == 25
    assert len(ids(second)) == 5
    assert {key.state for key in second.context["cl"].result_list} == {KeyState.ROTATION_QUEUED}


@requirement("F1")
def test_two_filters_at_once_are_refused_with_a_reason(console: Client) -> None:
    page = console.get(SESSIONS, {"status": "ready", "link": "metro"})
    assert ids(page) == []
    assert "Use one filter at a time." in messages_of(page)[0]


@requirement("F1")
@pytest.mark.parametrize("cursor", ["zzz", "a:b:c", "", "é"])
def test_a_forged_cursor_begins_the_list(console: Client, cursor: str) -> None:
    made = keys.create(2, actor=ALICE)
    page = console.get(POOL, {"cursor": cursor})
    assert sorted(ids(page)) == sorted(key.key_id for key in made)
    assert bool(messages_of(page)) is bool(cursor)


@requirement("F1")
def test_a_cursor_of_another_list_is_refused(console: Client) -> None:
    keys.create(30, actor=ALICE)
    older = console.get(POOL).context["cl"].older
    assert "no longer valid. Showing the newest" in messages_of(console.get(AUDIT + older))[0]


@requirement("F1")
@pytest.mark.parametrize("query", ["state=bogus", "nosuch=1", "state=active&state=bogus"])
def test_what_no_filter_knows_is_dropped(console: Client, query: str) -> None:
    page = console.get(f"{POOL}?{query}")
    assert page.status_code == 302
    assert "Unknown filter ignored" in messages_of(console.get(page["Location"]))[0]


@requirement("F1")
def test_an_empty_list_says_what_would_fill_it(console: Client) -> None:
    assert b"No sessions yet. Generate one" in console.get(SESSIONS).content
    assert b"Nothing matches" in console.get(SESSIONS, {"status": "ready"}).content


ODD = (
    "q=%00",
    "q=a&q=b",
    "p=0",
    "all=",
    "o=1",
    "_facets=1",
    "_popup=1",
    "e=1",
    "_to_field=zz",
    "cursor=a&cursor=b",
)


@requirement("F1")
def test_no_query_is_an_error_of_ours(console: Client) -> None:
    for url in LISTS.values():
        for query in ODD:
            assert console.get(f"{url}?{query}").status_code < 500, (url, query)
    for url, name in ((SESSIONS, "link"), (AUDIT, "session"), (FILES, "document_type")):
        assert console.get(url, {name: "x" * 3000}).status_code == 302
        assert console.get(url, {name: "\x00"}).status_code == 200
