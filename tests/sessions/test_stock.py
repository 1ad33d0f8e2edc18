"""The stock of quantum keys: watched, refilled at a pace, revoked in one step (A8, C3, I3, I4)."""

import json
from dataclasses import replace

import pytest

from apps.audit import services as audit
from apps.common.aws import client
from apps.detections import services as detections
from apps.files import messages
from apps.files.trail import MessageEvent
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.jobs.running import Work
from apps.sessions import finals, quantum_keys, services, stock, tasks, transitions
from apps.sessions.records import KeyPurpose, SessionStatus, SessionUnusable, StockEmpty
from apps.sessions.services import GenerateRequest
from apps.sessions.store import SessionTable
from apps.sessions.trail import SessionEvent, StockEvent
from tests import requirement
from tests.conftest import TESTS
from tests.faults import Fault, counted


@pytest.fixture
def sent(monkeypatch):
    ids: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "delay", ids.append)
    return ids


def ready(**request):
    made = services.generate(
        GenerateRequest(**{"key_length": 1024, "error_rate": 0.01, **request}), actor=TESTS
    )
    assert detections.judge(made.session_id, actor=TESTS).outcome == "ready"
    return services.find(made.session_id, actor=TESTS)


@requirement("A8")
def test_the_stock_is_counted_by_link(aws, settings):
    ready(link="vienna")
    ready(link="geneva", key_length=512)
    found = stock.stock()
    assert found.by_link == {"vienna": 4, "geneva": 2}
    assert (found.total, found.pending) == (6, 0)


@requirement("A8", "B6")
def test_a_low_stock_raises_an_alarm_and_is_refilled_by_a_job(aws, settings, sent):
    topic = client("sns").create_topic(Name="alerts")["TopicArn"]
    client("sqs").create_queue(QueueName="alerts")
    queue = client("sqs").get_queue_url(QueueName="alerts")["QueueUrl"]
    client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:alerts"
    )
    settings.ALERT_TOPIC_ARN, settings.STOCK_SESSION_PAUSE = topic, 0
    settings.STOCK_LOW_WATER, settings.STOCK_TARGET = 32, 100
    assert tasks.refill_later() == 2
    assert tasks.refill_later() == 0, "one refill at a time"
    told = json.loads(client("sqs").receive_message(QueueUrl=queue)["Messages"][0]["Body"])
    assert json.loads(told["Message"])["event"] == "stock.low"
    tasks.generate_batch(sent.pop())
    (job,) = jobs.listed_of(tasks.REFILLER, limit=5).records
    assert job.state is JobState.SUCCEEDED
    assert stock.stock().pending == 128
    assert tasks.refill_later() == 0, "what waits for its judgement is counted"
    assert audit.entries_page(limit=50).records[-1].event == StockEvent.LOW


@requirement("A8")
def test_a_refill_runs_at_its_pace(aws, settings, sent, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(Work, "pause", lambda _, seconds: slept.append(seconds))
    settings.STOCK_SESSION_PAUSE, settings.STOCK_TARGET = 7.0, 128
    tasks.refill_later()
    tasks.generate_batch(sent.pop())
    assert slept == [7.0, 7.0]


@requirement("C3", "I3", "I4")
def test_a_revoked_session_gives_no_key_and_what_was_taken_still_opens(pool, aws):
    made = ready()
    package = messages.encrypt(b"x", actor=TESTS)
    revoked = transitions.revoke(made.session_id, reason="link tapped", actor=TESTS)
    assert (revoked.status, revoked.reason) == (SessionStatus.REVOKED, "link tapped")
    with pytest.raises(StockEmpty):
        quantum_keys.offer()
    with pytest.raises(SessionUnusable):
        quantum_keys.offer(session_id=made.session_id, actor=TESTS)
    finals._kept.clear()
    assert messages.decrypt(package.to_dict(), actor=TESTS) == b"x"
    assert [key.purpose for key in quantum_keys.taken_from(made.session_id, limit=5).records] == ["message"]
    with pytest.raises(SessionUnusable, match="only a ready one"):
        transitions.revoke(made.session_id, reason="again", actor=TESTS)


@requirement("C3", "I3")
def test_an_offer_from_before_the_revocation_cannot_be_taken(pool, aws):
    made = ready()
    offered = quantum_keys.offer()
    transitions.revoke(made.session_id, reason="x", actor=TESTS)
    with pytest.raises(SessionUnusable), audit.transaction(TESTS) as tx:
        quantum_keys.take(tx, offered, purpose=KeyPurpose.MESSAGE, subject="m")
        tx.audit(MessageEvent.ENCRYPTED)


@requirement("C3", "I2")
def test_a_session_revoked_untouched_loses_its_wrapped_key(aws):
    made = ready()
    transitions.revoke(made.session_id, reason="x", actor=TESTS)
    assert finals.find(made.session_id) is None


@requirement("C3")
def test_ten_thousand_keys_are_revoked_in_one_write(aws):
    made = ready()
    SessionTable.of(replace(made, keys_total=10_000, keys_taken=5_000)).save()
    with counted() as calls:
        transitions.revoke(made.session_id, reason="x", actor=TESTS)
    assert calls.count("TransactWriteItems") == 1
    assert len(calls) <= 4, calls
    assert stock.stock().total == 0


@requirement("I1", "I4")
@pytest.mark.parametrize("fault", Fault)
def test_no_failed_call_half_revokes_a_session(aws, fault, each_call):
    def revoke(made):
        transitions.revoke(made.session_id, reason="x", actor=TESTS)

    for call, made in each_call("revoke a session", fault, ready, revoke):
        if services.find(made.session_id, actor=TESTS).status is SessionStatus.READY:
            revoke(made)
        found = services.find(made.session_id, actor=TESTS)
        assert (found.status, finals.find(made.session_id)) == (SessionStatus.REVOKED, None), call
        events = [e.event for e in audit.entries_page(limit=9, by="session", value=made.session_id).records]
        assert events.count(SessionEvent.REVOKED) == 1, call
