"""Deny by default: every list, action and panel is for those who hold its permission."""

from collections.abc import Callable

from django.test import Client

from apps.keys.records import KeyState
from apps.keys.services import find
from tests import requirement
from tests.console.demo import Demo
from tests.console.pages import AUDIT, CLIENTS, LISTS, POOL, SESSIONS, act, ids
from tests.console.test_lists import destruction_asked

People = Callable[..., Client]
ACTIONS = (f"{SESSIONS}generate/", f"{AUDIT}verify/")
pytestmark = requirement("F6")


def test_nobody_gets_in_without_signing_in(aws: None, client: Client, db: None) -> None:
    for url in ("/admin/", "/admin/dashboard/data/", *LISTS.values(), *ACTIONS):
        answer = client.get(url)
        assert answer.status_code == 302, url
        assert answer["Location"].startswith("/admin/login/")


def test_staff_without_permissions_sees_nothing(person: People, filled: Demo, calls: list[str]) -> None:
    client = person()
    calls.clear()
    details = [f"{SESSIONS}{filled.ready.session_id}/change/", f"{POOL}{filled.pool_keys[0].key_id}/change/"]
    for url in (*LISTS.values(), *ACTIONS, *details, f"{POOL}{filled.pool_keys[0].key_id}/history/"):
        assert client.get(url).status_code == 403, url
    assert client.get("/admin/dashboard/data/").json() == {"panels": []}
    assert b"have no permissions yet" in client.get("/admin/").content
    assert calls == []  # nothing is even read


def test_a_permission_opens_its_list_and_no_other(person: People, filled: Demo) -> None:
    destruction_asked(filled)
    for permission, url in LISTS.items():
        client = person(permission)
        assert ids(client.get(url))
        assert {other for other in LISTS.values() if client.get(other).status_code == 200} == {url}


def test_a_viewer_is_offered_no_action(person: People, filled: Demo) -> None:
    client = person(*LISTS)
    assert b"Generate a session" not in client.get(SESSIONS).content
    assert b"Verify the chains" not in client.get(AUDIT).content
    for url, pk in ((POOL, filled.pool_keys[2].key_id), (CLIENTS, filled.key_id)):
        assert b'name="action"' not in client.get(url).content
        assert b"Revoke" not in client.get(f"{url}{pk}/change/").content
    for url in ACTIONS:
        assert client.post(url, {}).status_code == 403


def test_an_action_without_its_permission_does_nothing(person: People, filled: Demo) -> None:
    client, key = person("keys.view_poolkey", "keys.rotate_poolkey"), filled.pool_keys[4]
    asked = {"id": [key.key_id], "reason": "because", "below_low_water": "on"}
    assert client.get(f"{POOL}do/revoke/", asked).status_code == 403
    assert client.post(f"{POOL}do/revoke/", asked | {"once": "x"}).status_code == 403
    assert find(key.key_id).state is KeyState.ACTIVE
    act(client, POOL, "rotate", [key.key_id], reason="because", below_low_water="on")
    assert find(key.key_id).state is KeyState.ROTATION_QUEUED


def test_a_panel_is_for_those_who_may_view_what_it_shows(person: People, filled: Demo) -> None:
    client = person("keys.view_poolkey", "audit.view_entry")
    names = [panel["name"] for panel in client.get("/admin/dashboard/data/").json()["panels"]]
    assert names == ["attention", "pool", "audit"]
    assert b'id="panel-qber"' not in client.get("/admin/").content


def test_links_lead_only_where_the_reader_may_go(person: People, filled: Demo) -> None:
    html = person("audit.view_entry").get(AUDIT, {"session": filled.ready.session_id}).content.decode()
    assert filled.ready.session_id in html
    assert SESSIONS not in html
