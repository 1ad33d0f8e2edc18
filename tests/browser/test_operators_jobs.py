"""Things that operators come to the console for, with the clicks and pages that docs/console.md says they take.

The first is in test_first_run. Two run with the other tests; the rest are slow, as each drives a browser through half a dozen pages.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Locator, expect

from apps.access import api_keys, principals, ready_roles
from apps.access.records import KeyStatus
from apps.access.roles import Role
from apps.access.users import User
from apps.alerts import admin as overview
from apps.alerts import services as alerts
from apps.alerts.conditions import COMPROMISED, Noticed
from apps.audit import tasks as audit_tasks
from apps.audit.records import system
from apps.common import clock
from apps.custody import approvals
from apps.custody.records import ApprovalStatus, Guarded
from apps.files import services as files
from apps.files.states import FileStatus
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.keys import services as keys
from apps.keys.records import KeyState
from apps.reports import tasks as report_tasks
from tests import requirement
from tests.browser.conftest import Watched
from tests.console.demo import ALICE, Demo, make_file
from tests.console.test_operations import dead_event
from tests.queues import at_once, into

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), requirement("F1", "F2")]
DOCUMENTED = Path(__file__).parents[2] / "docs" / "console.md"


def documented() -> dict[str, tuple[int, int]]:
    """The clicks and the pages of each job, as the table in the docs has them."""
    rows = (line.strip("| \n").split(" | ") for line in DOCUMENTED.read_text(encoding="utf-8").splitlines())
    return {row[0]: (int(row[2]), int(row[3])) for row in rows if len(row) == 4 and row[2].isdigit()}


class Operator:
    """Somebody at the overview, whose clicks are counted. Typing is none, ticking a box is one."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.page = watched.open("/admin/")
        self.clicks, self._before = 0, watched.documents

    def click(self, what: Locator) -> None:
        """Click on something."""
        what.click()
        self.clicks += 1

    def link(self, name: str | re.Pattern[str], *, among: str = "#content, #content-start") -> None:
        """Click on a link of the page."""
        self.click(self.page.locator(among).get_by_role("link", name=name).first)

    def button(self, name: str) -> None:
        """Click on a button."""
        self.click(self.page.get_by_role("button", name=name, exact=True))

    def go_to(self, name: str) -> None:
        """Click on a link of the side bar."""
        self.click(self.page.locator("#nav-sidebar").get_by_role("link", name=name, exact=True))

    def say(self, label: str, text: str) -> None:
        """Type into a field."""
        self.page.get_by_label(label, exact=True).fill(text)

    def has_done(self, job: str) -> None:
        """Compare what it took with what the docs say, and see that nothing went wrong on the way."""
        self.watched.shoot(f"operators-{job.lower().replace(' ', '-')}")
        assert (self.clicks, self.watched.documents - self._before) == documented()[job]
        assert self.watched.problems == []


@pytest.fixture
def operator(signed_in: Watched) -> Operator:
    """An administrator at work."""
    return Operator(signed_in)


@pytest.fixture
def as_role(
    watched: Watched,
    filled: Demo,
    sign_in: Callable[[User], None],
) -> Callable[[Role], Operator]:
    """Somebody in a ready role at work."""

    def at_work(role: Role) -> Operator:
        ready_roles.sync()
        user = User.objects.create_user(f"a {role}", is_staff=True)
        ready_roles.put_into(user, role)
        principals.admit_person(str(user.pk), user.username, role=role, approver=True, actor=system("tests"))
        sign_in(user)
        return Operator(watched)

    return at_work


def test_a_dead_letter_is_tried_again(operator: Operator) -> None:
    letter = dead_event()
    operator.page.reload()
    operator = Operator(operator.watched)
    operator.link("1 dead letter waits")
    operator.link(letter)
    operator.link("Try again…")
    operator.button("Try again")
    expect(operator.page.locator(".messagelist")).to_contain_text("Job")
    operator.has_done("A dead letter")
    operator.page.locator(".messagelist").get_by_role("link").click()
    expect(operator.page.locator("#live")).to_contain_text("redrive dead letters")


def test_what_a_tapped_link_touched_is_found_and_re_encrypted(operator: Operator, filled: Demo) -> None:
    operator.link(re.compile("^2 cases wait to be acknowledged"))
    operator.link(f"case-{filled.compromised.session_id}")
    operator.link(re.compile("Re-encrypt what used"))
    operator.page.get_by_role("textbox").last.fill("tapped last night")
    operator.button("Re-encrypt")
    expect(operator.page.locator(".messagelist")).to_contain_text("re-encrypts the files of")
    operator.has_done("A link was tapped last night")
    operator.page.locator(".messagelist").get_by_role("link").first.click()
    expect(operator.page.locator("#live")).to_contain_text("reencrypt files")


@pytest.mark.slow
def test_a_leaked_key_is_revoked(operator: Operator, filled: Demo) -> None:
    leaked = filled.pool_keys[5].key_id
    operator.say("Find by id or name", leaked)
    operator.page.keyboard.press("Enter")
    operator.link("Revoke…")
    operator.say("Reason:", "pushed to a public repository")
    operator.button("Revoke permanently")
    expect(operator.page.locator(".messagelist")).to_contain_text("1 pool key revoked")
    assert keys.find(leaked).state is KeyState.REVOKED
    operator.has_done("A key leaked")


@pytest.mark.slow
def test_a_person_who_leaves_signs_in_no_more(operator: Operator) -> None:
    leaves = User.objects.create_user("leaver", is_staff=True)
    operator.go_to("People")
    operator.link("leaver")
    operator.click(operator.page.get_by_label("Active", exact=True))
    operator.button("Save")
    expect(operator.page.locator(".messagelist")).to_contain_text("changed successfully")
    leaves.refresh_from_db()
    assert not leaves.is_active
    operator.has_done("A person leaves")


@pytest.mark.slow
def test_an_auditor_has_last_month_reported(
    as_role: Callable[[Role], Operator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_tasks.compliance, "apply_async", into([]))
    auditor = as_role(Role.AUDITOR)
    auditor.go_to("Reports")
    auditor.link("Make a report")
    auditor.button("Make the report")
    expect(auditor.page.locator("h1")).to_contain_text("Job")
    expect(auditor.page.locator("#live")).to_contain_text("queued")
    auditor.has_done("An auditor wants last month")


@pytest.mark.slow
def test_a_file_that_was_deleted_by_mistake_is_restored(operator: Operator, filled: Demo) -> None:
    name = "Protokoll der Vorstandssitzung.pdf"
    window = clock.now() + timedelta(days=7)
    lost = make_file(
        9, name, filled.pool_keys[2], filled.ready, status=FileStatus.DELETED, shred_after=window
    )
    operator.go_to("Files")
    operator.page.get_by_label("status").select_option("deleted")
    operator.button("Apply")
    operator.link(name)
    operator.link("Restore…")
    operator.button("Restore")
    expect(operator.page.locator(".messagelist")).to_contain_text("1 file restored")
    assert files.find(lost.file_id, actor=ALICE).status is FileStatus.ENCRYPTED
    operator.has_done("A file was deleted by mistake")


@pytest.mark.slow
def test_an_upload_that_is_stuck_is_found_with_what_to_do(operator: Operator, filled: Demo) -> None:
    minutes = 2 * 24 * 60
    late = make_file(
        minutes, "Lageplan.dwg", filled.pool_keys[2], filled.ready, status=FileStatus.AWAITING_UPLOAD
    )
    operator.go_to("Health")
    expect(operator.page.locator("#content")).to_contain_text("uploads that wait for longer than a day")
    operator.link(late.file_id)
    expect(operator.page.locator("#live")).to_contain_text("Lageplan.dwg")
    operator.link("Delete…")
    operator.button("Delete")
    expect(operator.page.locator(".messagelist")).to_contain_text("1 file deleted")
    operator.has_done("An upload is stuck")


@pytest.mark.slow
def test_a_pool_that_runs_low_is_told_and_refilled(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "POOL_TARGET", 40)
    monkeypatch.setattr(settings, "POOL_LOW_WATER", 20)
    operator = Operator(operator.watched)
    operator.link(re.compile("Pool default has .* fewer than its low-water mark 20"))
    expect(operator.page.locator("h1")).to_contain_text("pool")
    operator.has_done("The pool runs low")


@pytest.mark.slow
def test_a_second_person_approves_a_destruction(as_role: Callable[[Role], Operator], filled: Demo) -> None:
    revoked = filled.pool_keys[1].key_id
    asked = approvals.request(Guarded.DESTROY_KEY, revoked, reason="not needed", actor=ALICE)
    second = as_role(Role.ADMINISTRATOR)
    second.link(re.compile("request.* for a second person"))
    second.link(asked.approval_id)
    second.link("Approve…")
    second.button("Approve")
    expect(second.page.locator(".messagelist")).to_contain_text("approved")
    assert approvals.find(asked.approval_id).status is ApprovalStatus.APPROVED
    second.has_done("A second person approves a destruction")


@pytest.mark.slow
def test_a_service_gets_a_key_and_loses_it_again(as_role: Callable[[Role], Operator]) -> None:
    operator = as_role(Role.ADMINISTRATOR)
    operator.go_to("API keys")
    operator.link("Issue an API key")
    operator.say("Name:", "nightly export")
    operator.button("Issue")
    secret = operator.page.locator("code").first.inner_text()
    key_id = secret.partition(".")[0]
    operator.link("Go to the key")
    operator.link("Revoke…")
    operator.say("Reason:", "not needed any more")
    operator.button("Revoke permanently")
    expect(operator.page.locator(".messagelist")).to_contain_text("revoked")
    assert api_keys.find(key_id).status is KeyStatus.REVOKED
    operator.has_done("A service gets a key and loses it again")


@pytest.mark.slow
def test_a_job_that_runs_wild_is_cancelled(operator: Operator, filled: Demo) -> None:
    operator.link("generate sessions", among="#panel-jobs")
    operator.link("Cancel job…")
    operator.button("Cancel the jobs")
    expect(operator.page.locator(".messagelist")).to_contain_text("7 of 20 steps were done and are kept")
    assert jobs.find(filled.job.job_id, actor=ALICE).cancel_requested
    operator.has_done("A job runs wild")


@pytest.mark.slow
def test_an_alert_is_followed_to_its_case(operator: Operator, filled: Demo) -> None:
    session = filled.compromised.session_id
    alerts.raise_alert(Noticed(COMPROMISED, "metro", {"case_id": f"case-{session}", "session_id": session}))
    overview.forget()
    operator = Operator(operator.watched)
    operator.link(re.compile("An alert is open"))
    expect(operator.page.locator("#live")).to_contain_text("Open the case")
    operator.link("Related")
    operator.link(f"case-{session}")
    expect(operator.page.locator("h1")).to_contain_text("Case")
    operator.has_done("An alert came")


@pytest.mark.slow
def test_the_trail_is_proved_to_be_whole(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_tasks.verify, "apply_async", at_once(audit_tasks.verify))
    operator.go_to("Audit entries")
    operator.link("Verify the chains")
    operator.button("Verify now")
    expect(operator.page.locator("#live .badge").first).to_have_text("succeeded")
    (job,) = [job for job in jobs.listed(actor=ALICE, limit=1).records if job.kind == "verify_audit"]
    assert job.state is JobState.SUCCEEDED
    operator.has_done("Prove that the trail is whole")
