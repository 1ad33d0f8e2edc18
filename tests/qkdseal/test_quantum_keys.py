"""Quantum keys of one size, and batches: many messages under one of them, each opened alone."""

import json
import os
from typing import Any

import pytest

from qkdseal import PackageInvalid, quantum_keys
from qkdseal.header import Header
from qkdseal.kem import generate_key_pair
from qkdseal.package import Package, open_message, seal_batch, seal_message
from tests import requirement
from tests.qkdseal import reference

VECTORS: list[dict[str, Any]] = json.loads((reference.VECTORS / "batch.json").read_text())["vectors"]
POOL_KEY, QUANTUM_KEY = generate_key_pair(), os.urandom(32)
MALFORMED = [
    "s.0/",
    "/1",
    "s.0/01",
    "s.0/-1",
    "s.0/1/2",
    "s.0/x",
    f"s.0/{2**32}",
    "s.0/+1",
    "s.0/1_0",
    "s.0/99999999999",
]


def batch(*messages: bytes, quantum_key: bytes = QUANTUM_KEY) -> list[Package]:
    return seal_batch(
        messages,
        file_id="batch-1",
        quantum_key_id="session-1.0",
        pool_key_id="pool-1",
        pool_public_key=POOL_KEY.public_key,
        quantum_key=quantum_key,
        context=b"order 7",
    )


def opened(package: Package, quantum_key: bytes = QUANTUM_KEY) -> bytes:
    return open_message(package, seed=POOL_KEY.seed, quantum_key=quantum_key, context=b"order 7")


@requirement("C2")
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["index"]))
def test_our_vectors(vector: dict[str, Any]) -> None:
    key_id = quantum_keys.batch_key_id("session-1.0", index=vector["index"])
    key = quantum_keys.key_for(key_id, quantum_key=bytes.fromhex(vector["quantum_key"]))
    assert key.hex() == vector["key"]
    assert quantum_keys.split_key_id(key_id) == ("session-1.0", vector["index"])


@requirement("C2", "C11", "I3")
def test_each_message_of_a_batch_opens_alone_and_in_any_order() -> None:
    messages = [b"one", b"", b"three"]
    packages = batch(*messages)
    assert [package.header.quantum_key_id for package in packages] == [
        "session-1.0/0", "session-1.0/1", "session-1.0/2",
    ]  # fmt: skip
    for message, package in reversed(list(zip(messages, packages, strict=True))):
        assert opened(Package.from_text(package.to_text())) == message


@requirement("I3")
def test_every_index_has_a_key_of_its_own_and_none_is_the_quantum_key() -> None:
    ids = ["s.0", *(quantum_keys.batch_key_id("s.0", index=index) for index in range(50))]
    assert len({quantum_keys.key_for(key_id, quantum_key=QUANTUM_KEY) for key_id in ids}) == len(ids)


@requirement("C9")
def test_messages_of_a_batch_cannot_change_places_or_leave_it() -> None:
    one, two = batch(b"one", b"two")
    for other in ("session-1.0/1", "session-1.0", "session-2.0/0"):
        value = one.to_dict()
        value["envelope"]["header"]["quantum_key_id"] = other
        with pytest.raises(PackageInvalid):
            opened(Package.from_dict(value))
    with pytest.raises(PackageInvalid):
        opened(Package(envelope=one.envelope, body=two.body))
    with pytest.raises(PackageInvalid):
        opened(one, quantum_key=os.urandom(32))


@requirement("C9")
@pytest.mark.parametrize("key_id", MALFORMED)
def test_an_index_has_one_spelling(key_id: str) -> None:
    with pytest.raises(ValueError, match="After the id of a quantum key and a slash"):
        Header.of(file_id="f", quantum_key_id=key_id)
    value = batch(b"one")[0].to_dict()
    value["envelope"]["header"]["quantum_key_id"] = key_id
    with pytest.raises(PackageInvalid):
        Package.from_dict(value)


@requirement("C3")
def test_ids_of_batches_are_made_from_those_of_quantum_keys() -> None:
    with pytest.raises(ValueError, match="Give the id of the quantum key"):
        quantum_keys.batch_key_id("session-1.0/1", index=2)
    for index in (-1, 2**32):
        with pytest.raises(ValueError, match="A batch has the indexes"):
            quantum_keys.batch_key_id("session-1.0", index=index)


@requirement("C3")
def test_a_key_padded_with_zeros_is_not_another_spelling_of_it() -> None:
    """HMAC pads its key with zeros: 31 bytes and the same with a zero byte would open the same package."""
    padded = os.urandom(31) + b"\0"
    header = Header.of(file_id="f", quantum_key_id="q")
    package = seal_message(
        header, b"text", pool_key_id="pool-1", pool_public_key=POOL_KEY.public_key, quantum_key=padded
    )
    assert open_message(package, seed=POOL_KEY.seed, quantum_key=padded) == b"text"
    for other in (padded[:31], padded + b"\0"):
        with pytest.raises(ValueError, match="A quantum key has 32 bytes"):
            open_message(package, seed=POOL_KEY.seed, quantum_key=other)
