"""Batches of messages: one quantum key, a key for each message, each opened alone (I3, C11)."""

from typing import Any

import pytest

from apps.audit.services import entries_page
from apps.common.errors import Invalid
from apps.files import messages
from apps.files.uploads import client_side
from apps.keys import services as keys
from apps.keys import slots
from apps.sessions import quantum_keys
from apps.sessions.records import KeyPurpose
from qkdseal import body as bodies
from qkdseal.encoding import to_base64
from tests import requirement
from tests.conftest import TESTS, Api
from tests.faults import counted
from tests.sessions.ready import long
from tests.uploads import record_of

PLAINTEXTS = [b"one", b"", b"three" * 1000]


@pytest.fixture
def batch(api: Api, stock: Any) -> list[dict[str, Any]]:
    return [package.to_dict() for package in messages.encrypt_batch(PLAINTEXTS, actor=api.actor)]


@requirement("I3", "C11")
def test_each_message_of_a_batch_opens_alone_in_any_order(api: Api, batch: list[dict[str, Any]]) -> None:
    for index in (2, 0, 1):
        assert messages.decrypt(batch[index], actor=api.actor) == PLAINTEXTS[index]


@requirement("I3", "D1")
def test_a_batch_takes_one_quantum_key_and_leaves_one_entry(batch: list[dict[str, Any]], stock: Any) -> None:
    (taken,) = quantum_keys.keys_of(stock.session_id, limit=10).records
    headers = [package["envelope"]["header"] for package in batch]
    assert [header["quantum_key_id"] for header in headers] == [f"{taken.key_id}/{n}" for n in range(3)]
    assert [header["file_id"] for header in headers] == [f"{taken.subject}/{n}" for n in range(3)]
    assert taken.purpose is KeyPurpose.MESSAGE
    assert taken.sealed_by == batch[0]["envelope"]["pool_key_id"]
    assert slots.counted(keys.find(str(taken.sealed_by))).messages == 3
    (entry,) = entries_page(limit=10, by="file", value=taken.subject).records
    assert (entry.event, entry.detail["messages"]) == ("message.encrypted", 3)


@requirement("G6", "C11")
def test_a_batch_costs_as_many_calls_as_a_message(api: Api, pool: Any) -> None:
    long(1024)
    for _ in range(2):
        messages.encrypt(b"x", actor=api.actor)
    with counted() as calls:
        packages = messages.encrypt_batch([b"x"] * 1000, actor=api.actor)
    assert len(packages) == 1000
    assert calls == ["TransactWriteItems"]


@requirement("C9", "C11")
def test_a_message_does_not_take_the_place_of_another_of_its_batch(
    api: Api, batch: list[dict[str, Any]]
) -> None:
    mixed = {"envelope": batch[0]["envelope"], "body": batch[2]["body"]}
    with pytest.raises(Invalid):
        messages.decrypt(mixed, actor=api.actor)


@requirement("C9", "C11")
@pytest.mark.parametrize("ending", ["/0", "", "/00", "/x", "/4294967296", "/1/1"])
def test_another_place_in_the_batch_opens_nothing(api: Api, batch: list[dict[str, Any]], ending: str) -> None:
    header = batch[1]["envelope"]["header"]
    for name in ("quantum_key_id", "file_id"):
        changed = header | {name: header[name].partition("/")[0] + ending}
        package = batch[1] | {"envelope": batch[1]["envelope"] | {"header": changed}}
        with pytest.raises(Invalid):
            messages.decrypt(package, actor=api.actor)


@requirement("E8", "C11")
def test_nobody_else_opens_a_message_of_a_batch(other_api: Api, batch: list[dict[str, Any]]) -> None:
    with pytest.raises(Invalid):
        messages.decrypt(batch[0], actor=other_api.actor)


@requirement("C11")
def test_a_context_is_bound_to_each_message(api: Api, stock: Any) -> None:
    packages = messages.encrypt_batch([b"a", b"b"], actor=api.actor, context="invoice 7")
    assert messages.decrypt(packages[1].to_dict(), actor=api.actor, context="invoice 7") == b"b"
    with pytest.raises(Invalid):
        messages.decrypt(packages[1].to_dict(), actor=api.actor, context="invoice 8")


@requirement("C11")
@pytest.mark.parametrize(
    "plaintexts", [[], [b""] * 1001, [bytes(2**21 + 1)] * 2], ids=["none", "too many", "too long"]
)
def test_what_is_no_batch_is_refused_before_a_key_is_taken(
    api: Api, stock: Any, plaintexts: list[bytes]
) -> None:
    with pytest.raises(Invalid, match="messages"):
        messages.encrypt_batch(plaintexts, actor=api.actor)
    assert quantum_keys.keys_of(stock.session_id, limit=10).records == []


@requirement("C9", "E8")
def test_a_files_envelope_and_body_are_no_message(api: Api, stock: Any) -> None:
    """Its client took the quantum key, so that nothing but the key's purpose speaks against it."""
    target, secret = client_side.announce(name="x", actor=api.actor)
    sealed = bodies.seal_bytes(secret.key, secret.context, b"text")
    package = {"envelope": record_of(target.file.file_id).envelope, "body": to_base64(sealed)}
    with pytest.raises(Invalid):
        messages.decrypt(package, actor=TESTS)
