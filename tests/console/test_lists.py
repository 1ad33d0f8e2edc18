"""Lists: one Query a page, cursors both ways, filters by index, search by id."""

from datetime import timedelta
from itertools import chain
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.access.models import User
from apps.audit import services as audit
from apps.audit.records import Actor, ActorKind
from apps.audit.services import record
from apps.audit.trail import AuditEvent
from apps.common import clock
from apps.console.store_admin import StoreAdmin
from apps.custody import approvals, retirement
from apps.custody.records import Guarded
from apps.keys import services as keys
from apps.keys.records import KeyState
from apps.sessions.store import SessionTable
from tests import requirement
from tests.console.demo import ALICE, PROGRAM, Demo
from tests.console.pages import (
    AUDIT,
    DETECTIONS,
    FILES,
    JOBS,
    LINKS,
    LISTS,
    MESSAGES,
    POOL,
    SESSIONS,
    ids,
    messages_of,
)

# Indexes that hold keys only, and the rows of what they list
PAGE = {url: ["Query", "BatchGetItem"] for url in (FILES, SESSIONS, POOL, JOBS, DETECTIONS, MESSAGES)}


@pytest.fixture
def pages_of_five(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pages, so that a few records fill several."""
    assert StoreAdmin.list_per_page == 25
    monkeypatch.setattr(StoreAdmin, "list_per_page", 5)


@requirement("F1", "I6")
def test_every_list_is_one_query_and_no_sql_of_its_own(
    console: Client, filled: Demo, calls: list[str]
) -> None:
    destruction_asked(filled)
    for url in LISTS.values():
        calls.clear()
        with CaptureQueriesContext(connection) as sql:
            page = console.get(url)
        assert page.status_code == 200
        assert ids(page), url
        assert calls == PAGE.get(url, ["Query"]), url
        model = page.context["cl"].opts.db_table
        assert not [query for query in sql.captured_queries if model in query["sql"]]


@requirement("F1", "I6")
def test_pages_lead_through_the_whole_list_and_back(
    console: Client, calls: list[str], pages_of_five: None
) -> None:
    made = [key.key_id for key in keys.create(12, actor=ALICE)]
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
    assert [len(page) for page in forward] == [5, 5, 2]
    assert sorted(chain.from_iterable(forward)) == sorted(made)
    assert backward[::-1] == forward
    assert set(calls) == {"Query", "BatchGetItem"}


FIND = "/admin/find/"


def destruction_asked(filled: Demo) -> None:
    """An approval, for its list."""
    activated = Guarded.DESTROY_KEY
    approvals.request(activated, filled.pool_keys[1].key_id, reason="not needed", actor=ALICE)


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
    console.get(AUDIT, {"file": "file-1"})  # what the archive holds is remembered for a while
    for url, query, field, value in FILTERS:
        calls.clear()
        page = console.get(f"{url}?{query}")
        assert {getattr(shown, field) for shown in page.context["cl"].result_list} == {value}, query
        assert calls == PAGE.get(url, ["Query"]), query


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
    assert calls == ["GetItem", "Query"]  # and the slots that count its uses
    assert ids(console.get(POOL, {"q": key.key_id[:-1]})) == []
    assert ids(console.get(POOL, {"q": "x" * 3000})) == []


@requirement("F1")
def test_a_search_box_finds_whole_ids_and_beginnings_of_names(console: Client, filled: Demo) -> None:
    def led(text: str) -> str:
        return str(console.get(FIND, {"q": text}).headers.get("Location", ""))

    session, key, entry = (
        filled.ready.session_id,
        filled.pool_keys[2].key_id,
        audit.entries_page(limit=1).records[0],
    )
    assert led(f" {session} ") == f"{SESSIONS}{session}/change/"
    assert led(f"{session}.3").startswith(f"{SESSIONS}{session}"), "a quantum key leads to its session"
    assert led(key) == f"{POOL}{key}/change/"
    assert led(filled.job.job_id) == f"{JOBS}{filled.job.job_id}/change/"
    assert led(filled.file.file_id) == f"{FILES}{filled.file.file_id}/change/"
    assert led(f"{entry.chain}-{entry.sequence}") == f"{AUDIT}{entry.chain}-{entry.sequence}/change/"
    assert led("met") == f"{LINKS}metro/change/"
    assert led("DEFAU") == "", "a link and a pool: both are shown"
    assert b"Nothing you may see" in console.get(FIND, {"q": "no such thing"}).content


@requirement("F1", "F6")
def test_the_search_box_finds_only_what_one_may_see(person: Any, filled: Demo, calls: list[str]) -> None:
    client = person("keys.view_poolkey")
    calls.clear()
    assert b"Nothing you may see" in client.get(FIND, {"q": filled.ready.session_id}).content
    assert calls == []
    assert client.get(FIND, {"q": filled.pool_keys[2].key_id}).status_code == 302


@requirement("F1")
@pytest.mark.parametrize("text", ["", "\x00", "x" * 5000, "<script>", "../..", "%00", "\u202e"])
def test_the_search_box_takes_anything(console: Client, text: str) -> None:
    assert console.get(FIND, {"q": text}).status_code == 200


@requirement("F1")
def test_the_cursor_keeps_the_filter(console: Client, pages_of_five: None) -> None:
    for key in keys.create(9, actor=ALICE)[:7]:
        retirement.rotate(key.key_id, reason="test", actor=ALICE)
    first = console.get(POOL, {"state": KeyState.ROTATION_QUEUED})
    second = console.get(POOL + first.context["cl"].older)
    assert len(ids(first)) == 5
    assert len(ids(second)) == 2
    assert {key.state for key in second.context["cl"].result_list} == {KeyState.ROTATION_QUEUED}


@requirement("F1", "I6")
def test_filters_combine_in_one_query(console: Client, filled: Demo, calls: list[str]) -> None:
    console.get(AUDIT, {"file": "file-1"})  # what the archive holds is remembered for a while
    combined = [
        (SESSIONS, {"status": "compromised", "link": "metro"}, 1),
        (SESSIONS, {"status": "ready", "link": "metro"}, 0),
        (SESSIONS, {"owner": str(PROGRAM), "status": "pending"}, 1),
        (FILES, {"document_type": "contract", "status": "rejected"}, 1),
        (FILES, {"name": "rahmen"}, 1),
        (JOBS, {"state": "failed", "kind": "generate_sessions"}, 1),
        (AUDIT, {"actor": str(ALICE), "event": "pool_key.revoked", "outcome": "ok"}, 1),
    ]
    for url, query, count in combined:
        calls.clear()
        page = console.get(url, query)
        assert len(ids(page)) == count, (url, query)
        assert [call for call in calls if call != "BatchGetItem"] == ["Query"], (url, query)
    assert b"records looked through match" in console.get(FILES, {"name": "rahmen"}).content


@requirement("F1")
def test_a_time_range_narrows_a_list(console: Client, filled: Demo) -> None:
    """The day is that of a session, as a day may have ended since they were made, or between two of them."""
    day, tomorrow = f"{filled.ready.timestamp:%Y-%m-%d}", f"{clock.now() + timedelta(days=1):%Y-%m-%d}"
    made = [f"{row.timestamp:%Y-%m-%d}" for row in SessionTable.scan()]
    assert len(made) == 14
    assert len(ids(console.get(SESSIONS, {"since": day, "until": day}))) == made.count(day)
    assert ids(console.get(SESSIONS, {"since": tomorrow})) == []
    assert ids(console.get(SESSIONS, {"until": "2020-01-01"})) == []
    sent_back = console.get(SESSIONS, {"since": "yesterday"})
    assert sent_back.status_code == 302
    assert messages_of(sent_back) == ["Since is no day, such as 2026-11-26."]
    everything = console.get(SESSIONS, {"since": "0001-01-01", "until": "9999-12-31"})
    assert len(ids(everything)) == len(made)


@requirement("F1")
def test_a_time_range_that_ends_before_it_begins_is_told(
    console: Client, filled: Demo, calls: list[str]
) -> None:
    page = console.get(SESSIONS, {"since": "2026-12-01", "until": "2026-2-3"})
    assert ids(page) == []
    assert messages_of(page) == [
        "From 2026-12-01 up to 2026-2-3 there is no day: the first is after the second."
    ]
    assert "Query" not in calls


@requirement("F1")
def test_a_person_is_found_by_their_name(console: Client, filled: Demo) -> None:
    user = User.objects.get(username="admin")
    record(Actor(ActorKind.USER, str(user.pk)), AuditEvent.ACCESS_DENIED)
    page = console.get(AUDIT, {"actor": "admin"})
    assert {shown.actor for shown in page.context["cl"].result_list} == {user.principal_id}
    assert ">admin</bdi>" in page.content.decode()


@requirement("F1")
@pytest.mark.parametrize("cursor", ["zzz", "a:b:c", "", "é"])
def test_a_forged_cursor_begins_the_list(console: Client, cursor: str) -> None:
    made = keys.create(2, actor=ALICE)
    page = console.get(POOL, {"cursor": cursor})
    assert sorted(ids(page)) == sorted(key.key_id for key in made)
    assert bool(messages_of(page)) is bool(cursor)


@requirement("F1")
def test_a_cursor_of_another_list_is_refused(console: Client, pages_of_five: None) -> None:
    keys.create(6, actor=ALICE)
    older = console.get(POOL).context["cl"].older
    assert "no longer valid. Showing the first page" in messages_of(console.get(AUDIT + older))[0]


@requirement("F1")
@pytest.mark.parametrize("query", ["state=bogus", "nosuch=1", "state=active&state=bogus"])
def test_what_no_filter_knows_is_dropped(console: Client, query: str) -> None:
    page = console.get(f"{POOL}?{query}")
    assert page.status_code == 302
    assert "Unknown filter ignored" in messages_of(console.get(page["Location"]))[-1]


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
