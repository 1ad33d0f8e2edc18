"""All pages: the content security policy holds, and no link leads nowhere."""

from collections import Counter, deque
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import resolve

from apps.console import render
from tests import requirement
from tests.console.demo import Demo
from tests.console.pages import AUDIT, POOL, SESSIONS, Elements

OF_A_KIND = 3  # pages looked at for each view and each set of parameters


def assert_strict(page: Any, address: str) -> None:
    """The policy is sent, and the page needs no exception from it."""
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert Elements(page.content.decode()).inline() == [], address


def links_of(page: Any, address: str) -> list[str]:
    """Return where a page leads to on this site, without fragments."""
    targets = (
        urljoin(address, target).partition("#")[0] for target in Elements(page.content.decode()).links()
    )
    found = sorted(set(targets))
    assert all(target.startswith("/") for target in found), address
    return found


@requirement("F1", "F6")
def test_every_link_leads_somewhere_and_every_page_is_strict(console: Client, filled: Demo) -> None:
    waiting, seen, kinds = deque(["/admin/"]), {"/admin/"}, Counter[object]()
    while waiting:
        address = waiting.popleft()
        parts = urlsplit(address)
        if parts.path.startswith(settings.STATIC_URL):
            assert finders.find(parts.path.removeprefix(settings.STATIC_URL)), address
            continue
        kind = (
            resolve(parts.path).view_name,
            tuple(sorted(pair.split("=")[0] for pair in parts.query.split("&"))),
        )
        kinds[kind] += 1
        if kinds[kind] > OF_A_KIND:
            continue
        page = console.get(address)
        assert page.status_code == 200, address
        if page.headers["Content-Type"].startswith("text/html"):
            assert_strict(page, address)
            fresh = [target for target in links_of(page, address) if target not in seen]
            seen.update(fresh)
            waiting.extend(fresh)
    assert len(kinds) > 25


@requirement("F6")
def test_pages_that_no_link_leads_to_are_strict_too(console: Client, client: Client, filled: Demo) -> None:
    key = filled.pool_keys[3].key_id
    pages = {
        "sign-in": client.get("/admin/login/"),
        "refused sign-in": client.post("/admin/login/", {"username": "a", "password": "b"}),
        "question": console.post(POOL, {"action": "revoke", "_selected_action": [key], "index": "0"}),
        "refused form": console.post(f"{SESSIONS}generate/", {}),
        "verification": console.post(f"{AUDIT}verify/"),
        "forbidden": console.get(f"{POOL}add/"),
        "missing": console.get("/admin/nowhere/"),
        "malformed": console.get(POOL, {"state__x": "1"}),
        "second page": console.get(f"{AUDIT}{console.get(AUDIT).context['cl'].older}"),
    }
    for name, page in pages.items():
        assert_strict(page, name)


@requirement("F1")
def test_the_root_leads_to_the_console(client: Client) -> None:
    assert client.get("/")["Location"] == "/admin/"


@requirement("F1")
def test_signing_out_says_so_and_leads_back(console: Client) -> None:
    page = console.post("/admin/logout/")
    assert "You are signed out." in page.content.decode()
    assert 'href="/admin/"' in page.content.decode()
    assert_strict(page, "/admin/logout/")


@requirement("F1")
@pytest.mark.parametrize(("state", "read"), [("pre_active", "Pre-active"), ("rotation_queued", "Rotating")])
def test_states_read_as_people_say_them(console: Client, state: str, read: str) -> None:
    page = console.get(POOL, {"state": state}).content.decode()
    assert f">{read}</a>" in page
    assert render.heading(state) == read
