"""Every page of the console, as each role, light and dark, wide and narrow: no console error, no axe violation."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.access import api_keys, ready_roles
from apps.access.models import User
from apps.access.roles import Role
from apps.alerts import services as alerts
from apps.alerts.conditions import COMPROMISED, Noticed
from apps.audit import services as audit
from apps.custody import approvals
from apps.custody.records import Guarded
from tests import requirement
from tests.browser.accessibility import violations
from tests.browser.conftest import Watched
from tests.console.demo import ALICE, Demo
from tests.console.pages import LISTS, OTHERS, crawled, kind_of
from tests.console.test_operations import dead_event
from tests.console.test_roles import NO_PAGES, everything  # noqa: F401 - a record in every list

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SIZES = {"wide": (1400, 900), "narrow": (390, 844)}
MAX_PAGE_BYTES = 500 * 1024
LOOKS = {"wide-light": ("wide", "light"), "narrow-dark": ("narrow", "dark")}  # an administrator has all four


def addresses(filled: Demo) -> dict[str, str]:
    """Every kind of page, by a name for its picture."""
    asked = approvals.request(Guarded.DESTROY_KEY, filled.pool_keys[1].key_id, reason="leaked", actor=ALICE)
    entry = audit.entries_page(limit=3).records[-1]
    key, session = filled.pool_keys[5].key_id, filled.ready.session_id
    rotation = f"rot-{filled.pool_keys[0].key_id}"
    tapped = filled.compromised.session_id
    alert = alerts.raise_alert(
        Noticed(COMPROMISED, "metro", {"case_id": f"case-{tapped}", "session_id": tapped})
    )
    details = {
        "alert": f"/admin/alerts/alert/{alert.alert_id}/change/",
        "session": f"/admin/qkd_sessions/session/{session}/change/",
        "detection": f"/admin/detections/detection/{tapped}/change/",
        "pool-key": f"/admin/keys/poolkey/{key}/change/",
        "pool": "/admin/keys/pool/default/change/",
        "rotation": f"/admin/custody/rotation/{rotation}/change/",
        "approval": f"/admin/custody/approval/{asked.approval_id}/change/",
        "file": f"/admin/files/file/{filled.file.file_id}/change/",
        "job": f"/admin/jobs/job/{filled.job.job_id}/change/",
        "entry": f"/admin/audit/entry/{entry.chain}-{entry.sequence}/change/",
        "link": "/admin/links/link/metro/change/",
        "client": f"/admin/access/apikey/{filled.key_id}/change/",
        "message": f"/admin/files/message/{filled.message_id}/change/",
    }
    tabs = {
        f"{name}-{tab}": f"{url}?tab={tab}" for name, url in details.items() for tab in ("related", "audit")
    }
    return {
        "overview": "/admin/",
        **{f"list-{url.rstrip('/').rpartition('/')[2]}": url for url in (*LISTS.values(), *OTHERS.values())},
        "people": "/admin/access/user/",
        "person": f"/admin/access/user/{User.objects.earliest('date_joined').pk}/change/",
        **{
            f"person-{tab}": f"/admin/access/user/{User.objects.earliest('date_joined').pk}/change/?tab={tab}"
            for tab in ("related", "audit")
        },
        "delete-person": f"/admin/access/user/{User.objects.earliest('date_joined').pk}/delete/",
        "groups": "/admin/auth/group/",
        "add-person": "/admin/access/user/add/",
        "your-sign-in": "/accounts/2fa/",
        "quotas": f"/admin/access/apikey/quotas/{api_keys.find(filled.key_id).principal_id}/",
        "file-versions": f"/admin/files/file/{filled.file.file_id}/change/?tab=versions",
        "issue": "/admin/access/apikey/issue/",
        "found": "/admin/find/?q=de",
        **details,
        **tabs,
        "action-revoke": f"/admin/keys/poolkey/do/revoke/?id={key}&id={filled.pool_keys[6].key_id}",
        "action-shred": f"/admin/files/file/do/shred/?id={filled.file.file_id}",
        "action-share": f"/admin/files/file/do/unshare/?id={filled.file.file_id}",
        "action-session": f"/admin/qkd_sessions/session/do/revoke/?id={session}",
        "action-approve": f"/admin/custody/approval/do/approve/?id={asked.approval_id}",
        "action-cancel": f"/admin/jobs/job/do/cancel/?id={filled.job.job_id}",
        "generate": "/admin/qkd_sessions/session/generate/",
        "picture": f"/admin/qkd_sessions/session/{session}/picture/?eve=yes",
        "case": f"/admin/cases/case/case-{tapped}/change/",
        "health": "/admin/page/health/",
        "stock": "/admin/page/stock/",
        "upload": "/admin/files/file/upload/",
        "download": f"/admin/files/file/{filled.file.file_id}/download/",
        "verify": "/admin/audit/entry/verify/",
        "import": "/admin/keys/poolkey/import/",
        "make-pool": "/admin/keys/pool/make/",
        "pool-settings": "/admin/keys/pool/default/settings/",
        "make-link": "/admin/links/link/make/",
        "link-settings": "/admin/links/link/metro/settings/",
        "dead-letter": f"/admin/operations/letter/{dead_event()}/change/",
        "redrive": "/admin/operations/letter/redrive/",
        "schedule": "/admin/operations/schedule/sweep/change/",
        "run-schedule": "/admin/operations/schedule/do/run/?id=sweep",
        "costs": "/admin/page/costs/",
        "recovery": "/admin/page/recovery/",
        "rotate-root": "/admin/custody/rootkey/rotate/",
        "make-report": "/admin/reports/report/make/",
        "register-application": "/admin/kme/sae/register/",
        "next-version": f"/admin/files/file/upload/?document={filled.file.file_id}",
        "filtered": "/admin/files/file/?name=rah&status=encrypted",
    }


def look(watched: Watched, size: str, scheme: Any) -> None:
    """Have a window of this size, in this scheme, without motion."""
    width, height = SIZES[size]
    watched.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    watched.page.set_viewport_size({"width": width, "height": height})


def faults_of(watched: Watched, url: str) -> list[str]:
    """What is wrong with the page that is open: for who cannot see well, on a small screen, on a slow line."""
    page = watched.page
    found = violations(page)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if overflow > 0:
        found.append(f"is {overflow} pixels too wide")
    weight = page.evaluate("performance.getEntries().reduce((sum, one) => sum + (one.transferSize || 0), 0)")
    if weight > MAX_PAGE_BYTES:
        found.append(f"weighs {weight} bytes")
    return [f"{url}: {one}" for one in found]


@requirement("F1", "F7")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_right(
    watched: Watched, sign_in: Callable[[User], None], filled: Demo, scheme: Any, size: str
) -> None:
    sign_in(User.objects.create_superuser("administrator", password=None))
    look(watched, size, scheme)
    wrong: list[str] = []
    chosen = os.environ.get("BROWSER_PAGES", "").split()  # for a quick look at a few
    for name, url in addresses(filled).items():
        if chosen and name not in chosen:
            continue
        watched.open(url)
        watched.shoot(f"{size}-{scheme}-{name}")
        wrong += faults_of(watched, url)
    assert not wrong, "\n".join(wrong)
    assert not watched.problems, "\n".join(watched.problems)


@requirement("F1", "F6")
@pytest.mark.parametrize("shown", LOOKS)
@pytest.mark.parametrize("role", list(Role))
def test_each_role_finds_every_page_right_that_it_is_led_to(
    watched: Watched,
    sign_in: Callable[[User], None],
    everything: Demo,  # noqa: F811 - imported as a fixture
    role: Role,
    shown: str,
) -> None:
    """One page of each kind: lists, records with their tabs, actions, forms."""
    user = User.objects.create_user(f"a {role}", is_staff=True)
    ready_roles.put_into(user, role)
    sign_in(user)
    client = Client()
    client.force_login(user)
    look(watched, *LOOKS[shown])
    wrong: list[str] = []
    for number, (url, answer) in enumerate(crawled(client, of_a_kind=1)):
        is_page = answer.headers["Content-Type"].startswith("text/html")
        if answer.status_code == 200 and is_page and kind_of(url)[0] not in NO_PAGES:
            watched.open(url)
            watched.shoot(f"{role}-{shown}-{number:03}-{kind_of(url)[0].partition(':')[2]}")
            wrong += faults_of(watched, url)
    assert not wrong, "\n".join(wrong)
    assert not watched.problems, "\n".join(watched.problems)
