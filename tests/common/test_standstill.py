"""What is stuck is asked for once for all who want to know, and nobody waits for what hangs."""

import threading

import pytest

from apps.common import standstill
from apps.common.standstill import Stuck, Watch
from tests import requirement
from tests.waiting import LIMIT_SECONDS, wait_for

NEVER_OLD = 1e9  # seconds for which an answer counts: whoever asked may have ended before it is waited for


class Asked:
    """Answers once it may, and counts how often it is asked and by how many at once."""

    def __init__(self):
        self.times, self.at_once, self.most = 0, 0, 0
        self.may = threading.Event()

    def __call__(self):
        self.times += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.may.wait(LIMIT_SECONDS)
        self.at_once -= 1
        return [Stuck(f"answer {self.times}", 1, "Look.")]


@pytest.fixture
def asked():
    made = Asked()
    yield made
    made.may.set()


def told(watch, **named):
    known = watch.latest(**named)
    return known and [one.what for one in known.stuck]


@requirement("E5", "I11")
def test_what_hangs_is_asked_once_and_waited_for_by_nobody(asked, monkeypatch):
    monkeypatch.setattr(standstill, "KEPT_SECONDS", 0.0)
    watch = Watch(asked)
    assert [told(watch, wait=0.01) for _ in range(5)] == [None] * 5
    wait_for(lambda: asked.times)
    assert (asked.times, asked.most) == (1, 1)
    monkeypatch.setattr(standstill, "KEPT_SECONDS", NEVER_OLD)
    asked.may.set()
    assert told(watch, wait=LIMIT_SECONDS) == ["answer 1"]


@requirement("E5", "I11")
def test_an_answer_counts_for_a_while_and_an_old_one_until_there_is_a_new_one(asked, monkeypatch):
    monkeypatch.setattr(standstill, "KEPT_SECONDS", NEVER_OLD)
    watch = Watch(asked)
    asked.may.set()
    assert told(watch, wait=LIMIT_SECONDS) == ["answer 1"]
    assert [told(watch, wait=LIMIT_SECONDS) for _ in range(5)] == [["answer 1"]] * 5
    asked.may.clear()
    monkeypatch.setattr(standstill, "KEPT_SECONDS", 0.0)
    assert told(watch, wait=0.01) == ["answer 1"]
    monkeypatch.setattr(standstill, "KEPT_SECONDS", NEVER_OLD)
    asked.may.set()
    assert told(watch, wait=LIMIT_SECONDS) == ["answer 2"]
    assert asked.most == 1


@requirement("E5")
def test_a_watch_whose_asking_failed_asks_again(monkeypatch):
    monkeypatch.setattr(standstill, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    failures = [OSError()]

    def ask():
        if failures:
            raise failures.pop()
        return [Stuck("dead letters", 1, "Look.")]

    watch = Watch(ask)
    assert told(watch, wait=LIMIT_SECONDS) is None
    assert told(watch, wait=LIMIT_SECONDS) == ["dead letters"]
