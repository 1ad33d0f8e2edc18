"""The console as a person sees it: no console error, no failed request, nothing from another origin."""

import re

import pytest
from playwright.sync_api import expect

from apps.detections import services as detections
from tests import requirement
from tests.browser.accessibility import violations
from tests.browser.conftest import Watched
from tests.console.demo import ALICE, Demo
from tests.waiting import wait_for

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
def test_every_list_leads_to_a_detail(signed_in: Watched) -> None:
    for name, path in LISTS.items():
        page = signed_in.open(f"/admin/{path}/")
        signed_in.shoot(f"list-{name}")
        page.locator("#result_list tbody th a").first.click()
        page.wait_for_url(re.compile(f"/{path}/.+/change/"))
        signed_in.shoot(f"detail-{name}")
    assert signed_in.problems == []


@requirement("F3")
def test_the_overview_shows_the_chart_and_renews_itself(signed_in: Watched) -> None:
    page = signed_in.page
    expect(page.locator("canvas")).to_be_visible()
    expect(page.locator("#refreshed")).to_contain_text("Live")
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
    signed_in.shoot("verify")
    page.get_by_role("button", name="Verify now").click()
    expect(page.locator("h1")).to_contain_text("Job")
    expect(page.locator("#live")).to_contain_text("verify audit")
    assert signed_in.problems == []


@requirement("F2")
def test_a_key_is_revoked_after_a_question(signed_in: Watched, filled: Demo) -> None:
    page = signed_in.open(f"/admin/keys/poolkey/{filled.pool_keys[5].key_id}/change/")
    page.get_by_role("link", name="Revoke…").click()
    signed_in.shoot("confirm")
    page.get_by_label("Reason").fill("the laptop was stolen")
    page.get_by_label("Even below the low-water mark").check()
    page.get_by_role("button", name="Revoke permanently").click()
    expect(page.locator(".messagelist")).to_contain_text("1 pool key revoked")
    expect(page.locator("h1")).to_contain_text("Pool key")
    signed_in.shoot("revoked")
    assert signed_in.problems == []


@requirement("F1")
def test_an_empty_platform_says_what_to_do(watched: Watched, admin_user: object, aws: None) -> None:
    page = watched.open("/")
    watched.shoot("sign-in")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#panel-qber")).to_contain_text("No session was run")
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
def test_it_fits_a_narrow_window_in_both_schemes(signed_in: Watched, filled: Demo) -> None:
    page = signed_in.page
    # All four, of every page: tests/browser/test_sweep.py
    for width, scheme in ((480, "light"), (1280, "dark")):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
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


@requirement("F1")
@pytest.mark.parametrize("path", ["/admin/qkd_sessions/session/", "/admin/keys/poolkey/"])
def test_a_phone_shows_the_state_beside_the_id_in_low_rows(signed_in: Watched, path: str) -> None:
    page = signed_in.page
    page.set_viewport_size({"width": 390, "height": 844})
    signed_in.open(path)
    table, state = (
        page.locator(".results").bounding_box(),
        page.locator("#result_list .badge").first.bounding_box(),
    )
    assert table
    assert state
    assert state["x"] + state["width"] <= table["x"] + table["width"]
    heights = page.locator("#result_list tbody tr").evaluate_all("rows => rows.map(row => row.offsetHeight)")
    assert max(heights) < 60  # no word of a column that is scrolled to stands alone on a line
    assert signed_in.problems == []


@requirement("F1", "F7")
def test_an_id_is_copied_and_found_again(signed_in: Watched, filled: Demo) -> None:
    page = signed_in.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    signed_in.open(f"/admin/keys/poolkey/{filled.pool_keys[5].key_id}/change/")
    page.locator(".record-id .copy").click()
    wait_for(lambda: page.evaluate("navigator.clipboard.readText()"))  # it is written after the click
    copied = page.evaluate("navigator.clipboard.readText()")
    page.get_by_label("Find by id or name").fill(copied)
    page.get_by_label("Find by id or name").press("Enter")
    expect(page.locator(".record-id code")).to_have_text(filled.pool_keys[5].key_id)
    assert signed_in.problems == []


@requirement("F1")
def test_a_pending_session_renews_itself_without_loading_the_page_again(
    signed_in: Watched, filled: Demo
) -> None:
    page = signed_in.open(f"/admin/qkd_sessions/session/{filled.pending.session_id}/change/")
    expect(page.locator(".working")).to_be_visible()
    before = signed_in.documents
    detections.judge(filled.pending.session_id, actor=ALICE)
    expect(page.locator(".working")).to_be_hidden()
    expect(page.locator("#live .badge").first).to_have_text("ready")
    expect(
        page.get_by_role("link", name="Revoke…")
    ).to_be_visible()  # which a session that waits does not offer
    expect(page.locator(".tabs a[aria-current]")).to_have_count(1)
    assert signed_in.documents == before
    assert signed_in.problems == []


@requirement("F1")
def test_axe_finds_nothing_serious(signed_in: Watched, filled: Demo) -> None:
    asked = f"/admin/keys/poolkey/do/revoke/?id={filled.pool_keys[5].key_id}"
    wrong = [
        f"{path}: {one}"
        for path in ("/admin/", "/admin/qkd_sessions/session/", asked)
        for one in violations(signed_in.open(path))
    ]
    assert wrong == []
    assert signed_in.problems == []
