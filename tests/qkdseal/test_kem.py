"""Pool key pairs: published vectors, and what a seed or a sealed secret of the wrong kind does."""

import hashlib
import json
from pathlib import Path
from typing import Any

import cryptography_vectors
import pytest
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives import hpke
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdseal import kem
from qkdseal.kem import KeyPair, OpenFailed, Suite
from tests import requirement
from tests.qkdseal import reference

PUBLISHED = Path(cryptography_vectors.__file__).parent
HPKE_PQ: list[dict[str, Any]] = [
    vector
    for vector in json.loads((PUBLISHED / "HPKE" / "hpke-pq-test-vectors.json").read_text())
    if vector["kem_id"] in {0x0041, 0x647A}
]
SUITE_OF = {0x0041: Suite.MLKEM768, 0x647A: Suite.XWING}
KDF_OF = {0x0001: hpke.KDF.HKDF_SHA256, 0x0010: hpke.KDF.SHAKE128, 0x0011: hpke.KDF.SHAKE256}
AEAD_OF = {1: hpke.AEAD.AES_128_GCM, 2: hpke.AEAD.AES_256_GCM, 3: hpke.AEAD.CHACHA20_POLY1305}
# draft-connolly-cfrg-xwing-kem, appendix C: its seeds are successive bytes of SHAKE-128 of nothing (32 for the
# key, 64 for the encapsulation); here the SHA-256 of the public keys (1,216 bytes each) it prints.
XWING_DRAFT = [
    "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb",
    "c42ba5f8430d7d2c83739338203819f090e8303ce9c8b02107c272bfa5376916",
    "6b080d6b84f095342092fa7a22423e58bd681397ad0ef00eac92bd254db4fa95",
]


@pytest.fixture(scope="module", params=[suite for suite in Suite if suite.seals])
def pair(request: pytest.FixtureRequest) -> KeyPair:
    return kem.generate_key_pair(request.param)


def mlkem_vectors() -> list[dict[str, bytes]]:
    """The known answers for ML-KEM-768 that cryptography publishes: z, d, pk, ct, ss and more."""
    records, fields = [], dict[str, bytes]()
    for line in (PUBLISHED / "asymmetric" / "MLKEM" / "kat_MLKEM_768.rsp").read_text().splitlines():
        name, separator, value = (part.strip() for part in line.partition("="))
        if separator:
            fields[name] = b"" if name == "count" else bytes.fromhex(value)
        if name == "ss":
            records.append(dict(fields))
    return records


@requirement("C2")
def test_mlkem_seeds_give_the_published_public_keys_and_shared_secrets() -> None:
    vectors = mlkem_vectors()
    assert len(vectors) >= 25
    for vector in vectors:
        seed = vector["d"] + vector["z"]
        assert kem.public_key_of(seed, suite=Suite.MLKEM768) == vector["pk"]
        assert reference.decapsulated(Suite.MLKEM768.value, seed, vector["ct"]) == vector["ss"]


@requirement("C2")
@pytest.mark.parametrize("number", range(3))
def test_xwing_public_keys_are_those_of_the_draft(number: int) -> None:
    seed = hashlib.shake_128(b"").digest(3 * 96)[number * 96 :][:32]
    assert hashlib.sha256(kem.public_key_of(seed, suite=Suite.XWING)).hexdigest() == XWING_DRAFT[number]


@requirement("C2")
@pytest.mark.parametrize("vector", HPKE_PQ, ids=lambda v: f"{v['kem_id']:#x}-{v['kdf_id']:#x}")
def test_published_hpke_pq_vectors_open_with_our_private_keys(vector: dict[str, Any]) -> None:
    suite, seed = SUITE_OF[vector["kem_id"]], bytes.fromhex(vector["skRm"])
    enc, first = bytes.fromhex(vector["enc"]), vector["encryptions"][0]
    assert kem.public_key_of(seed, suite=suite).hex() == vector["pkRm"]
    assert reference.decapsulated(suite.value, seed, enc).hex() == vector["shared_secret"]
    kem_id = hpke.KEM.MLKEM768_X25519 if suite is Suite.XWING else hpke.KEM.MLKEM768
    published = hpke.Suite(kem_id, KDF_OF[vector["kdf_id"]], AEAD_OF[vector["aead_id"]])
    opened = openssl.hpke._decrypt_with_aad(
        published,
        enc + bytes.fromhex(first["ct"]),
        kem._hpke_private(suite, seed),
        bytes.fromhex(vector["info"]),
        bytes.fromhex(first["aad"]),
    )
    assert opened.hex() == first["pt"]


@requirement("C2")
@settings(max_examples=20, deadline=None)
@given(secret=st.binary(max_size=200), info=st.binary(max_size=200))
def test_sealed_secrets_open_again(pair: KeyPair, secret: bytes, info: bytes) -> None:
    sealed = kem.seal_secret(secret, suite=pair.suite, public_key=pair.public_key, info=info)
    assert len(sealed) == pair.suite.sealed_size(len(secret))
    assert kem.open_secret(sealed, suite=pair.suite, seed=pair.seed, info=info) == secret
    assert reference.hpke_opened(pair.suite.value, pair.seed, sealed, info) == secret


@requirement("C9")
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_change_of_a_sealed_secret_is_found(pair: KeyPair, data: st.DataObject) -> None:
    sealed = bytearray(kem.seal_secret(b"s" * 32, suite=pair.suite, public_key=pair.public_key, info=b"info"))
    kind = data.draw(st.sampled_from(["flip", "cut", "extend"]))
    if kind == "flip":
        sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del sealed[data.draw(st.integers(0, len(sealed) - 1)) :]
    else:
        sealed += data.draw(st.binary(min_size=1, max_size=40))
    with pytest.raises(OpenFailed):
        kem.open_secret(bytes(sealed), suite=pair.suite, seed=pair.seed, info=b"info")


@requirement("C2")
def test_another_key_or_info_does_not_open(pair: KeyPair) -> None:
    sealed = kem.seal_secret(b"secret", suite=pair.suite, public_key=pair.public_key, info=b"info")
    with pytest.raises(OpenFailed):
        kem.open_secret(sealed, suite=pair.suite, seed=kem.generate_key_pair(pair.suite).seed, info=b"info")
    with pytest.raises(OpenFailed):
        kem.open_secret(sealed, suite=pair.suite, seed=pair.seed, info=b"other info")


@requirement("C3")
def test_an_expanded_mlkem_key_is_refused_with_what_to_give_instead() -> None:
    with pytest.raises(ValueError, match=r"expanded ML-KEM-768 .*64-byte seed"):
        kem.public_key_of(bytes(2400), suite=Suite.MLKEM768)


@requirement("C3")
def test_wrong_lengths_are_named(pair: KeyPair) -> None:
    with pytest.raises(
        ValueError, match=f"seed of the suite .* has {pair.suite.seed_size} bytes; this one has 31"
    ):
        kem.open_secret(b"", suite=pair.suite, seed=bytes(31), info=b"")
    with pytest.raises(
        ValueError, match=f"public key of the suite .* has {pair.suite.public_size} bytes; this one has 1183"
    ):
        kem.seal_secret(b"", suite=pair.suite, public_key=bytes(1183), info=b"")


@requirement("C3")
def test_a_public_key_with_coefficients_out_of_range_is_refused(pair: KeyPair) -> None:
    with pytest.raises(ValueError, match="ML-KEM-768"):
        kem.seal_secret(b"", suite=pair.suite, public_key=b"\xff" * pair.suite.public_size, info=b"")
    with pytest.raises(ValueError, match="ML-KEM-768"):
        kem.check_public_key(b"\xff" * pair.suite.public_size, suite=pair.suite)


@requirement("C3")
def test_an_x25519_point_of_low_order_is_refused_before_something_is_sealed_to_it() -> None:
    public_key = kem.generate_key_pair(Suite.XWING).public_key[:-32] + bytes(32)
    with pytest.raises(ValueError):  # noqa: PT011 - the library's own words
        kem.check_public_key(public_key, suite=Suite.XWING)


@requirement("C2")
def test_keys_of_the_pqfile_suite_seal_nothing_and_open_nothing() -> None:
    raw, sealing = kem.generate_key_pair(Suite.MLKEM768_RAW), kem.generate_key_pair(Suite.MLKEM768)
    with pytest.raises(ValueError, match="seal nothing"):
        kem.seal_secret(b"secret", suite=raw.suite, public_key=raw.public_key, info=b"")
    sealed = kem.seal_secret(b"secret", suite=sealing.suite, public_key=sealing.public_key, info=b"")
    with pytest.raises(ValueError, match="seal nothing"):
        kem.open_secret(sealed, suite=raw.suite, seed=sealing.seed, info=b"")


@requirement("C3")
def test_public_keys_of_every_suite_are_checked() -> None:
    for suite in Suite:
        kem.check_public_key(kem.generate_key_pair(suite).public_key, suite=suite)
        with pytest.raises(ValueError, match="bytes; this one has"):
            kem.check_public_key(bytes(suite.public_size - 1), suite=suite)


@requirement("A8", "I2")
def test_repr_shows_no_key(pair: KeyPair) -> None:
    assert repr(pair) == f"KeyPair(suite={pair.suite!r})"
    assert pair.seed.hex() not in str(pair)


@requirement("C2")
def test_pairs_differ() -> None:
    assert kem.generate_key_pair().suite is Suite.XWING
    assert kem.generate_key_pair().seed != kem.generate_key_pair().seed
