"""Fixtures for all tests: AWS in process, with the platform's tables and buckets."""

import gc
import itertools
import json
import os
import pickle
import random
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from botocore.client import BaseClient
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import clear_script_prefix
from hypothesis import HealthCheck
from hypothesis import settings as drawn
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends
from urllib3 import Timeout

from apps.access import api_keys as access
from apps.access import onlookers, tokens
from apps.access.authentication import as_actor
from apps.access.roles import Role
from apps.access.throttles import Throttle
from apps.audit import writing
from apps.audit.records import system
from apps.common import clock, health, idempotency, preconditions, standstill, tracing
from apps.common.caching import TimedCache
from apps.common.dynamodb import all_tables
from apps.detections import services as detections
from apps.following import services as following
from apps.keys import services as keys
from apps.keys import slots
from apps.keys.records import PoolKey
from apps.kme import expiring, transport
from apps.kme.sites import asking
from apps.metrics import sinks
from apps.notices import sending
from apps.notices import services as notices
from apps.sessions import leases, refilling, shares
from apps.sessions import services as sessions
from apps.sessions.records import Session
from qkd import randomness
from qkdplatform import celery  # noqa: F401 - before any test: a task that one changes is then that of one application
from tests import aws_calls
from tests.fault_table import each_call, pytest_terminal_summary  # noqa: F401 - a fixture and a hook
from tests.moto_answers import fast_answers
from tests.moto_glue import fast_glue
from tests.moto_sizes import fast_sizes
from tests.moto_transactions import fast_transactions
from tests.moto_within import is_within, set_aside
from tests.waiting import LIMIT_SECONDS

aws_calls.install()
# By no clock; and where a run decides whether a change lands, the same draws each time. `make slow` draws others.
drawn.register_profile("random", deadline=None, suppress_health_check=[HealthCheck.too_slow])
drawn.register_profile("same", drawn.get_profile("random"), derandomize=True, database=None)
TESTS = system("tests")
ACCOUNT = "123456789012"  # moto's
BUCKETS = (
    settings.UPLOADS_BUCKET,
    settings.ENCRYPTED_BUCKET,
    settings.DOWNLOADS_BUCKET,
    settings.EXPORTS_BUCKET,
)
LONG = {"e2e", "browser", "stack"}  # folders whose tests start processes
SLOW_SECONDS = (
    1800  # of one slow test, unless it says so itself: it hangs, then, also on a machine that is very busy
)
_caches: list[TimedCache[Any]] = []
NEVER = 1e9  # seconds
HALF_PAST = 1_800_000_030.0  # seconds since the epoch: half a minute has passed
_blank_tables = b""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no worker ends minutes after the others; give slow tests their time.

    The limit of the others ended tables of failing calls in their midst.
    """
    items.sort(key=lambda item: item.path.parent.name not in LONG)  # as they were, otherwise
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))


@contextmanager
def empty_aws() -> Iterator[None]:
    """An empty AWS in process (moto) with every table of the platform.

    One call at a time, as each call is atomic on AWS too; moto itself is not safe for threads.
    """
    one_at_a_time, call = threading.RLock(), BaseClient._make_api_call  # type: ignore[attr-defined]

    def locked(*arguments: object) -> object:
        with one_at_a_time:
            return call(*arguments)

    with (
        mock.patch.object(BaseClient, "_make_api_call", locked),
        _one_alone(),
        mock_aws(),
        fast_transactions(),
        fast_answers(),
        fast_sizes(),
        fast_glue(),
    ):
        writing.known_chains.cache_clear()
        _make_tables()
        _make_buckets_and_queues()
        yield
        _await_asking()
    forget_everything()
    _forget_what_outlives_a_process()


@contextmanager
def _one_alone() -> Iterator[None]:
    """Begin as a process that knows of no other AWS, where a test has one for itself among those that share another."""
    if is_within():
        forget_everything()
        _forget_what_outlives_a_process()
    with set_aside():
        yield


def _await_asking() -> None:
    """Let nobody ask AWS any more who did so in the background: their calls would be another test's."""
    for thread in threading.enumerate():
        if thread.name == "standstill" or thread.name.startswith("ready-"):
            thread.join(LIMIT_SECONDS)


def _forget_what_outlives_a_process() -> None:
    """Drop what else is kept for a while, and would be for ever as no cache grows old here."""
    for kept in _caches:
        kept.clear()
    slots._own, slots._threads = threading.local(), itertools.count()
    asking.forget_rest()
    expiring._noted.clear()
    health.forget()
    standstill.forget()


def _make_tables() -> None:
    """Made once and copied from then on: making them takes longer than most tests."""
    global _blank_tables  # noqa: PLW0603 - of this process
    tables = dynamodb_backends[ACCOUNT][settings.AWS_REGION].tables
    if not _blank_tables:
        for table in all_tables():
            table.create_table(wait=False)
        _blank_tables = pickle.dumps(dict(tables))
    tables.update(pickle.loads(_blank_tables))  # noqa: S301 - our own


def _make_buckets_and_queues() -> None:
    """By moto's own functions: ten calls of a client would take longer than most tests."""
    buckets = s3_backends[ACCOUNT]["aws"]
    for name in (*BUCKETS, settings.CHECKPOINTS_BUCKET):
        bucket = buckets.create_bucket(name, settings.AWS_REGION)
        bucket.object_lock_enabled = name == settings.CHECKPOINTS_BUCKET
        if name in {settings.UPLOADS_BUCKET, settings.ENCRYPTED_BUCKET, settings.CHECKPOINTS_BUCKET}:
            bucket.versioning_status = "Enabled"
    for name in (settings.JOBS_QUEUE, settings.CUSTODY_QUEUE, settings.DEAD_LETTER_QUEUE):
        sqs_backends[ACCOUNT][settings.AWS_REGION].create_queue(name)


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass over all that is there now, and stays: a tenth of the time of the tests."""
    gc.collect()
    gc.freeze()


_draws, _ids = random.Random(), random.Random()
SEEDED: tuple[Any, ...] = (_draws, _ids, random)


def pytest_configure(config: pytest.Config) -> None:
    """Choose how Hypothesis draws, before a test module is imported, and what sessions of the engine and ids are made of.

    Thousands of tests run a session that is to be ready, or go by which of four keys is picked: by a draw of its own
    each time, a clean one would be doubted, or a frame not corrected, as rarely as that is, but at some time.
    """
    by_chance = config.option.markexpr == "slow"
    drawn.load_profile("random" if by_chance else "same")
    if not by_chance:
        vars(randomness)["os"] = SimpleNamespace(urandom=_draws.randbytes)
        vars(uuid)["os"] = SimpleNamespace(**vars(os) | {"urandom": _ids.randbytes})


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let what is drawn for a test be the same in each run; DRAWS names another one."""
    _draw_as(item.nodeid)


def _draw_as(name: str) -> None:
    for one in SEEDED:
        one.seed(os.environ.get("DRAWS", "") + name)


@contextmanager
def drawn_once(name: str) -> Iterator[None]:
    """Draw the same whichever test comes first, for what that makes for all of its process."""
    before = [one.getstate() for one in SEEDED]
    _draw_as(name)
    try:
        yield
    finally:
        for one, state in zip(SEEDED, before, strict=True):
            one.setstate(state)


@pytest.fixture(scope="session", autouse=True)
def _however_slow() -> None:
    """Let nothing depend on how slow the machine is.

    No cache grows old within a test: calls would be made that are not expected. What threads wait for comes at last.
    """
    leases.WAIT_SECONDS = sinks.BUSY_SECONDS = LIMIT_SECONDS
    health.PROBE_SECONDS = onlookers.ASK_SECONDS = LIMIT_SECONDS
    transport.CONNECT_SECONDS = transport.READ_SECONDS = transport.WHOLE_SECONDS = LIMIT_SECONDS
    asking.REST_SECONDS = following.CATCH_UP_SECONDS = notices.AT_ONCE_SECONDS = LIMIT_SECONDS
    shares.SEEN_SECONDS = tokens.ANSWER_SECONDS = LIMIT_SECONDS
    # A process whose tests before took a minute would else refill the stock in the middle of whichever comes next
    refilling.WATCH_SECONDS = NEVER
    refilling._watch = refilling._Watch()
    slots._first = 10  # was drawn before anything was seeded; slots of as many digits are rows of one size
    sending.SECONDS = Timeout(connect=LIMIT_SECONDS, read=LIMIT_SECONDS)
    # Requests are counted anew each minute
    vars(Throttle)["__init__"].__kwdefaults__["clock"] = lambda: HALF_PAST
    for module in [one for name, one in sys.modules.items() if name.startswith("apps.")]:
        for kept in vars(module).values():
            # Not isinstance, which asks a task of Celery for what it stands for
            if type(kept) is TimedCache and kept._clock is time.monotonic:
                kept._clock = lambda: 0.0
                _caches.append(kept)


@pytest.fixture(autouse=True)
def no_request_left() -> Iterator[None]:
    """Forget what a request left that was not answered to its end: its stage, its id, its claim and its condition."""
    yield
    clear_script_prefix()
    tracing.forget()
    idempotency.end()
    preconditions.end()


@pytest.fixture(autouse=True)
def _no_counts_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Empty the cache that processes share after a test whose requests are committed: no model of Django's stands for it."""
    marked = request.node.get_closest_marker("django_db")
    if marked and marked.kwargs.get("transaction"):
        request.getfixturevalue("transactional_db")  # before this one, so that it is there when this one ends
        yield
        cache.clear()
    else:
        yield


@pytest.fixture
def aws() -> Iterator[None]:
    """An empty AWS, for one test."""
    with empty_aws():
        yield


def forget_everything() -> None:
    """Drop what a process keeps in memory: it goes on as a fresh one, and nothing outlives the AWS of a test."""
    from apps.access import memberships, refusals
    from apps.access.known import callers
    from apps.access.limits import throttle
    from apps.keys import canaries, pools, seeds
    from apps.links import services as links
    from apps.sessions.finals import _kept

    writing.known_chains().heads.clear()
    callers.clear()
    for counts in (refusals.keys, *refusals.OF_PEOPLE):
        counts.forget()
    memberships.forget()
    throttle.cache_clear()
    seeds._kept.clear()
    seeds._whole.clear()
    slots._known.clear()
    keys._picked.clear()
    pools.forget()
    canaries.forget()
    links._known.clear()
    links._held.clear()
    _kept.clear()
    leases.known().clear()
    shares.known().clear()
    refilling._watch = refilling._Watch()


@pytest.fixture(scope="session", autouse=True)
def _root_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A local root key of this run."""
    from apps.common.root_keys import configured

    settings.ROOT_KEY = f"local:{tmp_path_factory.mktemp('root') / 'root.key'}"
    configured.root_key.cache_clear()
    yield
    configured.root_key.cache_clear()


@pytest.fixture
def pool(aws: None) -> list[PoolKey]:
    """A small pool of active keys."""
    return keys.create(4, actor=TESTS)


@pytest.fixture
def stock(pool: list[PoolKey]) -> Session:
    """A ready session with 16 quantum keys."""
    request = sessions.GenerateRequest(key_length=4096, error_rate=0.01, link="stock")
    made = sessions.generate(request, actor=TESTS)
    assert detections.judge(made.session_id, actor=TESTS).outcome == "ready"
    return made


class Api:
    """The API as one client of it sees it."""

    def __init__(self, role: Role) -> None:
        self.client, self.key = access.issue_for_service(role.value, role=role, actor=TESTS)
        self.actor = as_actor(self.client, source_ip="127.0.0.1")

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Call ``/api/v1/<path>``; dictionaries are sent as JSON, bytes and text as they are."""
        content = body if isinstance(body, str | bytes) else json.dumps(body)
        return Client(raise_request_exception=False).generic(
            method,
            f"/api/v1/{path}",
            content if body is not None else b"",
            content_type="application/json",
            headers={"X-API-Key": self.key, **headers},
        )

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, body)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)


@pytest.fixture
def admin_api(aws: None) -> Api:
    """An administrator of the API."""
    return Api(Role.ADMINISTRATOR)


@pytest.fixture
def api(aws: None) -> Api:
    """A client that sees its own records only."""
    return Api(Role.CLIENT)


@pytest.fixture
def admin_client(aws: None, admin_client: Client) -> Client:
    """An administrator of the console; AWS is there first, as signing in leaves an entry in the trail."""
    return admin_client


@pytest.fixture
def other_api(aws: None) -> Api:
    """Another such client."""
    return Api(Role.CLIENT)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Moves the platform's clock forward, by so many days, hours or seconds."""
    offset = [timedelta()]
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + offset[0])

    def by(**span: float) -> None:
        offset[0] += timedelta(**span)

    return by


@pytest.fixture
def mid_month(later: Callable[..., None]) -> None:
    """Let it be about the middle of a month, and of an hour: what is kept by them lies in one of each."""
    moment = clock.now()
    middle = moment.replace(day=15, minute=20, second=0, microsecond=0)
    later(seconds=((middle if middle > moment else middle + timedelta(days=31)) - moment).total_seconds())


@pytest.fixture
def within_half_an_hour(later: Callable[..., None]) -> None:
    """Let no half hour end within a test, and so no day and no month: what it counts by them is in one of each."""
    if (minute := clock.now().minute % 30) >= 20:
        later(minutes=30 - minute)
