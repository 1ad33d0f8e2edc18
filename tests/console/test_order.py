"""Lists from their oldest record on: the same records, the other way round, one Query a page (F1, I6)."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.console.changelist import OLDEST
from apps.console.store_admin import StoreAdmin
from apps.keys import services as keys
from tests import requirement
from tests.console.demo import ALICE, Demo, make_session
from tests.console.pages import AUDIT, FILES, LISTS, POOL, SESSIONS, ids

pytestmark = requirement("F1", "I6")
ORDER = {"order": OLDEST}


@pytest.fixture
def pages_of_five(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StoreAdmin, "list_per_page", 5)


def walked(client: Client, url: str, attribute: str = "newer", **query: str) -> list[list[str]]:
    """The pages that a list's links lead through."""
    found, page = [], client.get(url, query)
    while True:
        found.append(ids(page))
        if not (link := getattr(page.context["cl"], attribute)):
            return found
        page = client.get(url + link)


def test_every_list_is_had_from_its_oldest_record_on(console: Client, filled: Demo, calls: list[str]) -> None:
    for url in LISTS.values():
        newest = walked(console, url, "older")
        calls.clear()
        oldest = walked(console, url, **ORDER)
        assert [one for page in oldest for one in page] == [one for page in newest for one in page][::-1], url
        assert calls.count("Query") == len(oldest), url


def test_its_pages_lead_on_and_back(console: Client, pages_of_five: None, calls: list[str]) -> None:
    made = [key.key_id for key in keys.create(12, actor=ALICE)]
    forward = walked(console, POOL, **ORDER)
    assert [len(page) for page in forward] == [5, 5, 2]
    assert sorted(one for page in forward for one in page) == sorted(made)
    first = console.get(POOL, ORDER)
    assert first.context["cl"].older is None
    second = console.get(POOL + first.context["cl"].newer)
    back = console.get(POOL + second.context["cl"].older)
    assert ids(back) == forward[0]
    assert "← Older" in second.content.decode()
    assert second.content.decode().index("← Older") < second.content.decode().index("Newer →")


def test_one_link_turns_it_round_and_keeps_its_filters(console: Client, filled: Demo) -> None:
    page = console.get(SESSIONS, {"status": "ready"})
    turned = console.get(SESSIONS + page.context["cl"].other_order)
    assert ids(turned) == ids(page)[::-1]
    assert 'name="order" value="oldest"' in turned.content.decode(), "who filters again keeps the order"
    again = console.get(SESSIONS + turned.context["cl"].other_order)
    assert ids(again) == ids(page)


def test_days_bound_it_at_both_ends(console: Client, later: Callable[..., None], pages_of_five: None) -> None:
    days: list[tuple[str, list[str]]] = []
    for _ in range(3):
        made = [make_session(0.02, key_length=64) for _ in range(6)]
        days.append((f"{made[0].timestamp:%Y-%m-%d}", [one.session_id for one in made]))
        later(days=2)
    (_, _), (day, expected), (last, _) = days
    for query in ({"since": day, "until": day}, {"since": day, "until": day, "link": "default"}):
        found = walked(console, SESSIONS, **query, **ORDER)
        assert [one for page in found for one in page] == expected
        newest = walked(console, SESSIONS, "older", **query)
        assert [one for page in newest for one in page] == expected[::-1]
    assert [one for page in walked(console, SESSIONS, since=last, **ORDER) for one in page] == days[2][1]


def test_filters_without_an_index_look_among_the_oldest(console: Client, filled: Demo) -> None:
    newest = walked(console, FILES, "older", name="a")
    oldest = walked(console, FILES, name="a", **ORDER)
    assert [one for page in oldest for one in page] == [one for page in newest for one in page][::-1]
    entries: Any = console.get(AUDIT, {"event": "session", **ORDER}).context["cl"]
    moments = [entry.timestamp for entry in entries.result_list]
    assert moments
    assert moments == sorted(moments)


@pytest.mark.parametrize("order", ["", "newest", "x" * 5000, "oldest\0"])
def test_other_orders_are_the_usual_one(console: Client, filled: Demo, order: str) -> None:
    assert ids(console.get(SESSIONS, {"order": order})) == ids(console.get(SESSIONS))


def test_an_export_has_the_newest_first_all_the_same(console: Client, filled: Demo) -> None:
    page = console.get(SESSIONS, {"status": "ready", **ORDER})
    (_, address), _ = page.context["cl"].exports
    assert "order" not in address
    assert "status=ready" in address
    assert console.get(address).status_code == 200
