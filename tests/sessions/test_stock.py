"""The stock of quantum keys: watched, refilled at a pace (A8)."""

import threading
from collections import Counter
from datetime import timedelta

import pytest

from apps.audit import services as audit
from apps.audit.services import transaction
from apps.common import clock
from apps.files import messages
from apps.jobs import control
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.jobs.running import Work
from apps.links import services as links
from apps.sessions import committing, demand, leases, offering, refilling, shares, stock, tasks
from apps.sessions.records import KeyPurpose, StockLevel
from apps.sessions.trail import QuantumKeyEvent, StockEvent
from tests import requirement
from tests.conftest import TESTS
from tests.queues import into
from tests.sessions.ready import long, ready
from tests.threads import together


@pytest.fixture
def sent(monkeypatch):
    ids: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into(ids))
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
    settings.STOCK_SESSION_PAUSE = 0
    settings.STOCK_LOW_WATER, settings.STOCK_TARGET = 32, 2000
    assert refilling.refill_later() == 2
    assert refilling.refill_later() == 0, "one refill at a time"
    tasks.generate_batch(sent.pop())
    (job,) = jobs.listed_of(stock.REFILLER, limit=5).records
    assert job.state is JobState.SUCCEEDED
    assert 2048 <= stock.stock().pending < 3072
    assert refilling.refill_later() == 0, "what waits for its judgement is counted"
    assert StockEvent.LOW in [entry.event for entry in audit.entries_page(limit=50).records]


@requirement("A8", "I4")
def test_two_runs_of_the_schedule_at_once_queue_one_refill(aws, settings, sent, monkeypatch):
    real = stock.raise_alarm

    def other_run_first(*arguments, **named):
        monkeypatch.setattr(stock, "raise_alarm", real)
        assert refilling.refill_later() > 0  # between the other's look at the jobs and its own job
        real(*arguments, **named)

    monkeypatch.setattr(stock, "raise_alarm", other_run_first)
    assert refilling.refill_later() == 0
    assert len(sent) == len(jobs.listed_of(stock.REFILLER, limit=5).records) == 1


@requirement("A8", "C6")
def test_a_cancelled_refill_is_not_started_again_at_once(aws, settings, sent, monkeypatch):
    refilling.refill_later()
    control.cancel(sent[0], actor=TESTS)
    assert refilling.refill_later() == 0, "who cancelled it meant it"
    later = clock.now() + timedelta(seconds=refilling.REFILL_SECONDS + 1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert refilling.refill_later() > 0
    assert len(set(sent)) == 2


@requirement("A8")
def test_a_refill_runs_at_its_pace(aws, settings, sent, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(Work, "pause", lambda _, seconds: slept.append(seconds))
    settings.STOCK_SESSION_PAUSE = 7.0
    refilling.refill_later()
    tasks.generate_batch(sent.pop())
    assert slept == [7.0, 7.0]


@requirement("A8", "C5")
def test_threads_that_find_the_stock_empty_run_one_session(pool):
    """Eight ran eight."""
    made = together(8, stock.refill)
    assert sorted(made)[:7] == [0] * 7
    assert max(made) >= stock.QUICK_BITS // 256


@requirement("A8", "C5")
def test_so_do_processes(pool, monkeypatch):
    """Each sees no session that waits: the index is late."""
    monkeypatch.setattr(stock, "_running", NoLock())
    monkeypatch.setattr(stock, "pending", lambda _: 0)
    monkeypatch.setattr(stock, "CLAIM_SECONDS", 1e6)  # a thread may come later than it lasts
    assert sum(1 for keys in together(4, stock.refill) if keys) == 1


class NoLock:
    """A lock that keeps nobody out, as that of another process."""

    def acquire(self, *, blocking: bool) -> bool:
        return not blocking

    def release(self) -> None:
        pass


def at(seconds: float, **level) -> float:
    moment = clock.now()
    before = StockLevel("stock", measured_at=moment - timedelta(seconds=seconds), **level)
    return demand.measure(before, ready=100, made=500, moment=moment)


@requirement("A8", "C5")
def test_demand_is_what_left_the_stock(settings):
    assert at(100, ready=1600) == pytest.approx(20), "1600 + 500 - 100 in 100 s"
    assert at(100, ready=0) == pytest.approx(4)
    assert at(60, ready=0, per_second=50.0) == pytest.approx(45), "a wave may come back"
    assert demand.measure(StockLevel("stock"), ready=0, made=0, moment=clock.now()) == 0
    settings.STOCK_LOW_WATER, settings.STOCK_TARGET, settings.STOCK_LEAD_SECONDS = 32, 128, 60
    assert demand.marks(0.0) == demand.Marks(32, 128)
    assert demand.marks(10.0) == demand.Marks(1200, 2400)


@requirement("A8", "C5")
def test_the_stock_is_refilled_by_demand_before_it_is_low(aws, pool, settings, sent, monkeypatch):
    settings.STOCK_LOW_WATER, settings.STOCK_TARGET, settings.STOCK_LEAD_SECONDS = 32, 128, 60
    long(1024)
    begun = clock.now()
    monkeypatch.setattr(clock, "now", lambda: begun)  # however long the takes take here
    assert refilling.refill_later() == 0, "it has plenty"
    for _ in range(30):
        take_one()
    monkeypatch.setattr(clock, "now", lambda: begun + timedelta(seconds=1))
    assert refilling.refill_later() > 0, "30 a second empty it within half a minute"
    events = [str(entry.event) for entry in audit.entries_page(limit=50).records]
    assert StockEvent.LOW not in events, "demand alone is no alarm"


def take_one() -> None:
    offered = offering.offer()
    with transaction(TESTS) as tx:
        committing.take(tx, offered, purpose=KeyPurpose.FILE, subject="x")
        tx.audit(QuantumKeyEvent.RESERVED)
    offering.settle(offered, taken=True)


@requirement("C5")
def test_three_hundred_messages_by_fifty_threads_meet_no_empty_stock(api, pool):
    """14 to 59 of them did."""
    long(1024)
    todo = iter(range(300))
    lock = threading.Lock()

    def encrypt() -> list[int]:
        answers: list[int] = []
        while True:
            with lock:
                if next(todo, None) is None:
                    return answers
            answers.append(api.post("encrypt", {"plaintext": "x"}).status_code)

    answers = [status for statuses in together(50, encrypt) for status in statuses]
    assert Counter(answers) == {200: 300}


@requirement("C5", "I11")
def test_one_principal_leaves_the_last_keys_to_others(api, other_api, pool, settings):
    settings.STOCK_RESERVED = 16
    long(64)  # 16 blocks of 4
    taken = 0
    while api.post("encrypt", {"plaintext": "x"}).status_code == 200:
        taken += 1
    assert 40 <= taken < 64
    refused = api.post("encrypt", {"plaintext": "x"})
    assert (refused.status_code, "kept for others" in refused.json()["detail"]) == (503, True)
    assert [other_api.post("encrypt", {"plaintext": "x"}).status_code for _ in range(10)] == [200] * 10


@requirement("C5", "I11")
def test_whoever_has_no_company_is_not_limited_while_there_are_keys(settings):
    found = shares.Shares()
    for _ in range(100):
        found.gave("service:a")
    found.saw(settings.STOCK_RESERVED)
    assert not found.refuses("service:a")
    found.saw(settings.STOCK_RESERVED - 1)
    assert found.refuses("service:a")
    assert not found.refuses("service:b")
    found.saw(None)
    assert not found.refuses("service:a")


@requirement("A8")
def test_a_process_looks_at_the_stock_once_a_minute_as_it_takes_keys(pool, sent, monkeypatch, settings):
    monkeypatch.setattr(refilling._watch, "next", 0.0)
    settings.STOCK_LOW_WATER, settings.STOCK_TARGET = 2048, 4096
    long(1024)
    messages.encrypt(b"x", actor=TESTS)
    assert len(sent) == 1
    leases.known().clear()
    messages.encrypt(b"x", actor=TESTS)
    assert len(sent) == 1


@requirement("A5", "E1")
def test_a_session_with_no_length_asked_for_encrypts_something(api, pool):
    made = api.post("qkd/generate", {})
    assert (made.status_code, made.json()["keys_total"]) == (201, 16)


@requirement("E1", "I11")
def test_a_session_over_the_limit_becomes_a_job(api, sent, settings):
    """One of 1 Mbit held a thread of eight for 16 seconds."""
    assert settings.GENERATE_LIMIT_SECONDS <= 3
    assert api.post("qkd/generate", {"key_length": 1_048_576}).status_code == 202
    assert len(sent) == 1
