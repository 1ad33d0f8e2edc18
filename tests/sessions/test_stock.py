"""The stock of quantum keys: watched, refilled at a pace (A8)."""

import json
from datetime import timedelta

import pytest

from apps.audit import services as audit
from apps.common import clock
from apps.common.aws import client
from apps.jobs import control
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.jobs.running import Work
from apps.links import services as links
from apps.sessions import stock, tasks
from apps.sessions.trail import StockEvent
from tests import requirement
from tests.conftest import TESTS
from tests.sessions.ready import ready


@pytest.fixture
def sent(monkeypatch):
    ids: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "delay", ids.append)
    return ids


@requirement("A8")
def test_the_stock_is_counted_by_link(aws, settings):
    for link in ("vienna", "geneva"):
        links.make(link, name=link, actor=TESTS)
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
    (job,) = jobs.listed_of(stock.REFILLER, limit=5).records
    assert job.state is JobState.SUCCEEDED
    assert stock.stock().pending == 128
    assert tasks.refill_later() == 0, "what waits for its judgement is counted"
    assert audit.entries_page(limit=50).records[-1].event == StockEvent.LOW


@requirement("A8", "I4")
def test_two_runs_of_the_schedule_at_once_queue_one_refill(aws, settings, sent, monkeypatch):
    settings.STOCK_TARGET = 128
    real = stock.raise_alarm

    def other_run_first(*arguments, **named):
        monkeypatch.setattr(stock, "raise_alarm", real)
        assert tasks.refill_later() > 0  # between the other's look at the jobs and its own job
        real(*arguments, **named)

    monkeypatch.setattr(stock, "raise_alarm", other_run_first)
    assert tasks.refill_later() == 0
    assert len(sent) == len(jobs.listed_of(stock.REFILLER, limit=5).records) == 1


@requirement("A8", "C6")
def test_a_cancelled_refill_is_not_started_again_at_once(aws, settings, sent, monkeypatch):
    settings.STOCK_TARGET = 128
    tasks.refill_later()
    control.cancel(sent[0], actor=TESTS)
    assert tasks.refill_later() == 0, "who cancelled it meant it"
    later = clock.now() + timedelta(seconds=tasks.REFILL_SECONDS + 1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert tasks.refill_later() > 0
    assert len(set(sent)) == 2


@requirement("A8")
def test_a_refill_runs_at_its_pace(aws, settings, sent, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(Work, "pause", lambda _, seconds: slept.append(seconds))
    settings.STOCK_SESSION_PAUSE, settings.STOCK_TARGET = 7.0, 128
    tasks.refill_later()
    tasks.generate_batch(sent.pop())
    assert slept == [7.0, 7.0]
