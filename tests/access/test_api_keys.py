"""API keys: shown once, kept as a keyed hash, refused as soon as they are revoked."""

import hashlib
import hmac
import time

import pytest
from django.test import Client

from apps.access import api_keys as services
from apps.access.known import CACHE_SECONDS, callers
from apps.access.records import KeyStatus
from apps.access.roles import Role
from apps.access.store import ApiKeyTable
from apps.common.errors import Refused, Unauthenticated
from tests import requirement
from tests.conftest import TESTS
from tests.tables import everything, rows


@pytest.fixture
def issued(aws):
    return services.issue_for_service("a program", role=Role.CLIENT, actor=TESTS)


@pytest.fixture
def wall(monkeypatch):
    """A clock that only moves when told to."""

    class Wall:
        now = time.monotonic()

        def pass_seconds(self, seconds):
            self.now += seconds

    clock = Wall()
    monkeypatch.setattr(callers, "_clock", lambda: clock.now)
    return clock


def asked_with(key):
    headers = {} if key is None else {"X-API-Key": key}
    return Client().get("/api/v1/files", headers=headers)


@requirement("E3", "I9")
def test_nobody_gets_in_without_a_key(aws):
    answer = asked_with(None)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("ApiKey")


@requirement("E3", "I9")
def test_the_issued_key_gets_in(issued):
    assert asked_with(issued[1]).status_code == 200


@requirement("E3", "I8")
def test_a_refusal_does_not_say_what_was_wrong(issued):
    client, key = issued
    other, other_key = services.issue_for_service("other", role=Role.CLIENT, actor=TESTS)
    services.revoke(other.key_id, reason="leaked", actor=TESTS)
    wrong = [
        other_key,
        key[:-1] + ("A" if key[-1] != "A" else "B"),
        f"{client.key_id}.{other_key.partition('.')[2]}",
        f"{client.key_id}.{client.key.secret_hash}",
        "qk0000000000000000.secret",
        "nonsense",
        ".",
        "." + key,
        client.key_id + ".",
        key + "\t",
        key.upper(),
        key + "x" * 300,
        "ключ.key".encode().decode("latin-1"),
    ]
    answers = [asked_with(key) for key in wrong]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1


@requirement("E3", "E7")
def test_only_a_keyed_hash_of_the_key_is_kept(issued, settings):
    client, key = issued
    secret = key.partition(".")[2]
    kept = str(rows(ApiKeyTable.Meta.table_name)) + str(everything(but=set()))
    assert secret not in kept
    expected = hmac.new(settings.API_KEY_PEPPER.encode(), key.encode(), hashlib.sha256).hexdigest()
    assert services.find(client.key_id).secret_hash == expected
    assert hashlib.sha256(key.encode()).hexdigest() != expected, "without the pepper the table proves nothing"


@requirement("E3")
def test_keys_are_long_and_never_the_same(aws):
    keys = {services.issue_for_service("x", role=Role.VIEWER, actor=TESTS)[1] for _ in range(5)}
    assert len(keys) == 5
    assert all(len(key.partition(".")[2]) == 43 for key in keys), "256 bits in base64"


@requirement("E3")
def test_the_key_is_compared_in_constant_time(issued, monkeypatch):
    compared = []

    def compare_digest(kept, given):
        compared.append(kept)
        return kept == given

    monkeypatch.setattr("apps.access.api_keys.hmac.compare_digest", compare_digest)
    with pytest.raises(Unauthenticated):
        services.authenticate(issued[1] + "x", source_ip="127.0.0.1")
    assert compared == [issued[0].key.secret_hash]


@requirement("E3")
def test_a_revoked_key_is_refused_at_once(issued):
    client, key = issued
    assert asked_with(key).status_code == 200
    services.revoke(client.key_id, reason="leaked", actor=TESTS)
    assert asked_with(key).status_code == 401


@requirement("E3")
def test_another_process_refuses_a_revoked_key_after_its_cache_time_however_often_it_is_used(issued, wall):
    client, key = issued
    services.authenticate(key, source_ip="127.0.0.1")
    known = dict(callers._items)
    services.revoke(client.key_id, reason="leaked", actor=TESTS)
    assert known
    callers._items.update(known)  # what another process still remembers
    for _ in range(3):
        services.authenticate(key, source_ip="127.0.0.1")
        wall.pass_seconds(CACHE_SECONDS / 4)
    wall.pass_seconds(CACHE_SECONDS / 4 + 0.1)
    with pytest.raises(Unauthenticated):
        services.authenticate(key, source_ip="127.0.0.1")


@requirement("E3")
def test_who_shows_a_wrong_secret_is_not_remembered(issued):
    with pytest.raises(Unauthenticated):
        services.authenticate(issued[0].key_id + ".wrong", source_ip="127.0.0.1")
    assert len(callers) == 0


@requirement("E3")
def test_what_is_remembered_is_bounded(issued, monkeypatch):
    monkeypatch.setattr(callers, "_max_items", 2)
    for _ in range(4):
        services.authenticate(
            services.issue_for_service("x", role=Role.CLIENT, actor=TESTS)[1], source_ip="127.0.0.1"
        )
    assert len(callers) == 2


@requirement("E3")
def test_a_client_is_revoked_once(issued):
    services.revoke(issued[0].key_id, reason="leaked", actor=TESTS)
    with pytest.raises(Refused):
        services.revoke(issued[0].key_id, reason="leaked", actor=TESTS)
    assert services.find(issued[0].key_id).status is KeyStatus.REVOKED


@requirement("E3", "E7")
def test_keys_of_the_previous_pepper_are_accepted_while_it_is_rotated(aws, settings):
    _, before = services.issue_for_service("a", role=Role.CLIENT, actor=TESTS)
    settings.API_KEY_PEPPER_PREVIOUS, settings.API_KEY_PEPPER = [settings.API_KEY_PEPPER], "another"
    _, after = services.issue_for_service("b", role=Role.CLIENT, actor=TESTS)
    names = [services.authenticate(key, source_ip="127.0.0.1").principal.name for key in (before, after)]
    assert names == ["a", "b"]
    settings.API_KEY_PEPPER_PREVIOUS = []
    with pytest.raises(Unauthenticated):
        services.authenticate(before, source_ip="127.0.0.1")
