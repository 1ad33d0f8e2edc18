"""A finding is a case: opened with its verdict, handled by people, and what it touches is listed and re-encrypted (B8)."""

import os
from dataclasses import replace

import pytest

from apps.access.roles import Role
from apps.audit import services as audit
from apps.audit import verification
from apps.cases import affected, services, stuck
from apps.cases.records import CaseClosed, CaseNotFound, CaseStatus, Severity, case_id_of
from apps.cases.store import CaseTable
from apps.common.authenticated import RecordForged
from apps.common.dynamodb import Position
from apps.custody import reencryption, tasks
from apps.detections import services as detections
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.sessions import services as sessions
from apps.sessions.records import SessionStatus
from apps.sessions.services import GenerateRequest
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS, Api
from tests.detections.test_services import pending
from tests.queues import into
from tests.sessions.ready import long
from tests.tables import rows
from tests.uploads import plaintext_of, record_of, registered

pytestmark = requirement("B8")


@pytest.fixture
def template(aws):
    """A pending session that others are copied from."""
    return sessions.generate(GenerateRequest(key_length=256, error_rate=0.02), actor=TESTS)


@pytest.fixture
def case(template):
    """A case about a compromised session."""
    session = pending(template, rate=0.12, expected=0.12)
    detections.judge(session.session_id, actor=TESTS)
    return services.find(case_id_of(session.session_id))


def events_of(session_id):
    page = audit.entries_page(limit=50, by="session", value=session_id)
    return [entry.event for entry in page.records if entry.event.startswith("case.")]


def test_what_is_not_clean_opens_a_case_and_what_is_clean_none(template, case):
    assert (case.status, case.severity, case.verdict) == (CaseStatus.OPEN, Severity.CRITICAL, "compromised")
    assert case.reasons == ("qber_above_threshold",)
    assert events_of(case.session_id) == ["case.opened"]
    clean = pending(template)
    detections.judge(clean.session_id, actor=TESTS)
    with pytest.raises(CaseNotFound):
        services.find(case_id_of(clean.session_id))
    assert verification.verify().problems == []


@requirement("I1")
def test_the_case_is_opened_in_the_transaction_of_the_verdict(template, monkeypatch):
    session = pending(template, rate=0.12, expected=0.12)

    def fails(*_, **__):
        raise RuntimeError

    monkeypatch.setattr(services, "open_about", fails)
    with pytest.raises(RuntimeError):
        detections.judge(session.session_id, actor=TESTS)
    assert sessions.find(session.session_id, actor=TESTS).status is SessionStatus.PENDING
    assert rows(CaseTable.Meta.table_name) == []


def test_a_study_is_for_information(template):
    made = replace(template, secret=False, reason_code="study")
    session = pending(made, rate=0.12, expected=0.12)
    detections.judge(session.session_id, actor=TESTS)
    found = services.find(case_id_of(session.session_id))
    assert (found.severity, found.study) == (Severity.INFO, True)


def test_a_verdict_delivered_twice_opens_one_case(case):
    detections.judge(case.session_id, actor=TESTS)
    assert len(rows(CaseTable.Meta.table_name)) == 1


def test_a_case_is_acknowledged_noted_and_closed_by_people_and_the_trail_says_so(admin_api, case):
    path = f"cases/{case.case_id}"
    assert admin_api.post(f"{path}/acknowledge").json()["status"] == "acknowledged"
    assert admin_api.post(f"{path}/notes", {"text": "Fibre looks fine."}).status_code == 201
    closed = admin_api.post(f"{path}/close", {"reason": "A dirty connector."}).json()
    assert (closed["status"], closed["resolution"]) == ("closed", "A dirty connector.")
    assert closed["closed_by"] == closed["acknowledged_by"] == str(admin_api.actor)
    assert admin_api.post(f"{path}/notes", {"text": "Cleaned."}).status_code == 201
    texts = [note["text"] for note in admin_api.get(f"{path}/notes").json()["items"]]
    assert texts == ["Cleaned.", "Fibre looks fine."]
    assert events_of(case.session_id) == [
        "case.noted",
        "case.closed",
        "case.noted",
        "case.acknowledged",
        "case.opened",
    ]
    for again in ("acknowledge", "close"):
        answer = admin_api.post(f"{path}/{again}", {"reason": "x"} if again == "close" else None)
        assert (answer.status_code, answer.json()["type"]) == (
            409,
            "http://127.0.0.1:8000/api/problems/conflict",
        )


def test_two_who_acknowledge_at_once_are_one(case, monkeypatch):
    stale = services.find(case.case_id)
    services.acknowledge(case.case_id, actor=TESTS)
    monkeypatch.setattr(services, "find", lambda _: stale)
    with pytest.raises(Exception, match="changed by someone else"):
        services.acknowledge(case.case_id, actor=TESTS)


def test_cases_are_listed_by_status_and_by_link(admin_api, template, case):
    other = pending(template, rate=0.12, expected=0.12, link="other")
    detections.judge(other.session_id, actor=TESTS)
    services.close(case.case_id, reason="done", actor=TESTS)

    def listed(query):
        return [one["case_id"] for one in admin_api.get(f"cases{query}").json()["items"]]

    assert listed("") == [case_id_of(other.session_id), case.case_id]
    assert listed("?status=open") == listed("?link=other") == [case_id_of(other.session_id)]
    assert listed("?status=closed") == [case.case_id]
    assert admin_api.get("cases?status=open&link=other").status_code == 400


def test_who_may_look_and_who_may_act(case):
    viewer, client = Api(Role.VIEWER), Api(Role.CLIENT)
    assert viewer.get(f"cases/{case.case_id}").status_code == 200
    assert viewer.post(f"cases/{case.case_id}/acknowledge").status_code == 403
    assert client.get("cases").status_code == 403
    assert Api(Role.OPERATOR).post(f"cases/{case.case_id}/acknowledge").status_code == 200


@requirement("I10")
def test_a_case_that_somebody_closed_in_the_table_is_not_believed(case):
    CaseTable(case_id=case.case_id).update([CaseTable.status.set(CaseStatus.CLOSED)])
    with pytest.raises(RecordForged):
        services.find(case.case_id)


def test_one_that_nobody_acknowledged_is_told_of_and_a_study_is_not(case, later):
    assert stuck._unacknowledged() == []
    later(hours=1)
    (found,) = stuck._unacknowledged()
    assert (found.count, found.examples) == (1, (case.case_id,))
    services.acknowledge(case.case_id, actor=TESTS)
    assert stuck._unacknowledged() == []


@pytest.fixture
def used(api, pool):
    """Two files and a message that used keys of two sessions over the stock's link, and a case about that link."""
    long(8)
    contents = {}
    for _number in range(2):
        upload = registered(api, os.urandom(100))
        handler(upload.event, None)
        contents[upload.file_id] = upload.content
    long(8)
    package = api.post("encrypt", {"plaintext": "hello"}).json()
    base = sessions.generate(GenerateRequest(key_length=256, error_rate=0.02), actor=TESTS)
    bad = pending(base, rate=0.12, expected=0.12, link="stock")
    detections.judge(bad.session_id, actor=TESTS)
    return services.find(case_id_of(bad.session_id)), contents, package


@requirement("I6")
def test_what_used_keys_of_the_link_in_the_window_is_listed_page_by_page(admin_api, used):
    case, contents, package = used
    whole = admin_api.get(f"cases/{case.case_id}/affected-keys").json()
    assert whole["next"] is None
    files = {one["subject"] for one in whole["items"] if one["purpose"] == "file"}
    assert (files, len(whole["items"])) == (set(contents), 3)
    assert package["package"]["envelope"]["header"]["quantum_key_id"] in {
        one["key_id"] for one in whole["items"]
    }
    paged: list[dict[str, str]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = admin_api.get(
            f"cases/{case.case_id}/affected-keys?limit=1{cursor and '&cursor='}{cursor}"
        ).json()
        paged += page["items"]
        cursor = page["next"]
    assert paged == whole["items"]


def test_what_was_run_before_the_window_is_not_suspect(used):
    case, _, _ = used
    late = replace(case, window_from=case.opened_at)
    assert list(affected.affected(late)) == []
    ended = replace(case, closed_at=case.window_from)
    assert list(affected.affected(ended)) == []


def test_a_cursor_into_a_session_goes_on_behind_it(used):
    case, _, _ = used
    every = list(affected.affected(case))
    first = affected.affected_page(case, limit=2)
    rest = affected.affected_page(case, limit=10, position=Position(str(first.older)))
    assert [key.key_id for key in first.records + rest.records] == [key.key_id for key in every]


@requirement("C6", "I4")
def test_one_action_revokes_the_links_sessions_and_re_encrypts_their_files(
    admin_api, used, monkeypatch, settings
):
    case, contents, _ = used
    settings.REWRAP_PER_SECOND = 1_000_000
    sent: list[str] = []
    monkeypatch.setattr(tasks.reencrypt_files, "apply_async", into(sent))
    before = {file_id: record_of(file_id).quantum_key_id for file_id in contents}
    answer = admin_api.post("reencryptions", {"case_id": case.case_id, "reason": "somebody listened"})
    assert answer.status_code == 202
    fresh = long(8)
    while sent:
        tasks.reencrypt_files(sent.pop(0))
    job = jobs.find(answer.json()["job_id"], actor=TESTS)
    assert (job.state, job.done, job.total) == (JobState.SUCCEEDED, 2, 2)
    for file_id, content in contents.items():
        assert plaintext_of(file_id) == content
        assert record_of(file_id).quantum_key_id.partition(".")[0] == fresh.session_id
        suspect = before[file_id].partition(".")[0]
        assert sessions.find(suspect, actor=TESTS).status is SessionStatus.REVOKED
    assert sessions.find(fresh.session_id, actor=TESTS).status is SessionStatus.READY
    (note,) = services.notes(case.case_id, limit=5).records
    assert job.job_id in note.text
    assert verification.verify().problems == []


def test_a_case_that_is_not_there_is_said_so(admin_api):
    assert admin_api.get("cases/none").status_code == 404
    assert admin_api.get("cases/none/affected-keys").status_code == 404
    assert admin_api.post("cases/none/close", {"reason": "x"}).status_code == 404
    assert admin_api.post("reencryptions", {"case_id": "none", "reason": "x"}).status_code == 404
    with pytest.raises(CaseNotFound):
        reencryption.start(
            reencryption.Suspect(reencryption.SuspectKind.CASE, "none"), reason="x", actor=TESTS
        )


def test_closing_twice_is_refused(case):
    services.close(case.case_id, reason="done", actor=TESTS)
    with pytest.raises(CaseClosed):
        services.close(case.case_id, reason="again", actor=TESTS)
