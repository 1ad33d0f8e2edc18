"""The pictures of README, light and dark: a platform that has worked for a day. BROWSER_SHOTS says where they are kept."""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from apps.access import principals
from apps.access.roles import Role
from apps.access.users import User
from apps.audit.records import system
from apps.common import clock
from apps.keys import services as keys
from apps.links import services as links
from apps.links.records import EVERYONE
from tests import requirement
from tests.browser.conftest import Watched
from tests.console.demo import ALICE, make_file, make_job, make_session
from tests.sessions.ready import long

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SESSIONS, HOURS = 36, 23.0  # of the day before now
WIDTH = 1280
SITES = {"harbour": "Harbour to town hall", "campus": "Campus to data centre"}


def a_day(monkeypatch: pytest.MonkeyPatch) -> str:
    """Let a day pass at the platform, by its own clock; returns a session over a channel with a length."""
    now = clock.now
    ago = [timedelta(hours=HOURS)]
    monkeypatch.setattr(clock, "now", lambda: now() - ago[0])
    principals.admit_person(ALICE.id, "alice", role=Role.ADMINISTRATOR, actor=system("demo"))
    for link_id, name in SITES.items():
        links.make(link_id, name=name, users=(EVERYONE,), actor=ALICE)
    pool = keys.create(84, actor=ALICE)
    long(1024)
    for number in range(SESSIONS):
        ago[0] = timedelta(hours=HOURS * (1 - number / SESSIONS))
        link = list(SITES)[number % 2]
        wave = 0.006 * math.sin(number / 4)
        eve: dict[str, Any] = {"eavesdropper": {"kind": "intercept_resend", "fraction": 1.0}}
        tapped = eve if number == 27 else {}
        rate = 0.14 if number == 30 else (0.032 if link == "harbour" else 0.017) + wave
        made = make_session(rate, link=link, key_length=1024, **tapped)
    ago[0] = timedelta(minutes=4)
    for number, name in enumerate(("Rahmenvertrag 2026.pdf", "Lageplan.dwg", "Protokoll.pdf", "Aufmaß.xlsx")):
        make_file(number, name, pool[number], made)
    make_job(7, 20)
    ago[0] = timedelta(minutes=1)
    asked = {"channel": "metro_50km", "key_length": 256, "link": "campus"}
    shown = make_session(error_rate=None, **asked)  # type: ignore[arg-type]  # the channel has one of its own
    ago[0] = timedelta()
    return shown.session_id


@requirement("F3", "F4")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pictures_of_the_readme_are_taken(
    watched: Watched, aws: None, sign_in: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch, scheme: Any
) -> None:
    session = a_day(monkeypatch)
    sign_in(User.objects.create_superuser("administrator", password=None))
    page = watched.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": WIDTH, "height": 960})
    watched.open("/admin/")
    expect(page.locator("canvas")).to_be_visible()
    expect(page.locator("#health")).to_have_class("health tone-dot-good")
    watched.shoot(f"readme-overview-{scheme}", whole=False)
    watched.open(f"/admin/qkd_sessions/session/{session}/picture/?eve=yes")
    expect(page.locator("#curve")).to_be_visible()
    watched.shoot(f"readme-bb84-{scheme}")
    assert watched.problems == []
