"""Sessions are judged from the stream, once, each by itself, before anything can use their keys (B1 to B6)."""

import uuid
from collections import Counter
from dataclasses import replace

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from apps.audit import services as audit
from apps.audit import verification
from apps.common import clock
from apps.detections import services
from apps.detections.services import DetectionNotFound
from apps.detections.store import DetectionTable
from apps.sessions import finals
from apps.sessions import services as sessions
from apps.sessions.records import SessionNotFound, SessionStatus
from apps.sessions.services import GenerateRequest
from apps.sessions.store import FinalKeyTable, SessionTable
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS
from tests.events import stream_insert
from tests.faults import counted
from tests.finals import final_key
from tests.tables import rows, save
from tests.threads import together

FULL_INTERCEPT = {"kind": "intercept_resend", "fraction": 1.0}


@pytest.fixture
def template(aws):
    """A pending session that others are copied from: its statistics are set, not drawn."""
    return sessions.generate(GenerateRequest(key_length=256, error_rate=0.02), actor=TESTS)


def pending(template, *, rate=0.02, expected=0.02, link="link", compared=2000, bases=(1.0, 1.0)):
    """A session whose comparison found errors at ``rate``, times ``bases`` in each basis."""
    half = compared // 2
    made = replace(
        template,
        session_id=str(uuid.uuid4()),
        timestamp=clock.now(),
        link=link,
        expected_qber=expected,
        ledger={},  # what was not set here was not observed
        counts={
            "n_rect": half,
            "errors_rect": round(half * rate * bases[0]),
            "n_diag": half,
            "errors_diag": round(half * rate * bases[1]),
        },
    )
    save(SessionTable.of(made))
    save(FinalKeyTable.of(replace(final_key(template.session_id), session_id=made.session_id)))
    return made


def poisoned(session):
    """No statistics can be made of its counts."""
    save(SessionTable.of(replace(session, counts={"no such": 1})))


def judged(session):
    return services.judge(session.session_id, actor=TESTS)


def status_of(session):
    return sessions.find(session.session_id, actor=TESTS).status


def reasons(detection):
    return {reason["code"] for reason in detection.reasons}


@requirement("B1", "B2")
def test_a_clean_session_becomes_ready(template):
    session = pending(template)
    handler(stream_insert(session.session_id), None)
    assert status_of(session) is SessionStatus.READY
    detection = services.find(session.session_id, actor=TESTS)
    assert (detection.qber_calculated, detection.is_compromised) == (0.02, False)
    assert detection.reasons == []


@requirement("B2", "B5")
def test_a_session_above_the_threshold_loses_its_key_before_anything_can_use_it(template):
    session = pending(template, rate=0.12, expected=0.12)
    detection = judged(session)
    assert reasons(detection) == {"qber_above_threshold"}
    item = next(i for i in rows(SessionTable.Meta.table_name) if i["session_id"]["S"] == session.session_id)
    assert item["status"]["S"] == "compromised"
    assert "stock_feed" not in item
    assert finals.find(session.session_id) is None


@requirement("B2")
def test_the_threshold_is_a_setting(template, settings):
    settings.QBER_THRESHOLD = 0.01
    detection = judged(pending(template, rate=0.02, expected=0.02))
    assert (detection.is_compromised, detection.threshold) == (True, 0.01)
    settings.QBER_THRESHOLD = 0.2
    assert not judged(pending(template, rate=0.12, expected=0.12)).is_compromised


@requirement("B3")
def test_more_errors_than_the_channel_explains_convict(template):
    detection = judged(pending(template, rate=0.06, expected=0.02))
    assert reasons(detection) == {"errors_above_expected"}
    assert detection.chi_square_value > 100
    assert detection.p_values["errors"] < 1e-6
    assert detection.confidence_level > 0.999


@requirement("B3")
def test_errors_that_depend_on_the_basis_convict(template):
    detection = judged(pending(template, rate=0.04, expected=0.04, bases=(0.2, 1.8)))
    assert reasons(detection) == {"basis_dependent_errors"}
    assert detection.p_values["basis"] < 1e-6


@requirement("B4")
def test_a_link_that_drifts_is_flagged_before_it_crosses_the_threshold(template):
    for _ in range(12):
        judged(pending(template, compared=4000, link="drifting"))
    outcomes = [
        judged(pending(template, rate=0.02 + 0.0005 * step, compared=4000, link="drifting"))
        for step in range(1, 17)
    ]
    assert not any(detection.is_compromised for detection in outcomes)
    assert "gradual_drift" in reasons(outcomes[-1])
    assert outcomes[-1].outcome == "ready", "a drift warns, it does not convict"
    assert outcomes[-1].qber_calculated < 0.11
    flagged = services.listed(actor=TESTS, limit=50, verdict="anomalous").records
    assert outcomes[-1].session_id in {detection.session_id for detection in flagged}


@requirement("B4")
def test_the_history_is_the_links_own(template):
    for step in range(16):
        judged(pending(template, rate=0.02 + 0.001 * (step % 2), expected=0.05, link="quiet"))
    assert "rise" not in judged(pending(template, rate=0.05, expected=0.05, link="noisy")).p_values
    assert "sudden_rise" in reasons(judged(pending(template, rate=0.05, expected=0.05, link="quiet")))


@requirement("B4", "B7")
def test_what_was_asked_for_is_no_change_of_the_link(template):
    for step in range(12):
        judged(pending(template, rate=0.01 + 0.001 * (step % 2), expected=0.01, link="busy"))
    assert reasons(judged(pending(template, rate=0.05, expected=0.05, link="busy"))) == set()


@requirement("B4")
def test_sessions_without_a_key_do_not_hide_the_history(template):
    for step in range(8):
        judged(pending(template, rate=0.02 + 0.001 * (step % 2), expected=0.05, link="lossy"))
    for _ in range(70):
        save(SessionTable.of(replace(pending(template, link="lossy"), status=SessionStatus.ABORTED)))
    newest = pending(template, rate=0.05, expected=0.05, link="lossy")
    assert len(sessions.history("lossy", before=newest)) == 8
    assert "sudden_rise" in reasons(judged(newest))


@requirement("B1")
@pytest.mark.parametrize("rate", [0.02, 0.2])
def test_a_record_delivered_again_changes_nothing(template, rate):
    session = pending(template, rate=rate)
    for _ in range(3):
        assert handler(stream_insert(session.session_id), None) == {"batchItemFailures": []}
    first = rows(DetectionTable.Meta.table_name)
    assert len(first) == 1
    verdicts = audit.entries_page(limit=20, by="session", value=session.session_id).records
    assert len([entry for entry in verdicts if entry.event.startswith("session.")]) == 1


@requirement("B1", "B4")
def test_a_batch_reads_its_link_s_history_once_and_still_sees_what_it_found_itself(template):
    queries = []
    for size in (2, 8):
        made = [pending(template, link=f"busy{size}", compared=4000) for _ in range(size)]
        with counted() as calls:
            handler(stream_insert(*(session.session_id for session in made)), None)
        queries.append(Counter(calls)["Query"])
    assert queries[0] == queries[1]
    newest = pending(template, rate=0.05, expected=0.02, link="busy8", compared=4000)
    alone = judged(newest)
    together = [pending(template, link="other", compared=4000) for _ in range(8)]
    together.append(pending(template, rate=0.05, expected=0.02, link="other", compared=4000))
    handler(stream_insert(*(session.session_id for session in together)), None)
    found = services.find(together[-1].session_id, actor=TESTS)
    assert found.p_values == alone.p_values
    assert "rise" in found.p_values


@requirement("B1")
def test_deliveries_beside_each_other_agree(template):
    session = pending(template, rate=0.2)
    detections = together(5, lambda: judged(session))
    assert len(rows(DetectionTable.Meta.table_name)) == 1
    assert {detection.detection_timestamp for detection in detections} == {detections[0].detection_timestamp}
    assert verification.verify().problems == []


@requirement("B1")
@pytest.mark.parametrize("place", [0, 1, 2])
def test_of_a_batch_with_one_poison_record_the_others_are_judged(template, place):
    batch = [pending(template) for _ in range(3)]
    poison = batch[place]
    poisoned(poison)
    answer = handler(stream_insert(*(session.session_id for session in batch)), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": f"{place + 1:021d}"}]}
    assert {status_of(session) for session in batch if session is not poison} == {SessionStatus.READY}
    assert status_of(poison) is SessionStatus.PENDING, "what nobody could judge, nobody can use"


@requirement("B1")
def test_a_batch_of_nothing_but_poison_fails_as_a_whole(aws):
    with pytest.raises(BatchProcessingError):
        handler(stream_insert("no such session"), None)


@requirement("B1")
def test_what_is_no_new_pending_session_is_left_alone(template):
    event = stream_insert(template.session_id, template.session_id, template.session_id)
    event["Records"][0]["eventName"] = "MODIFY"
    event["Records"][1]["eventName"] = "REMOVE"
    del event["Records"][1]["dynamodb"]["NewImage"]
    event["Records"][2]["dynamodb"]["NewImage"]["status"] = {"S": "ready"}
    assert handler(event, None) == {"batchItemFailures": []}
    assert status_of(template) is SessionStatus.PENDING


@requirement("B5", "I7")
def test_a_session_without_a_key_is_judged_and_aborted(aws):
    made = sessions.generate(
        GenerateRequest(key_length=256, channel={"distance_km": 300, "dark_count_probability": 0.001}),
        actor=TESTS,
    )
    assert made.final_key_length == 0
    detection = judged(made)
    assert detection.outcome in {"aborted", "compromised"}
    assert status_of(made).value == detection.outcome


@requirement("B2", "B5")
def test_a_key_without_a_single_compared_bit_does_not_become_ready(template):
    detection = judged(pending(template, compared=0))
    assert reasons(detection) == {"no_data"}
    assert detection.outcome == "aborted"


@requirement("B1")
def test_the_sweep_judges_what_waits_too_long_and_only_that(template):
    session = pending(template)
    assert services.judge_overdue(seconds=60, actor=TESTS) == 0
    assert services.judge_overdue(seconds=-1, actor=TESTS) == 2
    assert status_of(session) is SessionStatus.READY
    assert services.judge_overdue(seconds=-1, actor=TESTS) == 0


@requirement("B1")
def test_one_session_that_cannot_be_judged_does_not_keep_the_sweep_from_the_others(template):
    poison, later = pending(template), pending(template)
    poisoned(poison)
    with pytest.raises(ExceptionGroup):
        services.judge_overdue(seconds=-1, actor=TESTS)
    assert status_of(later) is SessionStatus.READY


@requirement("B1")
def test_there_is_no_verdict_on_what_does_not_exist(aws):
    with pytest.raises(SessionNotFound):
        services.judge("no such", actor=TESTS)
    with pytest.raises(DetectionNotFound):
        services.find("no such", actor=TESTS)


@requirement("I9", "B5")
def test_a_verdict_on_anothers_session_is_as_unknown_as_none(api, other_api):
    made = api.post("qkd/generate", {"key_length": 256, "error_rate": 0.01}).json()
    handler(stream_insert(made["session_id"]), None)
    assert api.get(f"detections/{made['session_id']}").status_code == 200
    foreign = other_api.get(f"detections/{made['session_id']}")
    assert foreign.status_code == 404
    assert other_api.get("detections").json()["items"] == []
    unknown = other_api.get("detections/0")
    assert foreign.content.replace(made["session_id"].encode(), b"0") == unknown.content
