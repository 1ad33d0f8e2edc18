"""The compatibility suite, and AES-CBC, HKDF, PBKDF2 against published vectors."""

import base64
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.keys import services as keys
from qkdseal import cbc, kem, pqfile
from qkdseal.envelope import Envelope
from qkdseal.errors import PackageInvalid
from qkdseal.header import Header, PackageSuite
from qkdseal.kem import Suite
from qkdseal.pqfile import PqfilePackage
from tests import requirement
from tests.conftest import TESTS
from tests.qkdseal import reference

PUBLISHED = Path(cryptography_vectors.__file__).parent
PAIR = kem.generate_key_pair(Suite.MLKEM768_RAW)
QUANTUM_KEY = os.urandom(32)
HEADER = pqfile.pqfile_header(file_id="message-1", quantum_key_id="qk-1", context=b"order 7")
MESSAGE = b"a message of more than one block"
OURS = json.loads((reference.VECTORS / "pqfile.json").read_text())["vectors"]


def sealed():
    return pqfile.seal_pqfile(
        HEADER,
        MESSAGE,
        pool_key_id="pool-1",
        pool_public_key=PAIR.public_key,
        pool_suite=PAIR.suite,
        quantum_key=QUANTUM_KEY,
    )


def opened(document, **changes):
    known = {"seed": PAIR.seed, "pool_suite": PAIR.suite, "quantum_key": QUANTUM_KEY, "context": b"order 7"}
    secrets: dict[str, Any] = known | changes
    return pqfile.open_pqfile(PqfilePackage.from_dict(document), **secrets)


@requirement("C2")
def test_rfc_7518_appendix_b_3():
    """A256CBC-HS512."""
    key = bytes(range(64))
    plaintext = (
        b"A cipher system must not be required to be secret, and it must be able to fall into the hands of "
        b"the enemy without inconvenience"
    )
    aad = b"The second principle of Auguste Kerckhoffs"
    iv = bytes.fromhex("1af38c2dc2b96ffdd86694092341bc04")
    ciphertext = bytes.fromhex(
        "4affaaadb78c31c5da4b1b590d10ffbd3dd8d5d302423526912da037ecbcc7bd822c301dd67c373bccb584ad3e9279c2"
        "e6d12a1374b77f077553df829410446b36ebd97066296ae6427ea75c2e0846a11a09ccf5370dc80bfecbad28c73f09b3"
        "a3b75e662a2594410ae496b2e2e6609e31e6e02cc837f053d21f37ff4f51950bbe2638d09dd7a4930930806d0703b1f6"
    )
    tag = bytes.fromhex("4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5")
    keys: dict[str, bytes] = {"mac_key": key[:32], "encryption_key": key[32:], "aad": aad}
    assert cbc.encrypt(plaintext, iv=iv, **keys) == (iv, ciphertext, tag)
    assert cbc.decrypt(ciphertext, iv=iv, tag=tag, **keys) == plaintext


@requirement("C2")
@pytest.mark.parametrize("name", ["GFSbox", "KeySbox", "MMT", "VarKey", "VarTxt"])
def test_nist_aes_256_cbc_vectors(name):
    text = (PUBLISHED / "ciphers" / "AES" / "CBC" / f"CBC{name}256.rsp").read_text()
    checked = 0
    for block in text.split("\n\n"):
        vector = dict(line.split(" = ") for line in block.splitlines() if " = " in line)
        if "CIPHERTEXT" not in vector:
            continue
        key, iv, plaintext = (bytes.fromhex(vector[field]) for field in ("KEY", "IV", "PLAINTEXT"))
        encryptor = Cipher(AES256(key), CBC(iv)).encryptor()
        assert (encryptor.update(plaintext) + encryptor.finalize()).hex() == vector["CIPHERTEXT"]
        checked += 1
    assert checked >= 5


def records(path):
    """``NAME = value`` lines, a record at each COUNT."""
    found: list[dict[str, str]] = []
    for line in (PUBLISHED / path).read_text().splitlines():
        name, sign, value = (part.strip() for part in line.partition("="))
        if sign and name == "COUNT":
            found.append({})
        elif sign and found:
            found[-1][name] = value
    return found


@requirement("C2")
def test_rfc_5869_hkdf_vectors():
    vectors = records("KDF/rfc-5869-HKDF-SHA256.txt")
    for vector in vectors:
        salt, info, ikm = (bytes.fromhex(vector.get(field, "")) for field in ("salt", "info", "IKM"))
        derived = HKDF(SHA256(), int(vector["L"]), salt, info).derive(ikm)
        assert derived.hex() == vector["OKM"]
    assert len(vectors) >= 3


@requirement("C4")
def test_rfc_6070_pbkdf2_vectors():
    vectors = records("KDF/rfc-6070-PBKDF2-SHA1.txt")
    for vector in vectors:
        password, salt = (vector[field].encode().replace(b"\\0", b"\0") for field in ("PASSWORD", "SALT"))
        kdf = PBKDF2HMAC(SHA1(), int(vector["LENGTH"]), salt, int(vector["ITERATIONS"]))  # noqa: S303 - the RFC's
        assert kdf.derive(password).hex() == vector["DERIVED_KEY"]
    assert len(vectors) >= 5


@requirement("C4")
def test_pbkdf2_hmac_sha512_known_answer():
    """The widely used answer for password, salt, 4,096 rounds, 64 bytes: what RFC 6070 has for SHA-1."""
    derived = PBKDF2HMAC(SHA512(), 64, b"salt", 4096).derive(b"password")
    assert derived.hex() == (
        "d197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5"
        "143f30602641b3d55cd335988cb36b84376060ecd532e039b742a239434af2d5"
    )


@requirement("C2")
@pytest.mark.parametrize("vector", OURS, ids=lambda vector: vector["name"])
def test_our_vectors_with_the_reference_and_with_the_product(vector):
    seed, quantum_key = bytes.fromhex(vector["seed"]), bytes.fromhex(vector["quantum_key"])
    context = None if vector["context"] is None else bytes.fromhex(vector["context"])
    assert reference.opened_pqfile(vector["package"], seed, quantum_key).decode() == vector["message"]
    package = PqfilePackage.from_dict(vector["package"])
    message = pqfile.open_pqfile(
        package, seed=seed, pool_suite=Suite(vector["pool_suite"]), quantum_key=quantum_key, context=context
    )
    assert message.decode() == vector["message"]
    assert package.to_dict() == vector["package"]


@requirement("C2")
def test_it_is_never_the_default():
    assert Header.of(file_id="f", quantum_key_id="q").suite is PackageSuite.HYBRID
    assert opened(sealed().to_dict()) == MESSAGE


@requirement("C9")
def test_another_secret_or_context_gives_the_one_error():
    document = sealed().to_dict()
    others: list[dict[str, Any]] = [
        {"seed": os.urandom(64)},
        {"quantum_key": os.urandom(32)},
        {"context": b"8"},
        {"context": None},
    ]
    for change in others:
        with pytest.raises(PackageInvalid) as raised:
            opened(document, **change)
        assert raised.value.__cause__ is None


@requirement("C2", "C9")
def test_a_key_serves_either_this_suite_or_hpke_and_never_both():
    document = sealed().to_dict()
    for suite in (Suite.MLKEM768, Suite.XWING):
        with pytest.raises(PackageInvalid):
            opened(document, pool_suite=suite)
    hpke = kem.generate_key_pair(Suite.MLKEM768)
    with pytest.raises(ValueError, match="mlkem768-raw; this is mlkem768-hkdf"):
        pqfile.seal_pqfile(
            HEADER,
            MESSAGE,
            pool_key_id="pool-1",
            pool_public_key=hpke.public_key,
            pool_suite=hpke.suite,
            quantum_key=QUANTUM_KEY,
        )


@requirement("C3")
@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_quantum_key_has_32_bytes(size):
    with pytest.raises(ValueError, match=f"has 32 bytes; this one has {size}"):
        opened(sealed().to_dict(), quantum_key=bytes(size))


@requirement("C9")
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_changed_byte_gives_the_one_error(data):
    document = sealed().to_dict()
    name = data.draw(st.sampled_from(["kem_ciphertext", "iv", "ciphertext", "tag"]))
    raw = bytearray(base64.b64decode(document[name]))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(PackageInvalid):
        opened(document | {name: base64.b64encode(raw).decode()})


@requirement("C9")
def test_cut_extended_and_mixed_packages_give_the_one_error():
    one, two = sealed(), sealed()
    for changed in (
        {"ciphertext": one.ciphertext[:16]},
        {"ciphertext": one.ciphertext + one.ciphertext[-16:]},
        {"ciphertext": two.ciphertext, "iv": two.iv, "tag": two.tag},
        {"kem_ciphertext": two.kem_ciphertext},
        {"pool_key_id": "pool-2"},
        {"header": pqfile.pqfile_header(file_id="message-2", quantum_key_id="qk-1", context=b"order 7")},
    ):
        with pytest.raises(PackageInvalid):
            opened(replace(one, **changed).to_dict())
    malformed: list[Any] = [one.to_dict() | {"iv": ""}, one.to_dict() | {"more": 1}, {"header": {}}, [], None]
    for document in malformed:
        with pytest.raises(PackageInvalid):
            opened(document)


@requirement("C9")
def test_suites_cannot_be_exchanged():
    document = sealed().to_dict()
    hybrid = {**document["header"], "suite": PackageSuite.HYBRID.value}
    with pytest.raises(PackageInvalid):
        opened(document | {"header": hybrid})
    envelope = {
        "header": document["header"],
        "pool_key_id": "pool-1",
        "pool_suite": Suite.MLKEM768.value,
        "sealed": base64.b64encode(bytes(1136)).decode(),
    }
    with pytest.raises(PackageInvalid):
        Envelope.from_dict(envelope)


@requirement("C2", "C11", "I1")
def test_a_message_in_the_compatibility_suite_over_the_api(api, other_api, stock):
    body = {"plaintext": "old friend", "context": "7", "suite": "pqfile-mlkem768-sha256"}
    answer = api.post("encrypt", body)
    assert answer.status_code == 200, answer.content
    package = answer.json()
    assert package["package"]["header"]["body"] == "a256cbc-hs512"
    assert api.post("decrypt", package | {"context": "7"}).json()["plaintext"] == "old friend"
    for wrong in ({}, {"context": "8"}, {"context": "7", "passphrase": "superfluous"}):
        assert api.post("decrypt", package | wrong).status_code == 400
    assert other_api.post("decrypt", package | {"context": "7"}).status_code == 400
    assert api.post("encrypt", body | {"passphrase": "correct horse"}).status_code == 400
    assert api.post("encrypt", body | {"suite": "rot13"}).status_code == 400
    assert "envelope" in api.post("encrypt", {"plaintext": "new friend"}).json()["package"]


@requirement("C2", "C9", "C11")
def test_a_compatibility_package_cannot_name_a_key_that_was_made_for_hpke(api, stock):
    """Its seed would decapsulate whatever ciphertext the caller chose."""
    body = {"plaintext": "old friend", "suite": "pqfile-mlkem768-sha256"}
    compatible = api.post("encrypt", body).json()
    key_id = keys.create(1, suite=Suite.MLKEM768, actor=TESTS)[0].key_id
    package = compatible["package"] | {"pool_key_id": key_id}
    assert api.post("decrypt", {"package": package}).status_code == 400
    assert keys.find(compatible["package"]["pool_key_id"]).suite is Suite.MLKEM768_RAW
    assert api.post("decrypt", compatible).json()["plaintext"] == "old friend"


@requirement("C9", "I8")
def test_the_api_reads_a_package_as_strictly_as_the_format_does(api, stock):
    package = api.post("encrypt", {"plaintext": "x"}).json()["package"]
    text = json.dumps({"package": package})
    repeated = text.replace('"envelope":', '"envelope": {}, "envelope":', 1)
    answer = api.post("decrypt", repeated)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "invalid-input")
    assert "repeats the name" in answer.json()["detail"]
