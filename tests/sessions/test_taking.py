"""Whoever needs a quantum key takes it by one function, whatever happens between offer and commit (C5, I3)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings

from apps.audit.services import transaction
from apps.audit.verification import verify
from apps.common.aws import client
from apps.common.errors import Invalid
from apps.custody import retirement
from apps.detections import services as detections
from apps.files import messages
from apps.files.trail import MessageEvent
from apps.files.uploads import client_side
from apps.files.uploads.announce import UploadMethod
from apps.keys import services as keys
from apps.keys.records import KeyState
from apps.sessions import committing, quantum_keys, services, transitions
from apps.sessions import stock as supply
from apps.sessions.records import KeyPurpose, SessionUnusable, StockEmpty
from apps.sessions.store import SessionTable
from tests import requirement
from tests.conftest import TESTS
from tests.tables import rows
from tests.uploads import put, record_of


def upload_a_file() -> str:
    """Encrypt an upload as its event would."""
    from apps.files.bodies.objects import ObjectRef
    from apps.files.uploads import pipeline

    upload = put("a file", b"x")
    file = pipeline.encrypt_uploaded(
        ObjectRef(settings.UPLOADS_BUCKET, upload.key, upload.version), actor=TESTS
    )
    assert file is not None
    return str(record_of(file.file_id).quantum_key_id)


def encrypt_on_the_client() -> str:
    return str(client_side.announce(name="a file", actor=TESTS)[1].file.quantum_key_id)


def encrypt_a_message() -> str:
    return messages.encrypt(b"x", actor=TESTS).envelope.header.quantum_key_id


def encrypt_a_compatible_message() -> str:
    return messages.encrypt_compatible(b"x", actor=TESTS).header.quantum_key_id


AT_ONCE = [encrypt_on_the_client, encrypt_a_message, encrypt_a_compatible_message]
TAKERS = pytest.mark.parametrize("use", [upload_a_file, *AT_ONCE])


@dataclass
class Rivals:
    """Someone else does something just before the transaction of whoever takes a key, ``times`` times."""

    act: Callable[..., object]
    times: int
    met: int = 0

    def before(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(tx: Any, what: Any, **fields: Any) -> Any:
            if self.met < self.times:
                self.met += 1
                self.act(what)
            return real(tx, what, **fields)

        return call


@pytest.fixture
def rivals(monkeypatch):
    """``rivals(taken, 2)``: two others are faster."""
    real_take, real_count = committing.take, keys.count_use

    def take_first(offered):
        with transaction(TESTS) as tx:
            real_take(tx, offered, purpose=KeyPurpose.FILE, subject="a rival's")
            tx.audit(MessageEvent.ENCRYPTED)

    def revoke_the_session(offered):
        transitions.revoke(offered.session_id, reason="leaked", actor=TESTS)

    def rotate_the_pool_key(key):
        if keys.find(key.key_id).state is KeyState.ACTIVE:
            retirement.rotate(key.key_id, reason="old", actor=TESTS)

    def made(what: str, times: int) -> Rivals:
        if what == "rotation":
            found = Rivals(rotate_the_pool_key, times)
            monkeypatch.setattr(keys, "count_use", found.before(real_count))
        else:
            act = {"collision": take_first, "revocation": revoke_the_session}[what]
            found = Rivals(act, times)
            monkeypatch.setattr(committing, "take", found.before(real_take))
        return found

    return made


def uploads_open() -> int:
    found = client("s3").list_multipart_uploads(Bucket=settings.ENCRYPTED_BUCKET)
    return len(found.get("Uploads", []))


@requirement("I3")
@TAKERS
def test_who_was_second_takes_the_next_key(stock, rivals, use):
    met = rivals("collision", 2)
    taken = use()
    assert met.met == 2
    found = quantum_keys.find_taken(taken)
    assert found is not None
    assert found.subject != "a rival's"
    assert supply.stock().total == 16 - 3
    assert verify().problems == []


@requirement("C5", "I8")
@pytest.mark.parametrize("use", AT_ONCE)
def test_a_pool_key_rotated_meanwhile_costs_another_attempt(stock, rivals, use):
    met = rivals("rotation", 1)
    assert use()
    assert met.met == 1


@requirement("C5", "I8")
@TAKERS
def test_a_session_revoked_meanwhile_costs_another_attempt(stock, rivals, use):
    other = services.generate(services.GenerateRequest(key_length=1024, error_rate=0.01), actor=TESTS)
    detections.judge(other.session_id, actor=TESTS)
    met = rivals("revocation", 1)
    assert use()
    assert met.met == 1


@requirement("C3", "I8")
def test_a_named_session_revoked_meanwhile_is_refused(stock, rivals):
    met = rivals("revocation", 1)
    with pytest.raises(SessionUnusable, match="revoked"):
        messages.encrypt(b"x", actor=TESTS, session_id=stock.session_id)
    assert met.met == 1


@requirement("C5")
@TAKERS
def test_an_empty_stock_is_refilled_by_whoever_asks(pool, use):
    with pytest.raises(StockEmpty):
        use()
    (waiting,) = rows(SessionTable.Meta.table_name)
    detections.judge(waiting["session_id"]["S"], actor=TESTS)
    assert use()


@requirement("C5", "I8")
@TAKERS
def test_who_is_never_first_is_told_to_come_again(stock, rivals, use):
    rivals("collision", 1000)
    with pytest.raises(StockEmpty):
        use()


@requirement("I4")
def test_collisions_leave_no_second_multipart_upload_open(stock, rivals):
    rivals("collision", 2)
    client_side.announce(name="large", actor=TESTS, method=UploadMethod.MULTIPART)
    assert uploads_open() == 1


@requirement("I4")
def test_what_could_not_be_announced_leaves_no_multipart_upload_open(pool):
    with pytest.raises(StockEmpty):
        client_side.announce(name="large", actor=TESTS, method=UploadMethod.MULTIPART)
    assert uploads_open() == 0


@requirement("I4")
def test_an_impossible_passphrase_leaves_no_multipart_upload_open(stock):
    with pytest.raises(Invalid):
        client_side.announce(name="large", actor=TESTS, method=UploadMethod.MULTIPART, passphrase="")
    assert uploads_open() == 0
