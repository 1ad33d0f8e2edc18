"""What operators come to the console for, by clicks from the overview (docs/console.md)."""

import re

import pytest
from playwright.sync_api import expect

from tests import requirement
from tests.browser.conftest import Watched
from tests.console.demo import Demo
from tests.console.test_operations import dead_event

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), requirement("F1", "F2")]


def test_a_dead_letter_is_tried_again(signed_in: Watched) -> None:
    letter = dead_event()
    page = signed_in.open("/admin/")
    page.get_by_role("link", name="1 dead letter waits").click()
    page.get_by_role("link", name=letter).click()
    page.get_by_role("link", name="Try again…").click()
    signed_in.shoot("operators-dead-letter")
    page.get_by_role("button", name="Try again").click()
    page.locator(".messagelist").get_by_role("link").click()
    expect(page.locator("#live")).to_contain_text("redrive dead letters")
    assert signed_in.problems == []


def test_what_a_tapped_link_touched_is_found_and_re_encrypted(signed_in: Watched, filled: Demo) -> None:
    page = signed_in.open("/admin/")
    page.get_by_role("link", name="2 cases wait to be acknowledged.").click()
    page.get_by_role("link", name=f"case-{filled.compromised.session_id}").click()
    page.get_by_role("link", name=re.compile("Re-encrypt what used")).click()
    signed_in.shoot("operators-tapped-link")
    page.get_by_role("textbox").last.fill("tapped last night")
    page.get_by_role("button", name="Re-encrypt").click()
    expect(page.locator(".messagelist")).to_contain_text("re-encrypts the files of")
    page.locator(".messagelist").get_by_role("link").first.click()
    expect(page.locator("#live")).to_contain_text("reencrypt files")
    assert signed_in.problems == []
