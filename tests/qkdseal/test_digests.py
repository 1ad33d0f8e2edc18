"""The one digest of a file: the SHA-256 of its plaintext, sealed."""

import json
import os
from typing import Any

import pytest

from qkdseal import PackageInvalid, open_digest, seal_digest
from qkdseal.digests import SEALED_DIGEST_SIZE
from tests import requirement
from tests.qkdseal import reference

VECTORS: list[dict[str, Any]] = json.loads((reference.VECTORS / "digest.json").read_text())["vectors"]
KEY, CONTEXT, SHA256 = os.urandom(32), b"header", os.urandom(32)


@requirement("C2")
@pytest.mark.parametrize(
    "vector", VECTORS, ids=lambda vector: f"{vector['plaintext']}-{vector['context'][:4]}"
)
def test_our_vectors(vector: dict[str, Any]) -> None:
    key, context, sealed = (bytes.fromhex(vector[name]) for name in ("key", "context", "sealed"))
    assert open_digest(sealed, key=key, context=context).hex() == vector["sha256"]


@requirement("C2", "I10")
def test_digests_of_equal_files_cannot_be_told_by_what_is_stored() -> None:
    one, two = (seal_digest(SHA256, key=KEY, context=CONTEXT) for _ in range(2))
    assert one != two
    assert len(one) == SEALED_DIGEST_SIZE
    assert SHA256 not in one + two
    assert open_digest(one, key=KEY, context=CONTEXT) == open_digest(two, key=KEY, context=CONTEXT) == SHA256


@requirement("C9", "I10")
def test_a_digest_of_another_package_or_key_does_not_open() -> None:
    sealed = seal_digest(SHA256, key=KEY, context=CONTEXT)
    for key, context in ((os.urandom(32), CONTEXT), (KEY, b"another header"), (KEY, b"")):
        with pytest.raises(PackageInvalid):
            open_digest(sealed, key=key, context=context)


@requirement("C9")
def test_a_changed_digest_does_not_open() -> None:
    sealed = seal_digest(SHA256, key=KEY, context=CONTEXT)
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(PackageInvalid):
            open_digest(bytes(changed), key=KEY, context=CONTEXT)
    for other in (b"", sealed[:-1], sealed + b"\0"):
        with pytest.raises(PackageInvalid):
            open_digest(other, key=KEY, context=CONTEXT)


@requirement("C3")
def test_lengths_are_checked() -> None:
    with pytest.raises(ValueError, match="A SHA-256 has 32 bytes; this one has 20"):
        seal_digest(bytes(20), key=KEY, context=CONTEXT)
    with pytest.raises(ValueError, match="has 32 bytes; this one has 31"):
        seal_digest(SHA256, key=bytes(31), context=CONTEXT)
