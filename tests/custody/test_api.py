"""Custody over the API: scopes, problem documents, the whole way of each operation (E1, E2, I8, I9)."""

import base64
import io
import os

import pytest
from django.core.management import call_command

from apps.custody import rotations, tasks
from apps.keys import pools, recovery_seal, transfer
from apps.keys import services as keys
from apps.keys.records import KeyState
from qkdseal import kem
from qkdseal.kem import Suite
from tests import requirement
from tests.conftest import TESTS, Api
from tests.custody.files import rows_under
from tests.custody.people import ALICE, BOB, key_of
from tests.keys.pools import OUTSIDE
from tests.keys.rewriting import rewritten
from tests.queues import into

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("four_eyes")]
WHY = {"reason": "test"}


def encoded(value):
    return base64.b64encode(value).decode()


def api_of(person):
    api = Api.__new__(Api)
    api.actor, api.key = key_of(person)
    return api


@pytest.fixture
def alice(four_eyes):
    return api_of(ALICE)


@pytest.fixture
def bob(four_eyes):
    return api_of(BOB)


@pytest.fixture
def sent(monkeypatch, settings):
    monkeypatch.setattr(rotations, "SETTLE_SECONDS", 0)
    settings.REWRAP_PER_SECOND = 1_000_000
    ids: list[str] = []
    monkeypatch.setattr(tasks.rewrap_files, "apply_async", into(ids))
    return ids


@requirement("E1", "C6", "F5")
@pytest.mark.parametrize(("action", "end"), [("rotate", "expired"), ("revoke", "revoked")])
def test_a_key_is_rotated_over_the_api(alice, pool, sent, action, end):
    rows_under(pool[0], 3)
    key_id = pool[0].key_id
    assert alice.post(f"keys/{key_id}/{action}", WHY).status_code == 200
    shown = alice.get(f"rotations/rot-{key_id}").json()
    assert (shown["status"], shown["old_key_id"]) == ("open", key_id)
    tasks.rewrap_files(sent.pop())
    shown = alice.get(f"rotations/rot-{key_id}").json()
    assert shown["status"] == "done"
    job = alice.get(f"jobs/{shown['job_id']}").json()
    assert (job["done"], job["total"], job["state"]) == (3, 3, "succeeded")
    assert job["per_second"] > 0
    assert alice.get(f"keys/{key_id}").json()["state"] == end
    assert alice.get("rotations").json()["items"] == [shown]
    answer = alice.post(f"rotations/rot-{key_id}/resume")
    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")


@requirement("E1", "C6")
def test_a_job_is_cancelled_and_its_rotation_resumed_over_the_api(alice, pool, sent):
    rows_under(pool[0], 1)
    alice.post(f"keys/{pool[0].key_id}/rotate", WHY)
    assert alice.post(f"jobs/{sent[0]}/cancel").json()["state"] == "cancelled"
    assert alice.post(f"jobs/{sent[0]}/cancel").status_code == 409
    assert alice.post(f"rotations/rot-{pool[0].key_id}/resume").status_code == 202
    tasks.rewrap_files(sent.pop())
    assert alice.get(f"rotations/rot-{pool[0].key_id}").json()["status"] == "done"


@requirement("E1", "C5")
def test_a_key_is_suspended_and_resumed_over_the_api(alice, pool):
    for action, state in (("suspend", "suspended"), ("resume", "active")):
        assert alice.post(f"keys/{pool[0].key_id}/{action}", WHY).json()["state"] == state
    answer = alice.post(f"keys/{pool[0].key_id}/resume", WHY)
    assert (answer.status_code, answer.json()["type"]) == (409, "http://127.0.0.1:8000/api/problems/conflict")


@requirement("E1", "C5")
def test_a_key_is_imported_activated_and_exported_over_the_api(alice, bob):
    seed = os.urandom(32)
    given = {**WHY, "suite": Suite.XWING.value, "seed": encoded(seed)}
    pools.ensure_default(actor=TESTS)
    assert alice.post("keys", given).json()["detail"].startswith("Pool default takes no imported keys")
    pools.make(OUTSIDE, accepts_imports=True, actor=TESTS)
    made = alice.post("keys", {**given, "pool": OUTSIDE})
    assert made.status_code == 201, made.content
    key_id = made.json()["key_id"]
    asked = alice.post(f"keys/{key_id}/activate", WHY).json()
    assert alice.post(f"approvals/{asked['approval_id']}/activate").status_code == 409
    assert bob.post(f"approvals/{asked['approval_id']}/approve").json()["status"] == "approved"
    assert alice.post(f"approvals/{asked['approval_id']}/activate").json()["state"] == "active"
    recipient = kem.generate_key_pair()
    asked = alice.post(
        f"keys/{key_id}/export",
        {**WHY, "recipient_suite": Suite.XWING.value, "recipient_public_key": encoded(recipient.public_key)},
    ).json()
    assert alice.post(f"approvals/{asked['approval_id']}/approve").status_code == 403
    assert alice.post(f"approvals/{asked['approval_id']}/export").status_code == 409
    assert bob.post(f"approvals/{asked['approval_id']}/approve").json()["status"] == "approved"
    given = alice.post(f"approvals/{asked['approval_id']}/export").json()
    sealed, info = base64.b64decode(given["sealed_seed"]), base64.b64decode(given["info"])
    assert info == transfer.info_of(key_id, Suite.XWING)
    assert kem.open_secret(sealed, suite=Suite.XWING, seed=recipient.seed, info=info) == seed


@requirement("E2", "C5")
def test_an_expanded_key_is_explained_over_the_api(alice):
    body = {**WHY, "suite": Suite.MLKEM768.value, "seed": encoded(os.urandom(2400))}
    answer = alice.post("keys", body)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"] == "seed"
    assert "expanded" in error["message"]
    assert "64-byte seed" in error["message"]


@requirement("E2", "I8")
@pytest.mark.parametrize("seed", ["", "no base64!", "AAAA" * 3000, 7, None])
def test_what_is_no_seed_is_refused(alice, seed):
    answer = alice.post("keys", {**WHY, "suite": Suite.XWING.value, "seed": seed})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


@requirement("E1", "C5")
def test_a_key_is_destroyed_over_the_api_with_four_eyes_and_kept_after_all(alice, bob, pool):
    key = rewritten(pool[0], state=KeyState.EXPIRED)
    asked = alice.post(f"keys/{key.key_id}/destruction", WHY)
    assert asked.status_code == 201, asked.content
    approval = f"approvals/{asked.json()['approval_id']}"
    assert alice.get("approvals?status=pending").json()["items"] == [alice.get(approval).json()]
    assert bob.post(f"{approval}/approve").status_code == 200
    assert alice.post(f"{approval}/destroy").json()["destroy_after"] is not None
    assert alice.post(f"keys/{key.key_id}/destruction/cancel", WHY).json()["destroy_after"] is None
    assert alice.post(f"{approval}/destroy").status_code == 409, "used up"


@requirement("E1", "C5")
def test_a_request_is_refused_over_the_api(alice, bob, pool):
    key = rewritten(pool[0], state=KeyState.EXPIRED)
    asked = alice.post(f"keys/{key.key_id}/destruction", WHY).json()
    assert bob.post(f"approvals/{asked['approval_id']}/refuse").json()["status"] == "refused"
    assert alice.post(f"approvals/{asked['approval_id']}/destroy").status_code == 409


@requirement("E1", "C12")
def test_recovery_is_asked_for_over_the_api(alice, settings):
    assert alice.post("recovery", WHY).status_code == 409
    settings.RECOVERY_PUBLIC_KEY = encoded(kem.generate_key_pair().public_key)
    asked = alice.post("recovery", WHY).json()
    public = base64.b64decode(settings.RECOVERY_PUBLIC_KEY)
    assert (asked["action"], asked["subject"]) == ("recover", recovery_seal.id_of(public))


@requirement("E1", "C5")
def test_the_minimum_version_is_raised_over_the_api(alice, pool, settings):
    settings.POOL_TARGET = settings.POOL_LOW_WATER = 2
    nothing = {"pool": "default", "files": 0, "messages": 0}
    assert alice.get("pool/policy").json() == {"current": 1, "minimum": 1, **nothing}
    assert alice.post("pool/policy", {"minimum": 2}).json() == {"current": 2, "minimum": 2, **nothing}
    assert alice.post("pool/policy", {"minimum": 9}).status_code == 400
    assert keys.find(pool[0].key_id).state is KeyState.ROTATION_QUEUED


@requirement("E1", "A8")
def test_a_session_is_revoked_over_the_api(alice, stock):
    assert alice.get("qkd/stock").json()["by_link"] == {"stock": 16}
    session_id = stock.session_id
    assert alice.post(f"qkd/session/{session_id}/revoke", WHY).json()["status"] == "revoked"
    assert alice.get(f"qkd/session/{session_id}/keys").json() == {"items": [], "next": None}
    assert alice.get("qkd/stock").json()["total"] == 0
    assert alice.post(f"qkd/session/{session_id}/revoke", WHY).status_code == 409


MANAGED = [
    "keys", "keys/x/activate", "keys/x/suspend", "keys/x/resume", "keys/x/rotate", "keys/x/revoke",
    "keys/x/destruction", "keys/x/export", "rotations/x/resume", "recovery", "approvals/x/approve",
    "approvals/x/refuse", "approvals/x/withdraw", "approvals/x/destroy", "approvals/x/export", "quantum-keys/x/export",
    "approvals/x/export-quantum-key", "qkd/session/x/revoke",
]  # fmt: skip


@requirement("I8", "I9")
@pytest.mark.parametrize("path", MANAGED)
def test_who_only_encrypts_may_not_manage_keys(api, alice, path):
    answer = api.post(path, WHY)
    assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
    answer = alice.post(path, WHY)
    assert answer.status_code in {400, 404, 409}, "with the scope it is looked at"
    assert answer["Content-Type"] == "application/problem+json"


@requirement("I9", "E2")
def test_every_view_declares_its_scopes_and_the_schema_is_whole(aws):
    call_command("check", stdout=io.StringIO())
    out = io.StringIO()
    call_command("spectacular", "--fail-on-warn", stdout=out)  # tests/api/test_schema.py validates it
    for operation in ("rotate_pool_key", "resume_rotation", "approve", "export_pool_key", "get_stock"):
        assert f"operationId: {operation}\n" in out.getvalue()
