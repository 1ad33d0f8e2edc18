"""Every page of the console, as each role, light and dark, wide and narrow: no console error, no axe violation."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from apps.access import api_keys
from apps.access.models import User
from apps.audit import services as audit
from apps.custody import approvals
from apps.custody.records import Guarded
from tests import requirement
from tests.browser.accessibility import violations
from tests.browser.conftest import Watched
from tests.console.demo import ALICE, Demo
from tests.console.pages import LISTS, OTHERS
from tests.console.test_operations import dead_event

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SIZES = {"wide": (1400, 900), "narrow": (390, 844)}
MAX_PAGE_BYTES = 500 * 1024
VIEWER = [*LISTS]
OPERATOR = [
    *LISTS, "qkd_sessions.generate_session", "qkd_sessions.revoke_session", "custody.reencrypt_rotation",
    "keys.rotate_poolkey", "keys.revoke_poolkey", "keys.suspend_poolkey", "keys.destroy_poolkey",
    "keys.manage_pool", "custody.decide_approval", "custody.use_approval", "custody.resume_rotation",
    "jobs.cancel_job",
]  # fmt: skip
AUDITOR = ["audit.view_entry", "audit.verify_audit", "jobs.view_job"]
ROLES = {"viewer": VIEWER, "operator": OPERATOR, "auditor": AUDITOR, "administrator": ["*"]}


def addresses(filled: Demo) -> dict[str, str]:
    """Every kind of page, by a name for its picture."""
    asked = approvals.request(Guarded.DESTROY_KEY, filled.pool_keys[1].key_id, reason="leaked", actor=ALICE)
    entry = audit.entries_page(limit=3).records[-1]
    key, session = filled.pool_keys[5].key_id, filled.ready.session_id
    rotation = f"rot-{filled.pool_keys[0].key_id}"
    details = {
        "session": f"/admin/qkd_sessions/session/{session}/change/",
        "detection": f"/admin/detections/detection/{filled.compromised.session_id}/change/",
        "pool-key": f"/admin/keys/poolkey/{key}/change/",
        "pool": "/admin/keys/pool/default/change/",
        "rotation": f"/admin/custody/rotation/{rotation}/change/",
        "approval": f"/admin/custody/approval/{asked.approval_id}/change/",
        "file": f"/admin/files/file/{filled.file.file_id}/change/",
        "job": f"/admin/jobs/job/{filled.job.job_id}/change/",
        "entry": f"/admin/audit/entry/{entry.chain}-{entry.sequence}/change/",
        "link": "/admin/links/link/metro/change/",
        "client": f"/admin/access/apikey/{filled.key_id}/change/",
    }
    tabs = {
        f"{name}-{tab}": f"{url}?tab={tab}" for name, url in details.items() for tab in ("related", "audit")
    }
    return {
        "overview": "/admin/",
        **{f"list-{url.rstrip('/').rpartition('/')[2]}": url for url in (*LISTS.values(), *OTHERS.values())},
        "people": "/admin/access/user/",
        "person": f"/admin/access/user/{User.objects.earliest('date_joined').pk}/change/",
        "groups": "/admin/auth/group/",
        "quotas": f"/admin/access/apikey/quotas/{api_keys.find(filled.key_id).principal_id}/",
        "file-versions": f"/admin/files/file/{filled.file.file_id}/change/?tab=versions",
        "issue": "/admin/access/apikey/issue/",
        "found": "/admin/find/?q=de",
        **details,
        **tabs,
        "action-revoke": f"/admin/keys/poolkey/do/revoke/?id={key}&id={filled.pool_keys[6].key_id}",
        "action-session": f"/admin/qkd_sessions/session/do/revoke/?id={session}",
        "action-approve": f"/admin/custody/approval/do/approve/?id={asked.approval_id}",
        "action-cancel": f"/admin/jobs/job/do/cancel/?id={filled.job.job_id}",
        "generate": "/admin/qkd_sessions/session/generate/",
        "picture": f"/admin/qkd_sessions/session/{session}/picture/?eve=yes",
        "case": f"/admin/cases/case/case-{filled.compromised.session_id}/change/",
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


def someone(role: str) -> User:
    """A person of a role."""
    if role == "administrator":
        return User.objects.create_superuser(role, password=None)
    user = User.objects.create_user(role, is_staff=True)
    for name in ROLES[role]:
        app, codename = name.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


@requirement("F1", "F7")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_right(
    watched: Watched, sign_in: Callable[[User], None], filled: Demo, scheme: Any, size: str
) -> None:
    sign_in(someone("administrator"))
    page = watched.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    wrong: list[str] = []
    chosen = os.environ.get("BROWSER_PAGES", "").split()  # for a quick look at a few
    for name, url in addresses(filled).items():
        if chosen and name not in chosen:
            continue
        watched.open(url)
        watched.shoot(f"{size}-{scheme}-{name}")
        wrong += [f"{url}: {one}" for one in violations(page)]
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if overflow > 0:
            wrong.append(f"{url} is {overflow} pixels too wide")
        weight = page.evaluate(
            "performance.getEntries().reduce((sum, one) => sum + (one.transferSize || 0), 0)"
        )
        if weight > MAX_PAGE_BYTES:
            wrong.append(f"{url} weighs {weight} bytes")
    assert not wrong, "\n".join(wrong)
    assert not watched.problems, "\n".join(watched.problems)


@requirement("F1", "F6")
@pytest.mark.parametrize("role", [role for role in ROLES if role != "administrator"])
def test_each_role_sees_its_pages_without_an_error(
    watched: Watched, sign_in: Callable[[User], None], filled: Demo, role: str
) -> None:
    user = someone(role)
    sign_in(user)
    wrong: list[str] = []
    page = watched.open("/admin/")
    wrong += violations(page)
    links = page.locator("#nav-sidebar a").evaluate_all(
        "found => found.map((one) => one.getAttribute('href'))"
    )
    assert links
    for url in links:
        watched.open(url)
        wrong += [f"{url}: {one}" for one in violations(page)]
    assert wrong == []
    assert watched.problems == []
