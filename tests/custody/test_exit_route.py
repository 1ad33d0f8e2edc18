"""The exit route: a file, its envelope and its two keys, exported under four eyes, opened by ``qkdseal`` alone."""

import base64
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from apps.audit.services import entries_page, transaction
from apps.common import aws
from apps.custody import exporting
from apps.custody.records import NotApproved
from apps.sessions import committing, quantum_keys
from apps.sessions.records import KeyPurpose, QuantumKeyState
from apps.sessions.taking import take_key
from apps.sessions.trail import QuantumKeyEvent
from qkdseal import kem
from qkdseal.__main__ import main
from qkdseal.envelope import Envelope
from tests import requirement
from tests.conftest import TESTS
from tests.custody.people import ALICE, BOB
from tests.custody.test_api import WHY, api_of
from tests.files.test_documents import encrypted
from tests.tables import versions
from tests.uploads import record_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("four_eyes")]


@pytest.fixture
def alice(four_eyes):
    return api_of(ALICE)


@pytest.fixture
def bob(four_eyes):
    return api_of(BOB)


def exported(alice, bob, asked_at, answer_at, recipient):
    """A key, asked for by one person and allowed by another, as the answer that gives it out."""
    told = {**WHY, "recipient_suite": recipient["suite"], "recipient_public_key": recipient["public_key"]}
    asked = alice.post(asked_at, told)
    assert asked.status_code == 201, asked.content
    place = f"approvals/{asked.json()['approval_id']}"
    assert alice.post(f"{place}/approve").status_code == 403
    assert alice.post(f"{place}/{answer_at}").status_code == 409
    assert bob.post(f"{place}/approve").json()["status"] == "approved"
    given = alice.post(f"{place}/{answer_at}")
    assert given.status_code == 200, given.content
    assert alice.post(f"{place}/{answer_at}").status_code == 409, "once"
    return given.json()


@requirement("C2", "I12", "E6")
def test_a_kept_file_opens_with_its_two_exported_keys_and_nothing_of_the_platform(
    api,
    alice,
    bob,
    stock,
    settings,
    tmp_path,
    monkeypatch,
):
    monkeypatch.chdir(tmp_path)
    content = b"for ten years"
    file_id = encrypted(api, content)["file_id"]
    package = api.get(f"files/{file_id}/package").json()
    Path("envelope.json").write_text(json.dumps(package["envelope"]))
    [body] = versions(settings.ENCRYPTED_BUCKET)
    Path("body").write_bytes(stored(settings.ENCRYPTED_BUCKET, body))
    header = Envelope.from_bytes(Path("envelope.json").read_bytes())
    quantum_key_id, pool_key_id = header.header.quantum_key_id, header.pool_key_id

    assert main(["recipient", "-o", "me.json"]) == 0
    me = json.loads(Path("me.json").read_text())
    answers = {
        "pool-key": exported(alice, bob, f"keys/{pool_key_id}/export", "export", me),
        "quantum-key": exported(
            alice, bob, f"quantum-keys/{quantum_key_id}/export", "export-quantum-key", me
        ),
    }
    for name, answer in answers.items():
        Path(f"{name}.sealed").write_text(json.dumps(answer))
        assert main(["open-export", f"{name}.sealed", "--recipient", "me.json", "-o", f"{name}.json"]) == 0
    opening = ["open", "body", "--envelope", "envelope.json", "--pool-key", "pool-key.json"]
    assert main([*opening, "--quantum-key", "quantum-key.json", "-o", "report.pdf"]) == 0
    assert Path("report.pdf").read_bytes() == content
    told = entries_page(limit=20, by="session", value=quantum_key_id.rpartition(".")[0]).records
    assert "quantum_key.exported" in [entry.event for entry in told]
    key = base64.b64encode(quantum_keys.taken_key(quantum_key_id)).decode()
    assert key not in str(told)
    assert key not in str(answers)


def stored(bucket, version):
    found = aws.client("s3").get_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    return found["Body"].read()


def taken(which, offered):
    """The id of an offered key, once it is reserved, or taken for a delivery."""
    state = QuantumKeyState.RESERVED if which == "reserved" else QuantumKeyState.USED
    purpose = KeyPurpose.DELIVERY if which == "delivered" else KeyPurpose.FILE
    with transaction(TESTS) as tx:
        committing.take(tx, offered, purpose=purpose, subject="x", state=state)
        tx.audit(QuantumKeyEvent.RESERVED, session_id=offered.session_id, quantum_key_id=offered.key_id)
    return offered.key_id


@requirement("I3", "I12")
@pytest.mark.parametrize("which", ["free", "unknown", "reserved", "delivered"])
def test_a_quantum_key_that_no_package_uses_is_not_exported(alice, stock, which):
    key_ids = {"free": f"{stock.session_id}.3", "unknown": "x"}
    if which in {"reserved", "delivered"}:
        key_ids[which] = take_key(partial(taken, which), actor=TESTS, owner=None)
    recipient = kem.generate_key_pair()
    told = {
        **WHY,
        "recipient_suite": recipient.suite.value,
        "recipient_public_key": base64.b64encode(recipient.public_key).decode(),
    }
    answer = alice.post(f"quantum-keys/{key_ids[which]}/export", told)
    assert answer.status_code in {404, 409}, answer.content
    assert alice.get("approvals").json()["items"] == []


@requirement("I12")
def test_an_approval_of_one_kind_gives_out_nothing_of_the_other(api, stock, alice, bob):
    record = record_of(encrypted(api, b"x")["file_id"])
    recipient = kem.generate_key_pair()
    told: dict[str, Any] = {
        "recipient": recipient.public_key,
        "suite": recipient.suite,
        "reason": "r",
        "actor": ALICE,
    }
    asked = exporting.request(record.pool_key_id, **told)
    quantum = exporting.request_quantum_key(record.quantum_key_id, **told)
    for approval in (asked, quantum):
        assert bob.post(f"approvals/{approval.approval_id}/approve").status_code == 200
    with pytest.raises(NotApproved):
        exporting.export_quantum_key(asked.approval_id, actor=ALICE)
    assert alice.post(f"approvals/{quantum.approval_id}/export").status_code in {404, 409}
    assert exporting.export_quantum_key(quantum.approval_id, actor=ALICE).key_id == record.quantum_key_id
