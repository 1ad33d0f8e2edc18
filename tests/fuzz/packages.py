"""What one input of the fuzzer does to a package: it opens unchanged, or gives the one error and nothing else.

    python -m tests.fuzz.packages [options of libFuzzer]      with atheris installed

An input's first byte chooses what is read; the rest is either read as it is, or taken as a list of changes to
a valid one. Anything other than ``PackageInvalid`` comes out is a finding.
"""

import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from qkdseal import body
from qkdseal.body import CHUNK_SIZE, HEADER_SIZE, SEALED_CHUNK_SIZE
from qkdseal.encoding import json_object, to_json
from qkdseal.envelope import Envelope
from qkdseal.errors import PackageInvalid
from qkdseal.kem import Suite
from qkdseal.package import TEXT_LIMIT, Package, open_message
from qkdseal.pqfile import PqfilePackage, open_pqfile
from qkdseal.reading import read_package
from tests.qkdseal import reference

KEY, CONTEXT = bytes(range(32)), b"fuzz"
PLAINTEXT = b"".join(number.to_bytes(4, "big") for number in range(2 * CHUNK_SIZE // 4 + 25))
BODY = reference.sealed_body(KEY, CONTEXT, bytes(24), PLAINTEXT)


def _vector(name: str) -> dict[str, Any]:
    """A message of ours that needs neither context nor passphrase."""
    vectors = json.loads((reference.VECTORS / f"{name}.json").read_text())["vectors"]
    return dict(next(v for v in vectors if v["context"] is None and v.get("passphrase") is None))


MESSAGE, COMPATIBLE = _vector("envelope"), _vector("pqfile")


def one_input(data: bytes) -> None:
    """Read one input in the way that it asks for."""
    if data:
        READ[data[0] % len(READ)](data[1:])


def _envelope(data: bytes) -> None:
    try:
        envelope = Envelope.from_bytes(data)
    except PackageInvalid:
        return
    assert Envelope.from_bytes(envelope.to_bytes()) == envelope


def _package(data: bytes) -> None:
    try:
        package = read_package(data.decode("latin-1"))
    except PackageInvalid:
        return
    assert read_package(to_json(package.to_dict())) == package


def _message(changes: bytes) -> None:
    true = to_json(MESSAGE["package"])
    seed, quantum_key = bytes.fromhex(MESSAGE["seed"]), bytes.fromhex(MESSAGE["quantum_key"])
    try:
        package = Package.from_text(apply_changes(true.encode(), changes).decode("latin-1"))
        opened = open_message(package, seed=seed, quantum_key=quantum_key)
    except PackageInvalid:
        return
    assert opened == MESSAGE["message"].encode()
    assert package == Package.from_text(true)


def _compatible(changes: bytes) -> None:
    true = to_json(COMPATIBLE["package"])
    secrets: dict[str, Any] = {
        "seed": bytes.fromhex(COMPATIBLE["seed"]),
        "pool_suite": Suite(COMPATIBLE["pool_suite"]),
        "quantum_key": bytes.fromhex(COMPATIBLE["quantum_key"]),
    }
    try:
        text = apply_changes(true.encode(), changes).decode("latin-1")
        package = PqfilePackage.from_dict(json_object(text, limit=TEXT_LIMIT))
        opened = open_pqfile(package, **secrets)
    except PackageInvalid:
        return
    assert opened == COMPATIBLE["message"].encode()
    assert package.to_dict() == COMPATIBLE["package"]


def _body(changes: bytes) -> None:
    sealed = apply_changes(BODY, changes)
    for read in (_read_whole, _read_stream, _read_range):
        released: list[bytes] = []
        refused: PackageInvalid | None = None
        try:
            read(sealed, released)
        except PackageInvalid as error:
            refused = error
        if refused is None:
            assert (sealed, b"".join(released)) == (BODY, PLAINTEXT)
        else:
            assert refused.__cause__ is None
            assert PLAINTEXT.startswith(b"".join(released))


def _read_whole(sealed: bytes, released: list[bytes]) -> None:
    released.append(body.open_bytes(KEY, CONTEXT, sealed))


def _read_stream(sealed: bytes, released: list[bytes]) -> None:
    sink = io.BytesIO()
    try:
        body.decrypt_stream(io.BytesIO(sealed), sink, key=KEY, context=CONTEXT)
    finally:
        released.append(sink.getvalue())


def _read_range(sealed: bytes, released: list[bytes]) -> None:
    def read_at(offset: int, length: int) -> bytes:
        return sealed[offset : offset + length]

    size = body.plaintext_size(len(sealed))
    whole = {"start": 0, "stop": size, "size": size}
    released.extend(body.decrypt_range_chunks(read_at, key=KEY, context=CONTEXT, **whole))


READ: list[Callable[[bytes], None]] = [_envelope, _message, _compatible, _body, _package]


def apply_changes(true: bytes, program: bytes) -> bytes:
    """The valid bytes with changes of six bytes each: what, where (3), with what (2)."""
    made = bytearray(true)
    for what, where, value in _steps(program):
        at = where % (len(made) + 1)
        CHANGES[what % len(CHANGES)](made, at, value)
    return bytes(made)


def _steps(program: bytes) -> Iterator[tuple[int, int, int]]:
    for start in range(0, min(len(program) // 6, 8) * 6, 6):
        step = program[start : start + 6]
        yield step[0], int.from_bytes(step[1:4], "big"), int.from_bytes(step[4:], "big")


def _flip(made: bytearray, at: int, value: int) -> None:
    if at < len(made):
        made[at] ^= 1 << value % 8


def _set(made: bytearray, at: int, value: int) -> None:
    if at < len(made):
        made[at] = value % 256


def _cut(made: bytearray, at: int, _value: int) -> None:
    del made[at:]


def _remove(made: bytearray, at: int, value: int) -> None:
    del made[at : at + value]


def _insert(made: bytearray, at: int, value: int) -> None:
    made[at:at] = value.to_bytes(2, "big")


def _copy(made: bytearray, at: int, value: int) -> None:
    made[at:at] = made[value : value + 64]


def _swap(made: bytearray, at: int, value: int) -> None:
    """Two chunks of a body."""
    chunks = [made[s : s + SEALED_CHUNK_SIZE] for s in range(HEADER_SIZE, len(made), SEALED_CHUNK_SIZE)]
    if chunks:
        one, other = at % len(chunks), value % len(chunks)
        chunks[one], chunks[other] = chunks[other], chunks[one]
        made[HEADER_SIZE:] = b"".join(chunks)


CHANGES: list[Callable[[bytearray, int, int], None]] = [_flip, _set, _cut, _remove, _insert, _copy, _swap]


def main() -> None:
    """Let atheris make inputs, guided by the branches that they reach."""
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
