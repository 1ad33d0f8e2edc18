"""Health is public and says no more than up or not (E5)."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from types import SimpleNamespace

import pytest
from django.test import Client

from apps.access import onlookers
from apps.access.roles import Role
from apps.common import aws as clients
from apps.common import clock, health, standstill, turns
from apps.common.health import Probe
from apps.common.scheduling import Schedule
from apps.keys import services as keys
from apps.keys.store import PoolKeyTable
from apps.links import services as links
from apps.links import transitions
from apps.links.records import LinkState
from apps.sessions import refilling, tasks
from apps.sessions import stock as refills
from apps.sessions.store import KeyBlockTable
from tests import requirement
from tests.conftest import TESTS, Api
from tests.faults import counted
from tests.queues import into
from tests.waiting import LIMIT_SECONDS, wait_for

READY = "/api/v1/health/ready"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """Nothing is known yet; and what answers at last is waited for, however slow the machine."""
    monkeypatch.setattr(health, "PROBE_SECONDS", LIMIT_SECONDS)
    monkeypatch.setattr(onlookers, "ASK_SECONDS", LIMIT_SECONDS)
    health.forget()
    standstill.forget()
    onlookers._seen.clear()


def silent(answer):
    return {check["name"] for check in answer.json()["checks"] if not check["ok"]}


@requirement("E5", "I8")
def test_liveness_asks_nothing_of_anyone(aws):
    with counted() as calls:
        answer = Client().get("/api/v1/health", headers={"X-API-Key": "not a key"})
    assert answer.status_code == 200
    assert set(answer.json()) == {"status", "version"}
    assert calls == []


@requirement("E5")
@pytest.mark.django_db
def test_readiness_asks_every_dependency(stock, api):
    answer = api.get("health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert {check["name"] for check in answer.json()["checks"]} == set(health.declared())
    assert all(set(check) == {"name", "ok"} for check in answer.json()["checks"])
    timed = Api(Role.VIEWER).get("health/ready").json()["checks"]
    assert all(check["milliseconds"] >= 0 for check in timed), "how long each took, for who may see metrics"


@requirement("E5", "I8")
@pytest.mark.django_db
def test_readiness_names_what_fails_and_not_why(stock, api):
    PoolKeyTable.delete_table()
    answer = api.get("health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert {"tables", "pool_keys"} <= silent(answer)
    assert all(set(check) == {"name", "ok"} for check in answer.json()["checks"])


@requirement("E5", "D4")
@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "not a key", "a.b"])
def test_who_shows_no_key_learns_whether_it_is_ready_and_nothing_more(stock, key):
    answer = Client().get(READY, headers={"X-API-Key": key} if key else {})
    assert (answer.status_code, set(answer.json())) == (200, {"status", "version"})


@requirement("E5")
@pytest.mark.django_db
@pytest.mark.parametrize("missing", ["quantum_keys", "pool_keys"])
def test_it_is_not_ready_while_nothing_can_be_encrypted(stock, pool, api, missing):
    if missing == "quantum_keys":
        for block in KeyBlockTable.scan():
            block.delete()
    else:
        for key in pool:
            PoolKeyTable.get(key.key_id).delete()
    answer = api.get("health/ready")
    assert answer.status_code == 503
    assert silent(answer) == {missing}


@requirement("E5")
@pytest.mark.django_db
def test_it_tells_that_it_can_encrypt_and_asks_nothing_more_for_that(stock, api, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(health, "outlook", asked.append)
    encrypting = api.get("health/ready").json()["encrypting"]
    assert encrypting == {"possible": True, "expected_at": None, "missing": []}
    assert asked == [], "what is ready has no outlook"


def missing(api):
    health.forget()
    told = api.get("health/ready").json()["encrypting"]
    assert told["possible"] is False
    (one,) = told["missing"]
    assert told["expected_at"] == one["expected_at"]
    return one


def without_quantum_keys():
    for block in KeyBlockTable.scan():
        block.delete()


def seconds_until(one):
    return (datetime.fromisoformat(one["expected_at"]) - clock.now()).total_seconds()


@requirement("E5")
@pytest.mark.django_db
def test_without_quantum_keys_it_tells_the_refill_that_is_under_way(stock, api, monkeypatch, settings):
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into([]))
    without_quantum_keys()
    nothing = missing(api)
    assert (nothing["name"], nothing["refilling"], nothing["expected_at"]) == ("quantum_keys", False, None)
    assert "next refill" in nothing["why"], "no schedule has come yet: nobody knows when it will"
    assert refilling.refill_later() > 0
    queued = missing(api)
    assert (queued["refilling"], "under way" in queued["why"]) == (True, True)
    assert 0 < seconds_until(queued) <= settings.STOCK_LEAD_SECONDS
    assert refills.refill() > 0
    judged = missing(api)
    assert (judged["refilling"], "verdict" in judged["why"]) == (True, True)
    assert 0 < seconds_until(judged) <= 120


@requirement("E5")
@pytest.mark.django_db
def test_without_quantum_keys_it_tells_the_next_schedule_or_who_stopped_it(stock, api, later):
    without_quantum_keys()
    turn = turns.take(Schedule.REFILL, refills.REFILLED)
    assert turn is not None
    turns.end(turn, tried=(), is_whole=True, failed=False)
    due = missing(api)
    assert (due["refilling"], 0 < seconds_until(due) <= 300 + 120) == (False, True)
    later(minutes=11)
    assert missing(api)["expected_at"] is None, "a schedule that was left out is not counted on"
    transitions.move(links.STOCK, LinkState.PAUSED, reason="x", actor=TESTS)
    stopped = missing(api)
    assert (stopped["expected_at"], "paused" in stopped["why"]) == (None, True)


@requirement("E5", "A10")
@pytest.mark.django_db
def test_keys_that_a_case_holds_back_are_none_to_encrypt_with(stock, api):
    transitions.quarantine(links.STOCK, case_id="case-1", reason="Eve", actor=TESTS)
    assert api.post("encrypt", {"plaintext": "x"}).status_code == 503
    held = missing(api)
    assert (held["name"], "quarantined" in held["why"]) == ("quantum_keys", True)
    transitions.release(links.STOCK, case_id="case-1", reason="it was a fibre", actor=TESTS)
    assert api.post("encrypt", {"plaintext": "x"}).status_code == 200


@requirement("E5")
@pytest.mark.django_db
def test_with_an_empty_pool_it_tells_the_next_schedule(stock, pool, api, later):
    for key in pool:
        PoolKeyTable.get(key.key_id).delete()
    turn = turns.take(Schedule.REFILL, keys.REFILLED)
    assert turn is not None
    making = missing(api)
    assert (making["name"], making["refilling"]) == ("pool_keys", True)
    turns.end(turn, tried=(), is_whole=True, failed=False)
    due = missing(api)
    assert (due["refilling"], 0 < seconds_until(due) <= 300) == (False, True)


@requirement("E5")
@pytest.mark.django_db
def test_what_fails_while_it_looks_for_an_outlook_is_told_as_silent(stock, api, monkeypatch):
    def fail():
        raise RuntimeError("the endpoint is http://secret")

    without_quantum_keys()
    monkeypatch.setattr("apps.sessions.readiness.OUTLOOKS", {"quantum_keys": fail})
    one = missing(api)
    assert (one["why"], one["refilling"], one["expected_at"]) == (health.SILENT.why, False, None)


@requirement("E5")
@pytest.mark.django_db
def test_it_is_not_ready_with_another_root_key(stock, api, settings, tmp_path):
    from apps.common.root_keys import configured

    settings.ROOT_KEY = f"local:{tmp_path / 'root.key'}"
    configured.root_key.cache_clear()
    answer = api.get("health/ready")
    configured.root_key.cache_clear()
    assert silent(answer) == {"root_key"}


@requirement("E5")
@pytest.mark.django_db
@pytest.mark.parametrize("name", ["JOBS_QUEUE", "CUSTODY_QUEUE"])
def test_it_is_not_ready_without_a_queue_of_jobs(stock, api, settings, name):
    setattr(settings, name, "no-such-queue")
    assert silent(api.get("health/ready")) == {{"JOBS_QUEUE": "queue"}.get(name, "custody_queue")}


@requirement("E5", "C6")
@pytest.mark.django_db
def test_who_sees_all_is_told_what_is_stuck_and_nobody_else(stock, api, admin_api, settings, monkeypatch):
    sqs = clients.client("sqs")
    sqs.create_queue(QueueName=settings.UPLOAD_EVENTS_QUEUE)
    url = sqs.get_queue_url(QueueName=settings.DEAD_LETTER_QUEUE)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="somebody's")
    monkeypatch.setattr("apps.access.api.health.STANDSTILL_SECONDS", LIMIT_SECONDS)
    answer = admin_api.get("health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok"), (
        "what is stuck does not make it unready"
    )
    told = answer.json()["standstill"]
    assert [(one["what"], one["count"], set(one)) for one in told["stuck"]] == [
        ("dead letters", 1, {"what", "count", "since", "action"})
    ]
    assert "redrive" in told["stuck"][0]["action"]
    assert "standstill" not in api.get("health/ready").json()
    assert "standstill" not in Client().get(READY).json()


@requirement("E5", "I11")
@pytest.mark.django_db
def test_readiness_does_not_wait_for_what_is_stuck(stock, admin_api, monkeypatch):
    release = threading.Event()

    def hang():
        release.wait(LIMIT_SECONDS)
        return []

    monkeypatch.setattr(standstill, "_watch", standstill.Watch(hang))
    answer = admin_api.get("health/ready")
    assert not release.is_set()
    release.set()
    assert (answer.status_code, answer.json()["standstill"]) == (200, None)


@requirement("E5")
@pytest.mark.django_db
def test_a_known_caller_sees_the_names_while_the_tables_hang(stock, api, monkeypatch):
    assert "checks" in api.get("health/ready").json()

    release = threading.Event()

    def hang(*_, **__):
        release.wait(LIMIT_SECONDS)

    monkeypatch.setattr("apps.access.api_keys.authenticate", hang)
    monkeypatch.setattr(onlookers, "ASK_SECONDS", 0.1)
    assert "checks" in api.get("health/ready").json()
    assert "checks" not in Client().get(READY, headers={"X-API-Key": "another.one"}).json()
    assert not release.is_set(), "nobody waited for the tables"
    release.set()


class Slow:
    """A check that takes until it is released, and counts how often it is asked and by how many at once."""

    def __init__(self, *, released=False):
        self.asked, self.at_once, self.most = 0, 0, 0
        self.release = threading.Event()
        if released:
            self.release.set()

    def __call__(self):
        self.asked += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.release.wait(LIMIT_SECONDS)
        self.at_once -= 1


@requirement("E5", "I11")
def test_one_probe_serves_all_who_ask_and_counts_for_a_second(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: now[0]))
    check = Slow()
    probe = Probe(lambda: {"slow": check})
    with ThreadPoolExecutor(12) as pool:
        asking = [pool.submit(probe.ask) for _ in range(12)]
        wait_for(lambda: check.asked)
        check.release.set()
        answers = [one.result() for one in asking]
    assert len(answers) == 12
    assert check.asked == 1
    now[0] += health.KEPT_SECONDS - 0.01
    probe.ask()
    assert check.asked == 1
    now[0] += 0.01
    probe.ask()
    assert check.asked == 2


@requirement("E5", "I11")
def test_it_ends_in_time_whatever_hangs_and_never_asks_twice_what_hangs(monkeypatch):
    """Time passes where an answer does not come, and nowhere else."""
    hanging, well, waits = Slow(), Slow(released=True), []

    class Answer(Future[health.Check]):
        def __init__(self):
            super().__init__()
            self.hangs = "hanging" not in probe._running and not hanging.release.is_set()

        def result(self, timeout=None):
            waits.append(timeout)
            return super().result(0 if self.hangs else LIMIT_SECONDS)

    monkeypatch.setattr(health, "Future", Answer)
    monkeypatch.setattr(health, "KEPT_SECONDS", 0.0)
    probe = Probe(lambda: {"hanging": hanging, "well": well})
    for _ in range(4):
        checks = {check.name: check.ok for check in probe.ask()}
        assert checks == {"hanging": False, "well": True}
    wait_for(lambda: hanging.asked)
    assert (hanging.asked, hanging.most, well.asked) == (1, 1, 4)
    assert max(waits) <= health.PROBE_SECONDS, "nobody is waited for beyond"
    hanging.release.set()
    wait_for(lambda: "hanging" not in probe._running)
    assert all(check.ok for check in probe.ask())
