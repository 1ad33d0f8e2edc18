"""Throttles over many instances: never over the limit, for a fraction of a call each (E4, I11)."""

import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest
from django.test import Client

from apps.access import limits, store
from apps.access.throttles import Alone, Limit, Lot, Shared, Throttle, Throttled
from tests import requirement
from tests.conftest import Api
from tests.faults import Fault, counted, injected


class Simulation:
    """Instances that share counters, each with requests at a rate of its own; time moves from request to request."""

    def __init__(self, instances: int, limit: Limit, *, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.now, self.calls, self.limit = 600.0, 0, limit
        self.totals = Alone()
        self.skews = [0.0] * instances
        self.instances = [Throttle(self, clock=self.clock_of(number)) for number in range(instances)]
        self.admitted: Counter[int] = Counter()
        self.refused: Counter[int] = Counter()
        self.waits: set[int] = set()

    def clock_of(self, number: int) -> Callable[[], float]:
        return lambda: self.now + self.skews[number]

    def take(self, name: str, tokens: int, *, second: int, limit: Limit) -> Lot:
        self.calls += 1
        lot = self.totals.take(name, tokens, second=second, limit=limit)
        self.calls += 0 < lot.tokens < tokens  # a part of a lot takes a second call
        return lot

    def run(self, rate: float, seconds: float, *, frozen: float = 0.0) -> None:
        """Requests as a Poisson stream over instances; of these a share is frozen at any time, for seconds."""
        until, asleep = self.now + seconds, dict[int, float]()
        # Each sleeps for 2.75 seconds on average, between which it gets rate/instances requests a second
        falls_asleep = frozen / (1 - frozen) / 2.75 * len(self.instances) / rate
        while self.now < until:
            self.now += self.random.expovariate(rate)
            number = self.random.randrange(len(self.instances))
            if asleep.get(number, 0) > self.now:
                continue
            if self.random.random() < falls_asleep:
                asleep[number] = self.now + self.random.uniform(0.5, 5)
                continue
            try:
                self.instances[number].admit("principal|scope", self.limit)
            except Throttled as error:
                self.waits.add(error.retry_after_seconds)
                self.refused[int(self.now)] += 1
            else:
                self.admitted[int(self.now)] += 1


UNLIMITED = Limit(burst=10**6, steady=10**6)


@requirement("E4")
@pytest.mark.parametrize("rate", [20, 50, 200, 1000])
def test_an_instance_at_a_rate_makes_a_tenth_of_a_call_a_request_at_most(rate):
    world = Simulation(1, UNLIMITED)
    world.run(rate, 30)
    assert world.calls <= 0.1 * sum(world.admitted.values()) + 5, "five for the first seconds"


@requirement("E4")
@pytest.mark.parametrize("rate", [0.2, 1, 5, 19])
def test_below_it_makes_one_at_most(rate):
    world = Simulation(1, UNLIMITED)
    world.run(rate, 120)
    assert world.calls <= sum(world.admitted.values())


@requirement("E4", "I11")
@pytest.mark.parametrize("frozen", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("instances", [1, 7, 40])
def test_no_window_admits_more_than_its_limit_whatever_freezes(instances, frozen):
    limit = Limit(burst=60, steady=30)
    world = Simulation(instances, limit, seed=instances)
    world.run(300, 180, frozen=frozen)
    assert max(world.admitted.values()) <= limit.burst
    assert world.waits <= set(range(1, 61))
    minutes: Counter[int] = Counter()
    for second, count in world.admitted.items():
        minutes[second // 60] += count
    assert max(minutes.values()) <= limit.minute
    seconds = [world.admitted[second] for second in range(600, 780)]
    assert max(a + b for a, b in pairwise(seconds)) <= 2 * limit.burst, "as stated: any span"
    assert sum(minutes.values()) >= 0.7 * 3 * limit.minute, "most of what is allowed is given"


@requirement("E4")
def test_clocks_that_differ_move_the_seam_only():
    limit = Limit(burst=50, steady=50)
    world = Simulation(5, limit)
    world.skews = [0.4, -0.4, 0.2, 0, -0.1]
    world.run(400, 60)
    spans = [world.admitted[second] + world.admitted[second + 1] for second in range(600, 659)]
    assert max(spans) <= 4 * limit.burst, "two seconds and twice 0.4 touch four windows"


@requirement("E4", "G6")
def test_refusals_cost_next_to_nothing():
    world = Simulation(10, Limit(burst=10, steady=5))
    world.run(1000, 30)
    assert sum(world.refused.values()) > 25_000
    assert world.calls < 0.05 * sum(world.refused.values())


@requirement("E4", "I11")
def test_one_who_asks_too_much_takes_nothing_from_another():
    world = Simulation(3, Limit(burst=10, steady=10))
    world.run(500, 5)
    for throttle in world.instances:
        assert throttle.admit("another|scope", world.limit).remaining > 0


@pytest.fixture
def limited(settings):
    settings.THROTTLE_BURST, settings.THROTTLE_STEADY = 1000, 1000.0
    settings.THROTTLES = {"files:read": {"burst": 3, "steady": 0.05}}


@requirement("E4")
def test_an_api_caller_is_told_its_limits_and_when_to_come_back(api: Api, other_api: Api, limited):
    answers = [api.get("files") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0]["RateLimit-Policy"] == '"burst";q=3;w=1, "steady";q=3;w=60'
    assert [answer["RateLimit"].partition(";t=")[0] for answer in answers[:3]] == [
        '"steady";r=2', '"steady";r=1', '"steady";r=0',
    ]  # fmt: skip
    assert 1 <= int(answers[3]["Retry-After"]) <= 60
    assert answers[3].json()["type"].endswith("too-many-requests")
    assert api.get("jobs").status_code == 200, "another scope"
    told = {one.pop("scope"): one for one in api.get("whoami").json()["limits"]}
    assert told["files:read"] == {"per_second": 3, "per_minute": 3}
    assert other_api.get("files").status_code == 200, "another principal"


@requirement("E4", "G6")
def test_a_message_costs_three_calls_at_most_with_throttling(api: Api, stock, limited):
    for number in range(3):
        api.call("POST", "encrypt", {"plaintext": "x"}, IDEMPOTENCY_KEY=f"{number}")
    with counted() as calls:
        assert api.call("POST", "encrypt", {"plaintext": "x"}, IDEMPOTENCY_KEY="k").status_code == 200
    assert len(calls) <= 4, calls
    assert calls.count("UpdateItem") <= 1


@requirement("E4", "I11")
@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.THROTTLED])
def test_where_the_counters_do_not_answer_each_process_counts_for_itself(api: Api, limited, fault):
    api.get("jobs")  # which also notes that the key was used
    with injected(fault, operation="UpdateItem"):
        assert api.get("files").status_code == 200
    assert limits.throttle()._counts._alone._totals  # type: ignore[attr-defined]


@requirement("E4", "E3")
def test_a_source_that_fails_to_authenticate_has_to_wait_and_known_callers_do_not(api: Api, settings):
    settings.FAILED_AUTHENTICATIONS = 5
    assert api.get("files").status_code == 200
    statuses = [
        Client().get("/api/v1/files", headers={"X-API-Key": f"qks{n:016x}abcdef01.guess"}).status_code
        for n in range(8)
    ]
    assert statuses[:5] == [401] * 5
    assert set(statuses[5:]) == {429}
    with counted() as calls:
        Client().get("/api/v1/files", headers={"X-API-Key": "qks0000000000000000abcdef01.guess"})
    assert calls == [], "nothing is looked up for it"
    assert api.get("files").status_code == 200, "from the same address"
    elsewhere = Client(REMOTE_ADDR="198.51.100.7").get(
        "/api/v1/files", headers={"X-API-Key": "qks00abcdef01.x"}
    )
    assert elsewhere.status_code == 401


@requirement("E4")
@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "source|192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "source|2001:db8:1:2::/64"),
        ("", "source|unknown"),
    ],
)
def test_a_source_is_what_one_household_has(address, source):
    assert limits._source(address) == source


@requirement("E4")
def test_counters_are_kept_per_second_and_minute_within_the_limit(aws):
    limit = Limit(burst=7, steady=0.2)
    assert store.add_tokens("x", 5, 119, limit) == (True, 5, 5)
    assert store.add_tokens("x", 2, 119, limit) == (True, 7, 7)
    assert store.add_tokens("x", 1, 119, limit) == (False, 7, 7)
    assert store.add_tokens("x", 5, 118, limit) == (True, 5, 12)
    assert store.add_tokens("x", 1, 117, limit) == (False, 0, 12), "the minute is used up"
    assert store.add_tokens("x", 3, 120, limit) == (True, 3, 3)
    shared = Shared(store.add_tokens)
    assert shared.take("y", 9, second=1, limit=limit).tokens == 7, "no more than fits"
