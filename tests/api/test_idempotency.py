"""A request with an Idempotency-Key is done once, however often it is sent (E9)."""

import base64
import json
import os
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.urls import get_resolver

from apps.access import principals
from apps.access.views import CreatingView
from apps.common.store import ClaimTable
from apps.custody import tasks
from apps.sessions.store import QuantumKeyTable
from apps.sessions.tasks import generate_batch
from qkdseal import kem
from qkdseal.kem import Suite
from tests import requirement
from tests.conftest import TESTS, Api
from tests.custody.files import rows_under
from tests.custody.people import ALICE, admit, key_of
from tests.faults import Fault, counted, injected
from tests.keys.pools import OUTSIDE, imported
from tests.queues import into
from tests.sessions.ready import long

MESSAGE = {"plaintext": "a secret that no row holds", "context": "for Bob"}


def keyed(api: Api, path: str, body, key: str, **headers: str):
    return api.call("POST", path, body, IDEMPOTENCY_KEY=key, **headers)


def taken() -> set[str]:
    """The quantum keys that were taken."""
    return {row.key_id for row in QuantumKeyTable.scan()}


def opens(api: Api, answer, body=MESSAGE) -> bool:
    named = {name: body[name] for name in ("context", "passphrase") if name in body}
    opened = api.post("decrypt", answer.json() | named)
    return bool(opened.status_code == 200 and opened.json()["plaintext"] == body["plaintext"])


@requirement("E9", "I3")
@pytest.mark.parametrize(
    "body",
    [MESSAGE, MESSAGE | {"passphrase": "correct horse"}, MESSAGE | {"suite": "pqfile-mlkem768-sha256"}],
    ids=["plain", "passphrase", "pqfile"],
)
def test_a_retried_encrypt_spends_no_second_quantum_key(api: Api, stock, body):
    first, again = (keyed(api, "encrypt", body, "k1") for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200), again.content
    assert ("Idempotency-Replayed" in first, again["Idempotency-Replayed"]) == (False, "true")
    assert len(taken()) == 1
    assert opens(api, first, body)
    assert opens(api, again, body)
    envelopes = {
        json.dumps(answer.json()["package"].get("envelope"), sort_keys=True) for answer in (first, again)
    }
    assert len(envelopes) == 1


@requirement("E9", "I3")
def test_nor_does_it_skip_one(api: Api, pool):
    """A number that a retry was offered is the next taker's."""
    long(1024)
    for _ in range(3):
        keyed(api, "encrypt", MESSAGE, "k1")
    api.post("encrypt", MESSAGE)
    first, second = sorted(int(name.rpartition(".")[2]) for name in taken())
    assert second == first + 1


@requirement("E9", "I1")
@pytest.mark.parametrize("fault", [Fault.LOST, Fault.REFUSED, Fault.THROTTLED])
def test_an_answer_that_was_lost_is_given_again(api: Api, stock, fault):
    """Where the database did it and did not say so, the very request that failed finds that out."""
    api.post("encrypt", MESSAGE)
    with injected(fault, operation="TransactWriteItems"):
        first = keyed(api, "encrypt", MESSAGE, "k1")
    assert first.status_code == (200 if fault is Fault.LOST else 503)
    again = keyed(api, "encrypt", MESSAGE, "k1")
    assert again.status_code == 200
    assert ("Idempotency-Replayed" in again) is (fault is Fault.LOST)
    assert opens(api, again)
    assert len(taken()) == 2


@requirement("E9")
def test_another_request_under_the_same_key_is_refused(api: Api, other_api: Api, stock):
    keyed(api, "encrypt", MESSAGE, "k1")
    for path, body in [
        ("encrypt", MESSAGE | {"plaintext": "another"}),
        ("encrypt", MESSAGE | {"context": "for Eve"}),
        ("encrypt", {"plaintext": MESSAGE["plaintext"]}),
        ("qkd/generate", {}),
    ]:
        answer = keyed(api, path, body, "k1")
        assert answer.status_code == 422, answer.content
        assert answer.json()["type"].endswith("idempotency-key-reused")
    assert len(taken()) == 1
    order = json.dumps(dict(reversed(MESSAGE.items())))
    assert keyed(api, "encrypt", order, "k1")["Idempotency-Replayed"] == "true", (
        "the order of names is nothing"
    )
    assert "Idempotency-Replayed" not in keyed(other_api, "encrypt", MESSAGE, "k1"), (
        "a key is its caller's alone"
    )


@requirement("E9", "I2")
def test_the_row_holds_no_plaintext_and_no_plain_hash_of_it(api: Api, stock):
    keyed(api, "encrypt", MESSAGE, "k1")
    keyed(api, "qkd/generate", {"key_length": 256}, "k2")
    rows = json.dumps([row.to_dynamodb_dict() for row in ClaimTable.scan()])
    assert MESSAGE["plaintext"] not in rows
    assert "k1" not in json.loads(rows)[0]["claim_id"]["S"]
    assert all(row.is_authentic() and row.ttl for row in ClaimTable.scan())


@requirement("E9", "I10")
def test_a_forged_row_answers_nothing(api: Api, stock):
    answer = keyed(api, "encrypt", MESSAGE, "k1")
    row = next(iter(ClaimTable.scan()))
    row.update([ClaimTable.result.set({"kind": "message", "package": json.dumps(answer.json()["package"])})])
    again = keyed(api, "encrypt", MESSAGE, "k1")
    assert (again.status_code, again.json()["type"].rpartition("/")[2]) == (409, "record-forged")


@requirement("E9", "G6")
def test_it_costs_no_call(api: Api, pool):
    long(1024)
    for key in ("k0", "k00"):
        keyed(api, "encrypt", MESSAGE, key)
    with counted() as calls:
        assert keyed(api, "encrypt", MESSAGE, "k1").status_code == 200
    assert calls == ["TransactWriteItems"]


@requirement("E9", "E1")
@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "ключ", "\x7f"])
def test_a_key_that_cannot_be_one_is_refused(api: Api, key):
    answer = keyed(api, "qkd/generate", {}, key)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Idempotency-Key")


@requirement("E9")
def test_stock_that_is_run_meanwhile_is_not_the_result(api: Api, pool):
    """An encrypt that finds no key runs sessions for the stock: the retry must not be answered with one of those."""
    assert keyed(api, "encrypt", MESSAGE, "k1").status_code == 503
    assert list(ClaimTable.scan()) == []


@requirement("E9")
def test_a_key_is_remembered_for_a_day(api: Api, stock, later):
    keyed(api, "encrypt", MESSAGE, str(uuid.UUID(int=1)))
    later(hours=23)
    assert keyed(api, "encrypt", MESSAGE, str(uuid.UUID(int=1)))["Idempotency-Replayed"] == "true"
    row = next(iter(ClaimTable.scan()))
    assert row.ttl == int((row.done_at + timedelta(hours=24)).timestamp())


@pytest.fixture
def person(aws, monkeypatch) -> Api:
    """A person with an API key: only they may ask for what needs two."""
    admit(ALICE)
    monkeypatch.setattr(tasks.rewrap_files, "apply_async", into([]))
    api = Api.__new__(Api)
    api.actor, api.key = key_of(ALICE)
    monkeypatch.setattr(generate_batch, "apply_async", into([]))
    return api


def created(api: Api, pool, stock) -> dict[str, tuple[str, object]]:
    """A request for each address whose POST creates something, by its route."""
    first = pool[0].key_id
    activated = imported(os.urandom(32))
    rows_under(pool[2], 1)
    rotated = api.post(f"keys/{pool[2].key_id}/rotate", {"reason": "x"}).json()
    api.post(f"jobs/{rotated['job_id']}/cancel")
    api.post(f"keys/{pool[1].key_id}/revoke", {"reason": "x"})  # before a message could be sealed to it
    recipient = base64.b64encode(kem.generate_key_pair().public_key).decode()
    used = api.post("encrypt", MESSAGE).json()["package"]["envelope"]["header"]["quantum_key_id"]
    principals.make_group("x", group_id="x", actor=TESTS)
    return {
        "qkd/generate": ("qkd/generate", {"key_length": 256}),
        "qkd/batches": ("qkd/batches", {"count": 2}),
        "encrypt": ("encrypt", MESSAGE),
        "encrypt/batch": ("encrypt/batch", {"messages": [{"plaintext": "a"}]}),
        "data-keys": ("data-keys", {}),
        "data-keys/without-plaintext": ("data-keys/without-plaintext", {}),
        "services": ("services", {"name": "x", "role": "viewer"}),
        "groups": ("groups", {"name": "x"}),
        "grants": ("grants", {"grantee": "group:x", "document_type": "document"}),
        "api-keys": ("api-keys", {"principal": str(api.actor)}),
        "api-keys/<str:key_id>/rotate": (f"api-keys/{api.key.partition('.')[0]}/rotate", {}),
        "pools": ("pools", {"name": "invoices"}),
        "links": ("links", {"link_id": "metro-1", "name": "City centre to campus"}),
        "keys": (
            "keys",
            {
                "suite": Suite.XWING.value,
                "seed": base64.b64encode(os.urandom(32)).decode(),
                "pool": OUTSIDE,
                "reason": "x",
            },
        ),
        "keys/<str:key_id>/destruction": (f"keys/{pool[1].key_id}/destruction", {"reason": "x"}),
        "keys/<str:key_id>/activate": (f"keys/{activated.key_id}/activate", {"reason": "x"}),
        "keys/<str:key_id>/export": (
            f"keys/{first}/export",
            {"reason": "x", "recipient_suite": Suite.XWING.value, "recipient_public_key": recipient},
        ),
        "quantum-keys/<str:key_id>/export": (
            f"quantum-keys/{used}/export",
            {"reason": "x", "recipient_suite": Suite.XWING.value, "recipient_public_key": recipient},
        ),
        "recovery": ("recovery", {"reason": "x"}),
        "reports": ("reports", {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}),
        "saes": ("saes", {"sae_id": "sae-x", "name": "x", "fingerprints": ["0" * 64]}),
        "reencryptions": ("reencryptions", {"reason": "x", "session_id": stock.session_id}),
        "rotations/<str:rotation_id>/resume": (f"rotations/rot-{pool[2].key_id}/resume", None),
    }


def creating_routes() -> set[str]:
    """Every route whose view creates, of other apps than files."""
    found = set()
    for pattern in get_resolver("qkdplatform.api_urls").url_patterns:
        view: Any = getattr(pattern.callback, "cls", None) if hasattr(pattern, "callback") else None
        if view is not None and issubclass(view, CreatingView) and "files" not in str(pattern.pattern):
            found.add(str(pattern.pattern).removeprefix("api/v1/"))
    return found


@requirement("E9", "E1")
@pytest.mark.django_db
@pytest.mark.parametrize("route", sorted(creating_routes()))
def test_whatever_creates_creates_once(person: Api, pool, stock, settings, route):
    settings.RECOVERY_PUBLIC_KEY = base64.b64encode(kem.generate_key_pair().public_key).decode()
    path, body = created(person, pool, stock)[route]
    # The second resumption fails before it creates: a job works on the rotation already
    first, again, other = (keyed(person, path, body, key) for key in ("k1", "k1", "k2"))
    assert first.status_code in {200, 201, 202}, first.content
    assert again["Idempotency-Replayed"] == "true"
    assert again.status_code == first.status_code
    assert again.json().keys() == first.json().keys()
    ids = [name for name in first.json() if name.endswith("_id")]
    assert {name: again.json()[name] for name in ids} == {name: first.json()[name] for name in ids}
    assert "Idempotency-Replayed" not in other
