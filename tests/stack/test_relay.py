"""The relay: events of AWS's shape, and what happens when the handler fails."""

import json
import threading
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from apps.common import aws as clients
from apps.stack import batches, schedule, streams
from apps.stack.invocation import Entry, LambdaContext, Stopping
from apps.stack.relay import Relay
from tests import requirement
from tests.faults import watched
from tests.waiting import LIMIT_SECONDS

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/sessions/stream/2026-01-01T00:00:00.000"
SECRET = "what the record is about"


class DeadLetters:
    """The real queue, in process."""

    def __init__(self, name):
        self.url = boto3.client("sqs", "us-east-1").create_queue(QueueName=name)["QueueUrl"]

    def all(self):
        answer = boto3.client("sqs", "us-east-1").receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


@pytest.fixture
def dead_letters(settings):
    with mock_aws():
        yield DeadLetters(settings.DEAD_LETTER_QUEUE)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr("apps.stack.invocation.FIRST_WAIT", 0.0)
    monkeypatch.setattr("apps.stack.invocation.ASYNC_WAITS", (0.0, 0.0))


def entry(handler):
    return Entry(handler, threading.Event())


def record(number):
    change = {"SequenceNumber": str(number), "NewImage": {"id": {"S": SECRET}}}
    return {"eventSource": "aws:dynamodb", "eventSourceARN": ARN, "dynamodb": change}


class Handler:
    """Takes records in order; ``poison`` ones fail for ever, ``flaky`` ones that many times."""

    def __init__(self, poison=(), flaky=None, *, reports=True):
        self.poison, self.flaky, self.reports = set(poison), dict(flaky or {}), reports
        self.done = []
        self.calls = []

    def __call__(self, event, _context):
        numbers = [int(r["dynamodb"]["SequenceNumber"]) for r in event["Records"]]
        self.calls.append(numbers)
        for number in numbers:
            if number in self.poison or self.flaky.get(number, 0) > 0:
                self.flaky[number] = self.flaky.get(number, 0) - 1
                if self.reports:
                    return {"batchItemFailures": [{"itemIdentifier": str(number)}]}
                raise ValueError(SECRET)
            self.done.append(number)
        return {"batchItemFailures": []}


def deliver(handler, count=8):
    batches.deliver(entry(handler), [record(n) for n in range(count)], source="stream")


def test_a_clean_batch_is_one_call(dead_letters):
    handler = Handler()
    deliver(handler)
    assert handler.calls == [list(range(8))]


@requirement("G2")
def test_after_a_reported_failure_only_the_rest_is_retried_in_order(dead_letters):
    handler = Handler(flaky={5: 2})
    deliver(handler)
    assert handler.done == list(range(8))
    assert handler.calls == [list(range(8)), [5, 6, 7], [5, 6, 7]]
    assert dead_letters.all() == []


@requirement("G2")
@pytest.mark.parametrize("reports", [True, False])
@pytest.mark.parametrize("poison", [{0}, {3}, {7}, {2, 3}])
def test_a_record_that_always_fails_is_buried_and_the_others_are_done_once_after_it(
    dead_letters, poison, reports
):
    handler = Handler(poison, reports=reports)
    deliver(handler)
    assert sorted(set(handler.done)) == sorted(set(range(8)) - poison)
    last_seen = [number for number in reversed(handler.done) if number > min(poison)]
    assert last_seen == sorted(last_seen, reverse=True)
    if reports:
        assert Counter(handler.done).most_common(1)[0][1] == 1  # nothing that was done is done again
    buried = dead_letters.all()
    assert {int(b["DDBStreamBatchInfo"]["startSequenceNumber"]) for b in buried} == poison
    for document in buried:
        assert document["requestContext"]["approximateInvokeCount"] == batches.MAX_RETRIES + 1
        assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert document["requestPayload"]["Records"][0]["eventSourceARN"] == ARN


@requirement("G2")
def test_a_whole_failure_is_bisected(dead_letters):
    handler = Handler(flaky={6: 3}, reports=False)
    deliver(handler)
    assert [len(call) for call in handler.calls] == [8, 4, 4, 2, 2, 1, 1]
    assert set(handler.done) == set(range(8))


@pytest.mark.parametrize(
    "answer", [{"batchItemFailures": [{"itemIdentifier": "unknown"}]}, {"batchItemFailures": [{}]}]
)
def test_an_answer_that_names_no_record_fails_the_whole_batch(dead_letters, answer):
    answers = [answer, None]
    calls = []

    def handler(event, context):
        calls.append(len(event["Records"]))
        return answers.pop(0)

    batches.deliver(entry(handler), [record(1), record(2)], source="stream")
    assert calls == [2, 2]


@requirement("I2")
def test_failures_are_logged_without_what_they_were_about(dead_letters, caplog):
    deliver(Handler({3}, reports=False))
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text


@requirement("G2", "C1")
def test_an_asynchronous_event_is_tried_three_times_then_buried(dead_letters):
    calls = []

    def handler(event, context):
        calls.append(event)
        raise RuntimeError(SECRET)

    event = {"source": "aws.events"}
    assert not entry(handler).deliver(event, source="schedule")
    assert calls == [event] * 3
    (document,) = dead_letters.all()
    assert document["requestPayload"] == event
    assert document["requestContext"]["condition"] == "RetriesExhausted"
    assert document["responsePayload"] == {"errorType": "RuntimeError", "source": "schedule"}


def full(call, client, operation, arguments):
    """The queue of dead letters takes nothing."""
    if operation == "SendMessage":
        raise ClientError({"Error": {"Code": "OverLimit", "Message": "full"}}, operation)
    return call(client, operation, arguments)


@requirement("C6", "I4")
@pytest.mark.parametrize("reports", [True, False])
def test_while_the_dead_letters_are_full_a_record_that_fails_stays_in_its_stream(dead_letters, reports):
    handler = Handler({3}, reports=reports)
    with watched(full), pytest.raises(ClientError):  # the relay goes on with the same batch a second later
        deliver(handler)
    assert 4 not in handler.done
    deliver(handler)
    assert set(handler.done) == set(range(8)) - {3}
    assert [b["DDBStreamBatchInfo"]["startSequenceNumber"] for b in dead_letters.all()] == ["3"]


@requirement("C6", "I4")
def test_while_the_dead_letters_are_full_a_schedule_that_fails_is_fired_again(dead_letters, monkeypatch):
    monkeypatch.setattr(schedule, "_POLL_SECONDS", 0.01)
    fired: list[str] = []

    def handler(event, context):
        fired.append(event["source"])
        raise RuntimeError(SECRET)

    relay = Relay()
    monkeypatch.setattr("apps.stack.relay.RETRY_SECONDS", 0.0)
    rule, seen = schedule.Rule("sweep", schedule.every(0.0)), []

    def loop():
        seen.append(1)
        if len(seen) == 3:
            relay.stop.set()
        schedule.relay_schedule(entry(handler), rule, relay.stop)

    with watched(full):
        assert relay.run({"sweep": loop}) == 0
    assert len(fired) == 2 * 3, "three attempts of each of two events"


def test_stopping_in_the_middle_leaves_the_event_where_it_was(dead_letters):
    stop = threading.Event()

    def handler(event, context):
        stop.set()
        raise RuntimeError

    with pytest.raises(Stopping):
        Entry(handler, stop).deliver({}, source="upload")
    assert dead_letters.all() == []


def test_a_record_looks_as_lambda_gets_it():
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    change = {
        "ApproximateCreationDateTime": moment,
        "NewImage": {"b": {"B": b"\x00\xff"}, "l": {"BS": [b"a"]}},
    }
    identity = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    event = streams.as_event({"eventID": "1", "dynamodb": change, "userIdentity": identity}, ARN)
    assert event == {
        "eventID": "1",
        "eventSourceARN": ARN,
        "dynamodb": {
            "ApproximateCreationDateTime": moment.timestamp(),
            "NewImage": {"b": {"B": "AP8="}, "l": {"BS": ["YQ=="]}},
        },
        "userIdentity": {"principalId": "dynamodb.amazonaws.com", "type": "Service"},
    }
    json.dumps(event)


def test_the_context_says_what_lambda_says():
    context = LambdaContext()
    assert context.function_name in context.invoked_function_arn
    assert 900 - LIMIT_SECONDS < context.get_remaining_time_in_millis() / 1000 <= 900
    assert context.aws_request_id != LambdaContext().aws_request_id


@requirement("G1", "G2")
@pytest.mark.parametrize("left", ["", "{", "[]", '{"sessions/shard-1": 7}', "\x00\x00"])
def test_damaged_checkpoints_start_from_the_oldest(tmp_path, left, caplog):
    path = tmp_path / "checkpoints.json"
    path.write_text(left)
    assert streams.Checkpoints(path).get("sessions", "shard-1") is None
    assert "reading from the oldest records" in caplog.text
    streams.Checkpoints(path).put("sessions", "shard-1", "42")
    assert streams.Checkpoints(path).get("sessions", "shard-1") == "42"


def test_a_place_that_cannot_be_kept_does_not_end_the_relay(tmp_path, caplog):
    """On a full disk it ended six times in two minutes, and the supervisor gave up all parts with it."""
    places = streams.Checkpoints(tmp_path / "no such folder" / "checkpoints.json")
    places.put("sessions", "shard-1", "42")
    assert places.get("sessions", "shard-1") == "42"
    assert "a place in sessions is not kept" in caplog.text


def test_checkpoints_outlive_the_relay(tmp_path):
    path = tmp_path / "checkpoints.json"
    streams.Checkpoints(path).put("sessions", "shard-1", "42")
    assert streams.Checkpoints(path).get("sessions", "shard-1") == "42"
    streams.Checkpoints(path).put("sessions", "shard-1", None)
    assert streams.Checkpoints(path).get("sessions", "shard-1") is None


@requirement("G1", "B1")
def test_a_stream_is_read_on_from_the_last_settled_record(stack, tmp_path, monkeypatch):
    from tests.stack.test_durability import TABLE, make_table

    monkeypatch.setattr(clients, "client", stack.client)
    make_table(stack)
    put = stack.client("dynamodb").put_item
    seen: list[str] = []

    def handler(event, context):
        seen.extend(r["dynamodb"]["Keys"]["id"]["S"] for r in event["Records"])

    def relay():
        return streams.StreamRelay(TABLE, entry(handler), streams.Checkpoints(tmp_path / "checkpoints.json"))

    put(TableName=TABLE, Item={"id": {"S": "before"}})
    assert relay().poll()
    stack.kill()
    stack.start()
    put = stack.client("dynamodb").put_item
    put(TableName=TABLE, Item={"id": {"S": "after"}})
    again = relay()
    assert again.poll()
    assert not again.poll()
    assert seen == ["before", "after"]
    (tmp_path / "checkpoints.json").write_text(
        json.dumps({f"{TABLE}/{next(iter(again._iterators))}": "1" * 25})
    )
    assert relay().poll()  # a place that is gone: from the oldest record
    assert seen == ["before", "after", "before", "after"]


def test_rates_fire_at_once_and_then_at_their_interval():
    due = schedule.parse("rate(5 minutes)")
    assert due(1000.0, None)
    assert not due(1000.0 + 4 * 60, 1000.0)
    assert due(1000.0 + 5 * 60, 1000.0)


@requirement("C6")
def test_a_schedule_fires_at_its_interval_also_where_the_clock_is_set_back(monkeypatch):
    times, stop = (
        iter([datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]),
        threading.Event(),
    )
    monkeypatch.setattr(schedule, "datetime", SimpleNamespace(now=lambda _: next(times)))
    monkeypatch.setattr(schedule, "_POLL_SECONDS", 0.01)
    seen: list[str] = []

    def handler(event, context):
        seen.append(event["time"])
        if len(seen) == 2:
            stop.set()

    schedule.relay_schedule(entry(handler), schedule.Rule("sweep", schedule.every(0.05)), stop)
    assert seen == ["2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"]


@pytest.mark.parametrize("expression", ["", "rate(5 parsecs)", "cron(0 12 * * ? *)"])
def test_what_is_not_understood_is_said(expression):
    with pytest.raises(schedule.UnknownExpression):
        schedule.parse(expression)


def test_the_rules_of_the_deployment_fire_here(settings):
    plan = schedule.rules(settings.BASE_DIR / "zappa_settings.json", override_seconds=3.0)
    assert {rule.name.rpartition(".")[2] for rule in plan} >= {"sweep"}
    for rule in plan:
        stop = threading.Event()
        seen: list[dict[str, Any]] = []

        def handler(event, context, seen=seen, stop=stop):
            seen.append(event)
            stop.set()

        schedule.relay_schedule(entry(handler), rule, stop)
        assert [event["source"] for event in seen] == ["aws.events"]
        assert seen[0]["resources"][0].rpartition("/")[2] == rule.name


def test_a_defect_of_the_relay_ends_it_and_aws_failures_do_not(monkeypatch, caplog):
    monkeypatch.setattr("apps.stack.relay.RETRY_SECONDS", 0.0)
    from botocore.exceptions import EndpointConnectionError

    relay, failures = Relay(), [EndpointConnectionError(endpoint_url="x"), KeyError("defect")]

    def loop():
        raise failures.pop(0)

    assert relay.run({"streams": loop}) == 1
    assert "cannot go on" in caplog.text


def test_a_relay_that_is_stopped_ends_well():
    relay = Relay()

    def loop():
        relay.stop.set()
        raise Stopping

    assert relay.run({"uploads": loop}) == 0
