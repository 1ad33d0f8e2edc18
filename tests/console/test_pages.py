"""All pages: the content security policy holds, and no link leads nowhere."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from apps.common.aws import client as aws_client
from apps.console import render
from tests import requirement
from tests.console.demo import Demo
from tests.console.pages import AUDIT, POOL, SESSIONS, Elements, crawled, kind_of
from tests.console.weights import MAX_BYTES, whole_weight


def assert_strict(page: Any, address: str) -> None:
    """The policy is sent, and the page needs no exception from it; it has a title."""
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    elements = Elements(page.content.decode())
    assert elements.inline() == [], address
    titled = [tag for tag, _, text in elements.found if tag == "title" and text]
    assert titled or not page.content, f"{address} has no title"


@requirement("F1", "F6", "F7")
def test_every_link_leads_somewhere_and_every_page_is_strict(console: Client, filled: Demo) -> None:
    kinds = set()
    for address, page in crawled(console, of_a_kind=2):
        assert page.status_code == 200, address
        kinds.add(kind_of(address))
        if page.headers["Content-Type"].startswith("text/html"):
            assert_strict(page, address)
            assert whole_weight(page, address) <= MAX_BYTES, address
    assert len(kinds) > 40


@requirement("F6")
def test_pages_that_no_link_leads_to_are_strict_too(console: Client, client: Client, filled: Demo) -> None:
    key = filled.pool_keys[3].key_id
    pages = {
        "sign-in": client.get("/accounts/login/"),
        "refused sign-in": client.post("/accounts/login/", {"login": "a", "password": "b"}),
        "question": console.get(f"{POOL}do/revoke/", {"id": key}),
        "refused form": console.post(f"{SESSIONS}generate/", {}),
        "nothing found": console.get("/admin/find/", {"q": "nothing of the kind"}),
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
    assert f">{read}</option>" in page
    assert render.heading(state) == read


@requirement("F1", "F7")
def test_health_says_what_answers_and_what_is_stuck(console: Client, filled: Demo) -> None:
    sqs = aws_client("sqs")
    sqs.create_queue(QueueName=settings.UPLOAD_EVENTS_QUEUE)
    url = sqs.get_queue_url(QueueName=settings.DEAD_LETTER_QUEUE)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    html = console.get("/admin/page/health/").content.decode()
    assert "dead letters" in html
    assert "answers" in html
    told = console.get("/admin/health/").json()
    assert set(told) == {"ok", "failing"}


@requirement("F1")
def test_the_stock_has_a_page_by_link(console: Client, stock: Any) -> None:
    html = console.get("/admin/page/stock/").content.decode()
    assert "/admin/links/link/stock/change/" in html
    assert ">16</span>" in html


@requirement("F6")
def test_a_page_is_for_who_holds_its_permission(person: Any, aws: None) -> None:
    client = person("keys.view_poolkey")
    assert client.get("/admin/page/stock/").status_code == 403
    assert client.get("/admin/page/nowhere/").status_code == 404
    assert b"/admin/page/health/" not in client.get("/admin/").content
