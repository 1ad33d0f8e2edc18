"""What somebody has to know is told once, to whom it concerns, until somebody takes it on; and holds no secret (B6, B8)."""

import json
import logging
from dataclasses import replace

import pytest

from apps.access.roles import Role
from apps.access.trail import SignInEvent
from apps.alerts import conditions, services
from apps.alerts.conditions import COMPROMISED, DAMAGED, MANY, STOCK_LOW, TEST, WAITING, Noticed, of_entry
from apps.alerts.records import AlertSettled, AlertStatus, Urgency
from apps.alerts.store import AlertTable
from apps.audit import services as audit
from apps.audit import verification
from apps.audit.records import Event, Outcome
from apps.audit.trail import AuditEvent
from apps.cases.trail import CaseEvent
from apps.common import clock, standstill
from apps.common.authenticated import RecordForged
from apps.common.aws import client
from apps.common.declarations import members, modules_named
from apps.common.standstill import Stuck
from apps.detections import services as detections
from apps.files.trail import FileEvent
from apps.kme.trail import DeliveryEvent
from apps.sessions import services as sessions
from apps.sessions.trail import StockEvent
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS, Api
from tests.detections.test_services import pending
from tests.faults import Fault, injected
from tests.finals import final_key
from tests.trail_stream import event, records

pytestmark = requirement("B6", "B8")
LINK = Noticed(COMPROMISED, "metro", {"case_id": "case-1"})


@pytest.fixture
def told(aws, settings):
    """The messages that reach who subscribed to the topic."""
    settings.ALERT_TOPIC_ARN = client("sns").create_topic(Name="alerts")["TopicArn"]
    queue = client("sqs").create_queue(QueueName="alerts")["QueueUrl"]
    endpoint = "arn:aws:sqs:us-east-1:123456789012:alerts"
    client("sns").subscribe(TopicArn=settings.ALERT_TOPIC_ARN, Protocol="sqs", Endpoint=endpoint)

    def received():
        found = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(json.loads(message["Body"])["Message"]) for message in found]

    return received


def at(hour, monkeypatch):
    moment = clock.now().replace(hour=hour)
    monkeypatch.setattr(clock, "now", lambda: moment)


@requirement("I2")
def test_a_compromised_link_is_told_once_and_without_secrets(told, caplog):
    base = sessions.generate(sessions.GenerateRequest(key_length=256, error_rate=0.02), actor=TESTS)
    wrapped = final_key(base.session_id).encrypted_final_key
    made = [pending(base, rate=0.2, link="metro") for _ in range(3)]
    with caplog.at_level(logging.DEBUG):
        for session in made:
            detections.judge(session.session_id, actor=TESTS)
        handler(event(records()), None)
        handler(event(records()), None)
    (message,) = told()
    assert (message["condition"], message["about"], message["severity"]) == (
        "link-compromised",
        "metro",
        "critical",
    )
    assert message["detail"]["session_id"] in {session.session_id for session in made}
    assert message["action"]
    assert wrapped
    assert wrapped not in json.dumps(message) + caplog.text
    assert verification.verify().problems == []


def test_a_clean_session_alerts_nobody(told):
    base = sessions.generate(sessions.GenerateRequest(key_length=256, error_rate=0.02), actor=TESTS)
    detections.judge(pending(base).session_id, actor=TESTS)
    handler(event(records()), None)
    assert told() == []


def test_an_alert_that_cannot_be_sent_is_sent_later_and_stops_no_follower(told):
    audit.record(TESTS, StockEvent.LOW, total=1)
    with injected(Fault.REFUSED, operation="Publish"):
        handler(event(records()), None)
    assert told() == []
    services.send_due()
    (message,) = told()
    assert message["condition"] == "stock-low"
    services.send_due()
    assert told() == []


def test_what_is_noticed_again_is_counted_once_a_minute_and_not_sent(told, later):
    first = services.raise_alert(LINK)
    services.raise_alert(LINK)
    later(seconds=70)
    services.raise_alert(LINK)
    found = services.find(first.alert_id)
    assert (len(told()), found.times) == (1, 2)
    assert services.raise_alert(Noticed(COMPROMISED, "other")).alert_id != first.alert_id


def test_what_nobody_acknowledges_is_escalated_once(told, later):
    raised = services.raise_alert(LINK)
    services.raise_alert(Noticed(STOCK_LOW, "stock"))
    assert len(told()) == 2
    later(minutes=29)
    services.send_due()
    assert told() == []
    later(minutes=2)
    services.send_due()
    services.send_due()
    (message,) = told()
    assert (message["alert_id"], message["escalated"]) == (raised.alert_id, True)


def test_an_escalation_may_go_to_a_topic_of_its_own(told, later, settings):
    other = client("sns").create_topic(Name="boss")["TopicArn"]
    client("sns").subscribe(
        TopicArn=other, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:alerts"
    )
    services.raise_alert(LINK)
    told()
    settings.ALERT_ESCALATION_TOPIC_ARN, settings.ALERT_TOPIC_ARN = (
        other,
        "arn:aws:sns:us-east-1:123456789012:gone",
    )
    later(hours=1)
    services.send_due()
    assert len(told()) == 1


def test_what_is_acknowledged_is_not_escalated(told, later, admin_api):
    raised = services.raise_alert(LINK)
    told()
    answer = admin_api.post(f"alerts/{raised.alert_id}/acknowledge").json()
    assert (answer["status"], answer["acknowledged_by"]) == ("acknowledged", str(admin_api.actor))
    later(hours=5)
    services.send_due()
    assert told() == []
    assert admin_api.post(f"alerts/{raised.alert_id}/acknowledge").status_code == 409


def test_once_it_is_over_it_is_sent_again(told, admin_api):
    raised = services.raise_alert(LINK)
    services.raise_alert(LINK)
    assert admin_api.post(f"alerts/{raised.alert_id}/end").json()["status"] == "over"
    with pytest.raises(AlertSettled):
        services.end(raised.alert_id, actor=TESTS)
    again = services.raise_alert(LINK)
    assert (again.status, again.escalated_at, len(told())) == (AlertStatus.OPEN, None, 2)


@pytest.mark.parametrize(
    ("begins", "ends", "hour", "quiet"),
    [
        (22, 6, 23, True),
        (22, 6, 5, True),
        (22, 6, 6, False),
        (8, 18, 12, True),
        (8, 18, 20, False),
        (0, 0, 0, False),
    ],
)
def test_quiet_hours_may_span_midnight(settings, monkeypatch, begins, ends, hour, quiet):
    settings.ALERT_QUIET_FROM, settings.ALERT_QUIET_UNTIL = begins, ends
    at(hour, monkeypatch)
    assert services.is_quiet() is quiet


def test_in_quiet_hours_only_what_is_critical_is_sent_and_the_rest_after_them(told, settings, monkeypatch):
    settings.ALERT_QUIET_FROM, settings.ALERT_QUIET_UNTIL = 22, 6
    at(23, monkeypatch)
    services.raise_alert(Noticed(STOCK_LOW, "stock"))
    services.send_due()
    assert told() == []
    services.raise_alert(LINK)
    assert [message["condition"] for message in told()] == ["link-compromised"]
    at(7, monkeypatch)
    services.send_due()
    assert [message["condition"] for message in told()] == ["stock-low"]


def test_a_test_arrives_each_time_and_whenever(told, settings, monkeypatch, admin_api):
    settings.ALERT_QUIET_FROM, settings.ALERT_QUIET_UNTIL = 22, 6
    at(23, monkeypatch)
    for _ in range(2):
        answer = admin_api.post("alert-tests")
        assert (answer.status_code, answer.json()["condition"]) == (200, TEST.name)
        assert answer.json()["sent_at"]
    assert [message["condition"] for message in told()] == ["test", "test"]


def test_what_is_stuck_is_an_alert_until_it_is_not(told, monkeypatch):
    stuck = [Stuck("silent jobs (3 in flight)", 3, "Look at the workers.", examples=("a", "b"))]
    monkeypatch.setattr(standstill, "found", lambda: list(stuck))
    services.look()
    stuck[0] = replace(stuck[0], what="silent jobs (2 in flight)")
    services.look()
    (message,) = told()
    assert (message["condition"], message["about"]) == (WAITING.name, "silent jobs")
    assert message["detail"]["count"] == 3
    stuck.clear()
    services.look()
    (found,) = services.listed(limit=5).records
    assert found.status is AlertStatus.OVER


@pytest.mark.django_db
def test_a_message_that_waits_for_a_moment_is_no_alert(told, monkeypatch):
    """The first start of a platform raised one: its own first job had not been taken up yet."""
    waiting = Stuck("messages that wait in JOBS_QUEUE (0 in flight)", 1, "Look.", may_pass=True)
    monkeypatch.setattr(standstill, "found", lambda: [waiting])
    services.look()
    assert told() == []
    services.look()
    assert [message["about"] for message in told()] == ["messages that wait in JOBS_QUEUE"]


ENTRIES = [
    (CaseEvent.OPENED, Outcome.OK, {"severity": "warning", "link": "a"}, "link-anomalous", "a"),
    (CaseEvent.OPENED, Outcome.OK, {"severity": "info", "link": "a"}, None, None),
    (AuditEvent.VERIFIED, Outcome.FAILED, {"problems": 2}, "trail-tampered", "platform"),
    (AuditEvent.VERIFIED, Outcome.OK, {}, None, None),
    (
        SignInEvent.REFUSED,
        Outcome.DENIED,
        {"count": 20, "source": "192.0.2.1"},
        "sign-in-attack",
        "192.0.2.1",
    ),
    (SignInEvent.KEY_REFUSED, Outcome.DENIED, {"count": 19, "source": "192.0.2.1"}, None, None),
    (SignInEvent.REFUSED, Outcome.DENIED, {"count": "many"}, None, None),
    (StockEvent.WITHDRAWN, Outcome.OK, {}, "session-key-unusable", "s1"),
    (FileEvent.DAMAGED, Outcome.FAILED, {}, "file-damaged", "f1"),
    (FileEvent.READ, Outcome.OK, {}, None, None),
    (DeliveryEvent.DIFFERS, Outcome.FAILED, {"link": "metro", "pieces": ["s1-0"]}, "keys-differ", "metro"),
]


@pytest.mark.parametrize(("what", "outcome", "detail", "condition", "about"), ENTRIES)
def test_entries_tell_what_somebody_has_to_know(aws, what, outcome, detail, condition, about):
    ids = (
        {"file_id": "f1"}
        if what is FileEvent.DAMAGED
        else {"session_id": "s1"}
        if what is StockEvent.WITHDRAWN
        else {}
    )
    audit.record(TESTS, what, outcome=outcome, **ids, **detail)
    (entry,) = audit.entries_page(limit=1).records
    noticed = of_entry(entry)
    assert (noticed and noticed.condition.name, noticed and noticed.about) == (condition, about)


def test_every_event_of_a_condition_is_one_that_the_trail_knows():
    known = set(members(Event, modules_named("trail")))
    named = {one.partition(",")[0] for condition in conditions.CONDITIONS for one in condition.events}
    assert named <= known
    assert set(conditions.TOLD) == set(Urgency)


def test_who_may_look_and_who_may_act(aws):
    raised = services.raise_alert(LINK)
    assert Api(Role.VIEWER).get("alerts?status=open").json()["items"][0]["alert_id"] == raised.alert_id
    assert Api(Role.VIEWER).post(f"alerts/{raised.alert_id}/acknowledge").status_code == 403
    assert Api(Role.CLIENT).get("alerts").status_code == 403
    assert Api(Role.OPERATOR).post(f"alerts/{raised.alert_id}/acknowledge").status_code == 200
    assert Api(Role.VIEWER).get("alerts/none").status_code == 404


@requirement("I10")
def test_an_alert_that_somebody_silenced_in_the_table_is_not_believed(aws):
    raised = services.raise_alert(LINK)
    AlertTable(alert_id=raised.alert_id).update([AlertTable.status.set(AlertStatus.OVER)])
    with pytest.raises(RecordForged):
        services.find(raised.alert_id)


@requirement("I10")
def test_whoever_spoils_an_alert_s_row_silences_neither_it_nor_what_follows(told):
    kept = services.raise_alert(LINK)
    told()
    AlertTable(alert_id=kept.alert_id).update([AlertTable.status.set(AlertStatus.ACKNOWLEDGED)])
    for link in ("metro", "other"):
        audit.record(TESTS, CaseEvent.OPENED, case_id="case-2", link=link, severity="critical")
    handler(event(records()), None)
    assert sorted(message["about"] for message in told()) == ["metro", "other"]


@pytest.mark.usefixtures("aws", "few")
class TestManyOfACondition:
    """What a lost bucket, or an attack from everywhere, brings is no flood that buries the rest."""

    @pytest.fixture
    def few(self, monkeypatch):
        monkeypatch.setattr(services, "APART", 3)

    def damaged(self, *numbers):
        for number in numbers:
            services.raise_alert(Noticed(DAMAGED, f"file-{number}", {"file_id": f"file-{number}"}))
        return {one.about: one for one in services.listed(limit=100).records}

    def test_all_that_come_later_are_one_alert(self, told):
        found = self.damaged(*range(10))
        assert set(found) == {"file-0", "file-1", "file-2", MANY}
        assert found[MANY].detail == {"file_id": "file-3"}, "an example"
        assert sorted(message["about"] for message in told()) == ["file-0", "file-1", "file-2", MANY]

    def test_other_conditions_are_told_apart(self, told):
        self.damaged(*range(10))
        services.raise_alert(LINK)
        assert "metro" in {message["about"] for message in told()}

    def test_who_takes_some_on_is_not_told_of_the_next_one_by_one(self):
        found = self.damaged(*range(5))
        for one in found.values():
            services.acknowledge(one.alert_id, actor=TESTS)
        assert set(self.damaged(*range(5, 10))) == set(found)

    def test_once_that_alert_is_over_each_is_told_again(self):
        for one in self.damaged(*range(5)).values():
            services.end(one.alert_id, actor=TESTS)
        found = self.damaged(7)
        assert found["file-7"].status is AlertStatus.OPEN
        assert found[MANY].status is AlertStatus.OVER

    def test_what_was_told_of_before_stays_an_alert_of_its_own(self):
        self.damaged(*range(5))
        before = services.find(services.id_of(Noticed(DAMAGED, MANY))).times
        self.damaged(0)
        assert services.find(services.id_of(Noticed(DAMAGED, MANY))).times == before

    def test_what_a_check_finds_is_never_put_together(self):
        """It ends each alert by what that is about."""
        for number in range(5):
            services.raise_alert(Noticed(WAITING, f"thing {number}"))
        assert len(services.listed(limit=100).records) == 5

    @requirement("I10")
    def test_whoever_spoils_its_row_silences_nothing(self, told):
        self.damaged(*range(4))
        told()
        spoiled = AlertTable(alert_id=services.id_of(Noticed(DAMAGED, MANY)))
        spoiled.update([AlertTable.status.set(AlertStatus.ACKNOWLEDGED)])
        services.raise_alert(Noticed(DAMAGED, "file-8"))
        assert [message["about"] for message in told()] == [MANY]
