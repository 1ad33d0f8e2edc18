"""What a verification found stays on the overview until one as thorough finds all whole (B6, F3)."""

import re

import pytest
from django.test import Client

from apps.audit import console as overview
from apps.audit import services as audit
from apps.audit.job_kinds import AuditJob
from apps.audit.records import Outcome
from apps.audit.tasks import VERIFIER
from apps.audit.trail import AuditEvent
from apps.audit.verifying import Depth
from apps.cases import services as cases
from apps.cases.records import CaseStatus, Severity
from apps.jobs import control
from apps.jobs import services as jobs
from tests import requirement
from tests.console.demo import ALICE, Demo
from tests.console.pages import JOBS

pytestmark = requirement("B6", "F3")
TOLD = "A verification found the trail or records tampered with."


def verified(depth: Depth | None, *, whole: bool) -> None:
    """What a verification records."""
    detail = {} if depth is None else {"depth": str(depth)}
    outcome = Outcome.OK if whole else Outcome.FAILED
    audit.record(VERIFIER, AuditEvent.VERIFIED, outcome=outcome, problems=int(not whole), **detail)
    overview.forget()


def told(client: Client) -> bool:
    return TOLD in client.get("/admin/").content.decode()


@pytest.mark.parametrize("depth", [*Depth, None])
def test_damage_is_told_until_one_as_thorough_finds_all_whole(console: Client, depth: Depth | None) -> None:
    verified(depth, whole=True)
    assert not told(console)
    verified(depth, whole=False)
    assert told(console)
    for other in [*Depth][: [*Depth].index(depth) if depth else 0]:
        verified(other, whole=True)
        assert told(console), f"{other} looks at less"
    verified(depth, whole=True)
    assert not told(console)


def test_a_thorough_one_says_of_all_before_that_they_are_over(console: Client) -> None:
    verified(Depth.ENTRIES, whole=False)
    verified(Depth.SINCE_CHECKPOINT, whole=False)
    verified(Depth.RECORDS, whole=True)
    assert not told(console)
    verified(Depth.SINCE_CHECKPOINT, whole=False)
    assert told(console)


@requirement("I10")
def test_what_is_no_depth_hides_nothing(console: Client) -> None:
    audit.record(VERIFIER, AuditEvent.VERIFIED, outcome=Outcome.FAILED, depth="records")
    audit.record(VERIFIER, AuditEvent.VERIFIED, depth=["records"])
    overview.forget()
    assert told(console)


@pytest.mark.parametrize("whole", [True, False])
def test_a_job_that_found_damage_says_so_beside_its_success(console: Client, whole: bool) -> None:
    job = jobs.enqueue(AuditJob.VERIFY, total=1, parameters={"depth": "records"}, actor=ALICE)
    started = control.start(job.job_id)
    assert started
    control.end(control.report(started, done=1, results={"whole": whole}))
    for address in (JOBS, f"{JOBS}{job.job_id}/change/"):
        page = re.sub(r"\s+", " ", console.get(address).content.decode())
        assert ("found damage" in page) is not whole


def test_how_many_cases_are_critical_is_told_where_not_all_are(console: Client, filled: Demo) -> None:
    page = console.get("/admin/").content.decode()
    assert "2 cases wait to be acknowledged, 1 of them critical." in page
    found = cases.listed(limit=2, status=CaseStatus.OPEN).records
    lesser = next(one for one in found if one.severity is not Severity.CRITICAL)
    cases.acknowledge(lesser.case_id, actor=ALICE)
    assert "1 case waits to be acknowledged." in console.get("/admin/").content.decode()
