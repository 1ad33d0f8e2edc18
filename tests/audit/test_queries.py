"""The trail is asked by time, by subject and time, and sifted by event and outcome (D4, I6)."""

from datetime import timedelta

import pytest

from apps.audit import services as audit
from apps.audit.records import Outcome
from apps.audit.trail import AuditEvent
from apps.common import clock
from apps.common.dynamodb import Position, Span
from apps.files.trail import FileEvent
from tests import requirement
from tests.conftest import TESTS
from tests.faults import counted

pytestmark = requirement("D4", "I6")


@pytest.fixture
def written(aws, later):
    """Ten entries a minute apart, half of them about one file; returns their times, the oldest first."""
    times = []
    for number in range(10):
        audit.record(
            TESTS,
            FileEvent.READ,
            file_id="f" if number % 2 else None,
            outcome=Outcome.DENIED if number == 3 else Outcome.OK,
        )
        times.append(clock.now())
        later(minutes=1)
    return times


def numbers(page, times):
    """Which of the ten a page holds."""
    return [sum(entry.timestamp > moment for moment in times) for entry in page.records]


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [(None, None, range(10)), (3, None, range(3, 10)), (None, 3, range(3)), (3, 7, range(3, 7)), (7, 3, ())],
)
def test_a_span_is_a_range_of_one_query(written, since, until, found):
    def at(number):
        return None if number is None else written[number] - timedelta(seconds=30)

    with counted() as made:
        page = audit.entries_page(limit=50, span=Span(at(since), at(until)))
    assert numbers(page, written) == list(reversed(found))
    assert set(made) <= {"Query"}
    assert len(made) <= 1
    about = audit.entries_page(limit=50, by="file", value="f", span=Span(at(since), at(until)))
    assert numbers(about, written) == [number for number in reversed(found) if number % 2]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_of_a_span_join_in_both_directions(written, limit):
    span = Span(written[2], written[8])
    found, position, pages = [], None, []
    while True:
        page = audit.entries_page(limit=limit, position=position, span=span)
        found += numbers(page, written)
        pages.append(page)
        if page.older is None:
            break
        position = Position(page.older)
    assert found == [8, 7, 6, 5, 4, 3]
    newer = Position(str(pages[-1].newer), older=False)
    back = audit.entries_page(limit=limit, position=newer, span=span)
    assert numbers(back, written) == numbers(pages[-2], written)


def test_the_api_asks_by_time_and_its_cursor_holds_the_filter(admin_api, written):
    since, until = (clock.as_text(written[number]) for number in (4, 8))
    query = f"audit?file=f&since={since}&until={until}&limit=1"
    first = admin_api.get(query).json()
    assert len(first["items"]) == 1
    second = admin_api.get(f"{query}&cursor={first['next']}").json()
    assert [one["timestamp"] for one in first["items"] + second["items"]] == sorted(
        [one["timestamp"] for one in first["items"] + second["items"]], reverse=True
    )
    assert second["next"] is None
    other = admin_api.get(f"audit?file=f&since={since}&limit=1&cursor={first['next']}")
    assert other.status_code == 400


@pytest.mark.parametrize(
    "query",
    ["since=yesterday", "until=1", "outcome=maybe", "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z"],
)
def test_what_is_no_span_is_refused(admin_api, query):
    assert admin_api.get(f"audit?{query}").status_code == 400


def test_events_and_outcomes_are_sifted_without_an_index(admin_api, written, monkeypatch):
    audit.record(TESTS, AuditEvent.VERIFIED)
    found = admin_api.get("audit?event=audit.verified").json()
    assert [one["event"] for one in found["items"]] == ["audit.verified"]
    denied = admin_api.get("audit?outcome=denied&event=file.read").json()
    assert len(denied["items"]) == 1
    monkeypatch.setattr(audit, "SIFTED", 4)
    monkeypatch.setattr(audit, "SIFTED_TOGETHER", 2)
    seen: list[dict[str, str]] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        answer = admin_api.get(f"audit?outcome=denied{cursor and '&cursor='}{cursor}").json()
        seen += answer["items"]
        cursor = answer["next"]
        pages += 1
    assert len(seen) == 1
    assert pages > 2, "a page reads a few only, and says where to go on"
