"""The console as a person sees it: no console error, no failed request, nothing from another origin."""

import re

import pytest
from playwright.sync_api import expect

from tests import requirement
from tests.browser.conftest import Watched
from tests.console.demo import Demo

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LISTS = {
    "sessions": "qkd_sessions/session",
    "detections": "detections/detection",
    "pool-keys": "keys/poolkey",
    "files": "files/file",
    "audit": "audit/entry",
    "jobs": "jobs/job",
    "clients": "access/apikey",
    "users": "access/user",
}


@requirement("F1")
@pytest.mark.parametrize("name", LISTS)
def test_every_list_leads_to_a_detail(signed_in: Watched, name: str) -> None:
    page = signed_in.open(f"/admin/{LISTS[name]}/")
    signed_in.shoot(f"list-{name}")
    page.locator("#result_list tbody th a").first.click()
    page.wait_for_url(re.compile("/change/"))
    signed_in.shoot(f"detail-{name}")
    assert signed_in.problems == []


@requirement("F3")
def test_the_overview_shows_the_chart_and_renews_itself(signed_in: Watched) -> None:
    page = signed_in.page
    expect(page.locator("canvas")).to_be_visible()
    expect(page.locator("#refreshed")).to_contain_text("Live", timeout=20_000)
    signed_in.shoot("overview")
    assert signed_in.problems == []


@requirement("F2")
def test_a_session_is_generated_from_its_form(signed_in: Watched) -> None:
    page = signed_in.open("/admin/qkd_sessions/session/")
    page.get_by_role("link", name="Generate a session").click()
    signed_in.shoot("generate")
    page.get_by_label("Key length").fill("128")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator(".messagelist")).to_contain_text("a key of 128 bits")
    signed_in.shoot("generated")
    assert signed_in.problems == []


@requirement("F2")
def test_a_wrong_value_is_told_beside_its_field(signed_in: Watched) -> None:
    page = signed_in.open("/admin/qkd_sessions/session/generate/")
    page.get_by_label("Key length").fill("12")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator(".errorlist, .errornote").first).to_contain_text("64")
    signed_in.shoot("refused")
    assert signed_in.problems == []


@requirement("F2", "D3")
def test_the_trail_is_verified(signed_in: Watched) -> None:
    page = signed_in.open("/admin/audit/entry/")
    page.get_by_role("link", name="Verify the chains").click()
    page.get_by_role("button", name="Verify now").click()
    expect(page.locator(".result")).to_contain_text("OK")
    signed_in.shoot("verified")
    assert signed_in.problems == []


@requirement("F2")
def test_a_key_is_revoked_after_a_question(signed_in: Watched, filled: Demo) -> None:
    page = signed_in.open(f"/admin/keys/poolkey/{filled.pool_keys[5].key_id}/change/")
    page.get_by_role("button", name="Revoke…").click()
    signed_in.shoot("confirm")
    page.get_by_label("Reason").fill("the laptop was stolen")
    page.get_by_role("button", name="Revoke permanently").click()
    expect(page.locator(".messagelist")).to_contain_text("1 pool key revoked")
    signed_in.shoot("revoked")
    assert signed_in.problems == []


@requirement("F1")
def test_an_empty_platform_says_what_to_do(watched: Watched, admin_user: object, aws: None) -> None:
    page = watched.open("/")
    watched.shoot("sign-in")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#panel-qber")).to_contain_text("No sessions yet")
    watched.shoot("empty-overview")
    watched.open("/admin/qkd_sessions/session/")
    expect(page.locator(".empty")).to_contain_text("No sessions yet. Generate one")
    watched.shoot("empty-list")
    assert watched.problems == []


@requirement("F6")
def test_what_is_not_there_or_not_allowed_has_a_page(signed_in: Watched) -> None:
    page = signed_in.open("/admin/keys/poolkey/add/")
    expect(page.locator("h1")).to_have_text("Not allowed")
    signed_in.shoot("forbidden")
    signed_in.open("/admin/nowhere/")
    expect(page.locator("h1")).to_have_text("Nothing here")


@requirement("F1")
def test_pages_go_on_and_back(signed_in: Watched) -> None:
    page = signed_in.open("/admin/audit/entry/")
    first = page.locator("#result_list tbody th").first.inner_text()
    page.get_by_role("link", name="Older →").click()
    page.get_by_role("link", name="← Newer").click()
    expect(page.locator("#result_list tbody th").first).to_have_text(first)
    assert signed_in.problems == []


@requirement("F1")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_narrow_window_in_both_schemes(signed_in: Watched, filled: Demo, scheme: str) -> None:
    page = signed_in.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for width in (480, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        pages = {
            "overview": "/admin/",
            "sessions": "/admin/qkd_sessions/session/",
            "session": f"/admin/qkd_sessions/session/{filled.ready.session_id}/change/",
            "attacked": f"/admin/detections/detection/{filled.compromised.session_id}/change/",
            "file": f"/admin/files/file/{filled.file.file_id}/change/",
            "generate": "/admin/qkd_sessions/session/generate/",
        }
        for name, path in pages.items():
            signed_in.open(path)
            signed_in.shoot(f"{scheme}-{width}-{name}")
            overflow = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert overflow <= 0, f"{path} is {overflow} pixels too wide at {width}"
    assert signed_in.problems == []
