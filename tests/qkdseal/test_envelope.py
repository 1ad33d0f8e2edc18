"""Envelope, header and inline package: vectors, re-wrapping, and everything that must not open."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdseal import body, envelope, header, kem, package
from qkdseal.encoding import to_base64, to_json
from qkdseal.envelope import ENVELOPE_LIMIT, Envelope
from qkdseal.errors import PackageInvalid
from qkdseal.header import MIN_ITERATIONS, Header, PassphraseFactor
from qkdseal.kem import KeyPair, Suite
from qkdseal.package import Package
from tests import requirement
from tests.qkdseal import reference

VECTORS: list[dict[str, Any]] = json.loads((reference.VECTORS / "envelope.json").read_text())["vectors"]
PAIRS = {suite: kem.generate_key_pair(suite) for suite in Suite if suite.seals}
QUANTUM_KEY = os.urandom(32)
HEADER = Header.of(file_id="file-1", quantum_key_id="qk-1", context=b"order 7")
FACTOR = PassphraseFactor(iterations=MIN_ITERATIONS)


def sealed(pair: KeyPair = PAIRS[Suite.XWING], made: Header = HEADER, **more: Any) -> tuple[Envelope, bytes]:
    return envelope.seal(
        made,
        pool_key_id="pool-1",
        pool_public_key=pair.public_key,
        pool_suite=pair.suite,
        **({"quantum_key": QUANTUM_KEY} | more),
    )


def opened(one: Envelope, **more: Any) -> bytes:
    known = {"seed": PAIRS[one.pool_suite].seed, "pool_suite": one.pool_suite}
    return envelope.open_envelope(one, **(known | {"quantum_key": QUANTUM_KEY, "context": b"order 7"} | more))


@pytest.fixture(scope="module")
def message() -> Package:
    pair = PAIRS[Suite.XWING]
    return package.seal_message(
        HEADER, b"a message", pool_key_id="pool-1", pool_public_key=pair.public_key, quantum_key=QUANTUM_KEY
    )


def read(text: str) -> bytes:
    seed = PAIRS[Suite.XWING].seed
    return package.open_message(
        Package.from_text(text), seed=seed, quantum_key=QUANTUM_KEY, context=b"order 7"
    )


@requirement("C2", "C9")
@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_our_vectors_with_the_reference_and_with_the_product(vector: dict[str, Any]) -> None:
    text, passphrase = to_json(vector["package"]), vector["passphrase"]
    seed, quantum_key = bytes.fromhex(vector["seed"]), bytes.fromhex(vector["quantum_key"])
    context = None if vector["context"] is None else bytes.fromhex(vector["context"])
    parsed, raw = Package.from_text(text), vector["package"]["envelope"]
    head = parsed.envelope.header

    assert (
        head.encoding().hex() == reference.header_encoding(raw["header"]).hex() == vector["header_encoding"]
    )
    assert head.digest().hex() == vector["header_digest"]
    assert (
        hashlib.sha256(kem.public_key_of(seed, suite=parsed.envelope.pool_suite)).hexdigest()
        == vector["public_key_sha256"]
    )
    assert reference.opened_envelope(raw, seed, quantum_key, passphrase).hex() == vector["file_key"]
    secrets: dict[str, Any] = {"seed": seed, "pool_suite": parsed.envelope.pool_suite}
    secrets |= {"quantum_key": quantum_key, "context": context, "passphrase": passphrase}
    assert envelope.open_envelope(parsed.envelope, **secrets).hex() == vector["file_key"]
    assert package.open_message(parsed, **secrets).decode() == vector["message"]
    assert parsed.to_text() == text


@requirement("C2")
@pytest.mark.parametrize("suite", PAIRS)
def test_a_sealed_envelope_gives_its_file_key_again(suite: Suite) -> None:
    one, file_key = sealed(PAIRS[suite])
    assert len(file_key) == body.KEY_SIZE
    assert opened(Envelope.from_bytes(one.to_bytes())) == file_key
    assert sealed(PAIRS[suite])[1] != file_key


@requirement("C6")
@pytest.mark.parametrize("new", PAIRS)
@pytest.mark.parametrize("old", PAIRS)
def test_rewrapping_keeps_file_key_and_body_and_retires_the_old_key(old: Suite, new: Suite) -> None:
    one, file_key = sealed(PAIRS[old])
    fresh = kem.generate_key_pair(new)
    other = envelope.rewrap(
        one,
        seed=PAIRS[old].seed,
        pool_suite=old,
        new_pool_key_id="pool-2",
        new_public_key=fresh.public_key,
        new_suite=new,
    )
    assert opened(other, seed=fresh.seed) == file_key
    assert other.header == one.header
    assert (other.pool_key_id, other.pool_suite) == ("pool-2", new)
    with pytest.raises(PackageInvalid):
        opened(other)


@requirement("C2", "C9")
def test_an_envelope_does_not_choose_how_a_seed_is_used() -> None:
    """It comes from outside, and may name a key of another suite with a seed of the same size."""
    raw = kem.generate_key_pair(Suite.MLKEM768_RAW)
    pair = KeyPair(suite=Suite.MLKEM768, seed=raw.seed, public_key=raw.public_key)
    forged, _ = sealed(pair)
    with pytest.raises(PackageInvalid):
        opened(forged, seed=raw.seed, pool_suite=raw.suite)
    with pytest.raises(PackageInvalid):
        envelope.rewrap(
            forged,
            seed=raw.seed,
            pool_suite=raw.suite,
            new_pool_key_id="pool-2",
            new_public_key=PAIRS[Suite.XWING].public_key,
        )


@requirement("C2")
def test_no_envelope_is_of_the_suite_that_seals_nothing() -> None:
    with pytest.raises(ValueError, match="seal nothing"):
        sealed(kem.generate_key_pair(Suite.MLKEM768_RAW))
    value = sealed(PAIRS[Suite.MLKEM768])[0].to_dict()
    with pytest.raises(PackageInvalid):
        Envelope.from_dict(value | {"pool_suite": Suite.MLKEM768_RAW.value})


@requirement("C6")
def test_rewrapping_with_the_wrong_seed_changes_nothing() -> None:
    one, _ = sealed()
    with pytest.raises(PackageInvalid):
        envelope.rewrap(
            one,
            seed=kem.generate_key_pair().seed,
            new_pool_key_id="pool-2",
            new_public_key=PAIRS[Suite.XWING].public_key,
        )


def another_file(one: Envelope) -> Envelope:
    return replace(one, header=replace(one.header, file_id="file-2"))


def another_quantum_key(one: Envelope) -> Envelope:
    return replace(one, header=replace(one.header, quantum_key_id="qk-2"))


def without_context(one: Envelope) -> Envelope:
    return replace(one, header=replace(one.header, context_digest=b""))


def with_passphrase(one: Envelope) -> Envelope:
    return replace(one, header=replace(one.header, passphrase=FACTOR))


def another_pool_key(one: Envelope) -> Envelope:
    return replace(one, pool_key_id="pool-2")


def anothers_secret(one: Envelope) -> Envelope:
    return replace(one, sealed=sealed(made=another_file(one).header)[0].sealed)


@requirement("C9")
@pytest.mark.parametrize(
    "change",
    [another_file, another_quantum_key, without_context, with_passphrase, another_pool_key, anothers_secret],
    ids=lambda change: change.__name__,
)
def test_no_part_of_an_envelope_can_be_exchanged(change: Callable[[Envelope], Envelope]) -> None:
    one, _ = sealed()
    for context in (b"order 7", None):
        for passphrase in ("guess", None):
            with pytest.raises(PackageInvalid):
                opened(change(one), context=context, passphrase=passphrase)


@requirement("C9")
@pytest.mark.parametrize("context", [None, b"", b"order 8"])
def test_another_context_does_not_open(context: bytes | None) -> None:
    with pytest.raises(PackageInvalid):
        opened(sealed()[0], context=context)


@requirement("C9")
def test_no_context_and_an_empty_one_differ() -> None:
    for made, asked in ((None, b""), (b"", None)):
        one, _ = sealed(made=Header.of(file_id="f", quantum_key_id="q", context=made))
        assert opened(one, context=made)
        with pytest.raises(PackageInvalid):
            opened(one, context=asked)


@requirement("C2")
def test_a_wrong_quantum_key_gives_a_key_that_the_body_refuses() -> None:
    one, file_key = sealed()
    data = body.seal_bytes(file_key, HEADER.digest(), b"secret")
    wrong = opened(one, quantum_key=os.urandom(32))
    assert wrong != file_key
    with pytest.raises(PackageInvalid):
        body.open_bytes(wrong, HEADER.digest(), data)


@requirement("C2")
def test_each_secret_alone_is_not_enough() -> None:
    """The file key depends on the sealed secret and on the quantum key."""
    secret, other = bytes(32), b"\x01" * 32
    keys = {
        envelope._file_key(HEADER, ikm, salt, None) for ikm in (secret, other) for salt in (secret, other)
    }
    assert len(keys) == 4


@requirement("C4")
def test_a_passphrase_is_a_factor_in_either_unicode_form() -> None:
    made = Header.of(file_id="f", quantum_key_id="q", context=b"order 7", passphrase=FACTOR)
    one, file_key = sealed(made=made, passphrase="Käse")
    assert opened(Envelope.from_bytes(one.to_bytes()), passphrase="Ka\u0308se") == file_key
    assert opened(one, passphrase="Kase") != file_key
    for impossible in (None, "", "x" * 1025, "\ud800"):
        with pytest.raises(PackageInvalid):
            opened(one, passphrase=impossible)


@requirement("C4")
def test_a_passphrase_without_a_factor_is_refused() -> None:
    with pytest.raises(ValueError, match="Give a passphrase where the header names a factor"):
        sealed(passphrase="unused")
    with pytest.raises(PackageInvalid):
        opened(sealed()[0], passphrase="unused")


@requirement("C4")
@pytest.mark.parametrize("stretched", [b"", bytes(31), bytes(64)], ids=len)
def test_a_stretched_passphrase_of_another_length_is_refused(stretched: bytes) -> None:
    """An empty one would leave the passphrase without effect."""
    made = Header.of(file_id="f", quantum_key_id="q", passphrase=FACTOR)
    with pytest.raises(ValueError, match=f"has 32 bytes; this one has {len(stretched)}"):
        sealed(made=made, stretched=stretched)


@requirement("C4")
def test_a_passphrase_is_given_in_one_form_only() -> None:
    made = Header.of(file_id="f", quantum_key_id="q", passphrase=FACTOR)
    with pytest.raises(ValueError, match="the passphrase or its stretched form"):
        sealed(made=made, passphrase="one", stretched=FACTOR.stretch("another"))


@requirement("C4")
@pytest.mark.parametrize("iterations", [-1, 0, 1, MIN_ITERATIONS - 1, header.MAX_ITERATIONS + 1, 2**40])
def test_iterations_are_bounded_when_made_and_when_read(iterations: int) -> None:
    with pytest.raises(ValueError, match="iterations"):
        PassphraseFactor(iterations=iterations)
    value = with_passphrase(sealed()[0]).to_dict()
    value["header"]["passphrase"]["iterations"] = iterations
    with pytest.raises(PackageInvalid):
        Envelope.from_dict(value)


@requirement("C4")
def test_default_iterations_are_at_least_owasps() -> None:
    assert PassphraseFactor().iterations >= 210_000
    assert PassphraseFactor().salt != PassphraseFactor().salt


@requirement("C3")
def test_what_the_caller_got_wrong_is_named() -> None:
    for size in (0, 16, 31, 33, 64):
        with pytest.raises(ValueError, match=f"quantum key has 32 bytes; this one has {size}"):
            sealed(quantum_key=bytes(size))
        with pytest.raises(ValueError, match=f"quantum key has 32 bytes; this one has {size}"):
            opened(sealed()[0], quantum_key=bytes(size))
    with pytest.raises(ValueError, match=r"seed of the suite .* has 32 bytes"):
        opened(sealed()[0], seed=bytes(64))
    with pytest.raises(ValueError, match="file id"):
        Header.of(file_id="with space", quantum_key_id="q")
    with pytest.raises(ValueError, match="quantum key id"):
        Header.of(file_id="f", quantum_key_id="x" * 256)
    with pytest.raises(ValueError, match="context digest"):
        Header(file_id="f", quantum_key_id="q", context_digest=b"short")
    with pytest.raises(ValueError, match="salt"):
        PassphraseFactor(salt=b"short")
    with pytest.raises(ValueError, match="wrong length"):
        replace(sealed()[0], sealed=b"short")
    with pytest.raises(ValueError, match="at most"):
        package.seal_message(
            HEADER,
            bytes(package.MESSAGE_LIMIT + 1),
            pool_key_id="p",
            pool_public_key=b"",
            quantum_key=QUANTUM_KEY,
        )


@requirement("C11")
def test_a_message_survives_text(message: Package) -> None:
    assert read(message.to_text()) == b"a message"
    assert message.to_text().isascii()


@requirement("C11")
def test_the_largest_message_fits_its_limit() -> None:
    pair = PAIRS[Suite.XWING]
    text = package.seal_message(
        HEADER,
        bytes(package.MESSAGE_LIMIT),
        pool_key_id="pool-1",
        pool_public_key=pair.public_key,
        quantum_key=QUANTUM_KEY,
    ).to_text()
    assert len(text) < 6_000_000
    assert read(text) == bytes(package.MESSAGE_LIMIT)


@requirement("C9")
def test_the_largest_envelope_fits_its_limit() -> None:
    pair = PAIRS[Suite.XWING]
    long = Header.of(file_id="~" * 255, quantum_key_id="~" * 255, context=b"", passphrase=FACTOR)
    one, _ = envelope.seal(
        long,
        pool_key_id="~" * 255,
        pool_public_key=pair.public_key,
        quantum_key=QUANTUM_KEY,
        passphrase="x",
    )
    assert len(one.to_bytes()) < ENVELOPE_LIMIT // 2
    assert Envelope.from_bytes(one.to_bytes()) == one


@requirement("C9")
@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_any_changed_character_of_a_package_gives_the_one_error(
    message: Package, data: st.DataObject
) -> None:
    text = message.to_text()
    kind = data.draw(st.sampled_from(["change", "cut", "extend", "delete"]))
    position = data.draw(st.integers(0, len(text) - 1))
    if kind == "change":
        new = data.draw(st.characters(codec="utf-8").filter(lambda c: c != text[position]))
        damaged = text[:position] + new + text[position + 1 :]
    elif kind == "cut":
        damaged = text[:position]
    elif kind == "extend":
        damaged = text + data.draw(st.sampled_from("}]x,{\x00"))
    else:
        damaged = text[:position] + text[position + 1 :]
    with pytest.raises(PackageInvalid) as raised:
        read(damaged)
    assert str(raised.value) == str(PackageInvalid())
    assert raised.value.__cause__ is None


PATHS = [
    (),
    ("body",),
    ("envelope",),
    ("envelope", "header"),
    ("envelope", "pool_key_id"),
    ("envelope", "pool_suite"),
    ("envelope", "sealed"),
    ("envelope", "header", "version"),
    ("envelope", "header", "suite"),
    ("envelope", "header", "body"),
    ("envelope", "header", "file_id"),
    ("envelope", "header", "quantum_key_id"),
    ("envelope", "header", "context_digest"),
    ("envelope", "header", "passphrase"),
    ("envelope", "header", "passphrase", "kdf"),
    ("envelope", "header", "passphrase", "salt"),
    ("envelope", "header", "passphrase", "iterations"),
]
ODD: list[object] = [
    None,
    True,
    1.5,
    -1,
    2,
    10**400,
    "",
    "?",
    "x" * 300,
    "AA==",
    "AB==",
    "\ud800",
    [],
    {},
    {"a": 1},
    b"x",
]


FINE: dict[tuple[str, ...], list[object]] = {  # where one of ODD is a valid value
    ("body",): ["", "AA==", "x" * 300],
    ("envelope", "pool_key_id"): ["?", "AA==", "AB=="],
    ("envelope", "header", "file_id"): ["?", "AA==", "AB=="],
    ("envelope", "header", "quantum_key_id"): ["?", "AA==", "AB=="],
}


@requirement("C9")
@pytest.mark.parametrize("path", PATHS, ids="/".join)
def test_every_field_is_checked_for_type_form_and_bounds(path: tuple[str, ...]) -> None:
    for odd in ODD:
        if odd in FINE.get(path, []):
            continue
        with pytest.raises(PackageInvalid):
            Package.from_dict(replaced(whole(), path, odd))


@requirement("C9")
@pytest.mark.parametrize("path", [path for path in PATHS if path], ids="/".join)
def test_missing_and_unknown_fields_are_refused(path: tuple[str, ...]) -> None:
    value = whole()
    if path[-1] not in {"context_digest", "passphrase"}:
        del inside(value, path)[path[-1]]
        with pytest.raises(PackageInvalid):
            Package.from_dict(value)
    with pytest.raises(PackageInvalid):
        Package.from_dict(replaced(whole(), (*path[:-1], "more"), 1))


def inside(value: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The object that holds the last name of the path."""
    for name in path[:-1]:
        value = value[name]
    return value


def replaced(value: dict[str, Any], path: tuple[str, ...], odd: object) -> object:
    """The value with ``odd`` at the path."""
    if not path:
        return odd
    inside(value, path)[path[-1]] = odd
    return value


def whole() -> dict[str, Any]:
    """A package with every optional field, as a dict."""
    one = with_passphrase(sealed()[0])
    parsed: dict[str, Any] = json.loads(Package(envelope=one, body=b"body").to_text())
    return parsed


@requirement("C9")
@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "1", '"x"', "{}", "[" * 100_000, '{"a":1,"a":1}', "9" * 10_000, "{" * 5000, "\x00"],
    ids=lambda text: text[:12],
)
def test_text_that_is_no_package_is_refused(text: str) -> None:
    with pytest.raises(PackageInvalid):
        Package.from_text(text)
    with pytest.raises(PackageInvalid):
        Envelope.from_bytes(text.encode())


@requirement("C9")
def test_oversized_and_foreign_bytes_are_refused() -> None:
    good = sealed()[0].to_bytes()
    for data in (good + b" " * ENVELOPE_LIMIT, good.decode().encode("utf-16"), b"\xff" + good):
        with pytest.raises(PackageInvalid):
            Envelope.from_bytes(data)


@requirement("C9")
def test_a_repeated_field_is_refused(message: Package) -> None:
    text = message.to_text()
    with pytest.raises(PackageInvalid):
        Package.from_text(text[:-1] + ',"body":' + json.dumps(to_base64(message.body)) + "}")


ids = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/"), min_size=1, max_size=8
)


@requirement("C9")
@settings(max_examples=100, deadline=None)
@given(
    one=st.tuples(ids, ids),
    two=st.tuples(ids, ids),
)
def test_different_headers_have_different_encodings(one: tuple[str, str], two: tuple[str, str]) -> None:
    headers = [
        Header(file_id=file_id, quantum_key_id=quantum_key_id) for file_id, quantum_key_id in (one, two)
    ]
    same = headers[0].encoding() == headers[1].encoding()
    assert same == (one == two)


@requirement("I2")
def test_repr_shows_no_secret(message: Package) -> None:
    one, file_key = sealed()
    for text in (repr(one), repr(message), repr(message.envelope.header)):
        assert file_key.hex() not in text
        assert "sealed" not in text
        assert len(text) < 600
