"""``qkdseal``: opens what was kept offline, with the keys that the platform has exported. It needs no network.

    qkdseal recipient -o me.json                      # a key pair; its public key goes into the requests for export
    qkdseal open-export pool-export.json --recipient me.json -o pool-key.json
    qkdseal open body --envelope envelope.json --pool-key pool-key.json --quantum-key quantum-key.json -o report.pdf

A key is a document of JSON with ``key_id`` and, in base64, ``seed`` (of a pool key, with its ``suite``) or ``key`` (a
quantum key). Exit code 0: done; 1: it does not open, or a file cannot be read or written; 2: wrong usage.
"""

import argparse
import base64
import getpass
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from qkdseal import (
    Envelope,
    OpenFailed,
    PackageInvalid,
    Suite,
    decrypt_stream,
    generate_key_pair,
    open_envelope,
    open_secret,
)

PRIVATE = 0o600
SEALED = {"sealed_seed": "seed", "sealed_key": "key"}  # what an export holds, and what it is once it is open


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        COMMANDS[options.command](options)
    except PackageInvalid as error:
        return _fail(f"{error} A wrong passphrase looks the same.")
    except OpenFailed:
        return _fail("The export does not open: it is for another recipient, or was changed.")
    except (KeyError, ValueError, TypeError) as error:
        return _fail(f"A document does not say what it has to ({type(error).__name__}: {error}).")
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}")
    return 0


def _fail(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 1


def _recipient(options: argparse.Namespace) -> None:
    """Make a key pair to which the platform can seal what it exports."""
    pair = generate_key_pair(Suite(options.suite))
    told = {"suite": pair.suite.value, "public_key": _to_base64(pair.public_key)}
    _write_document(options.output, told | {"seed": _to_base64(pair.seed)})
    sys.stdout.write(json.dumps(told) + "\n")


def _open_export(options: argparse.Namespace) -> None:
    """Open a key that was exported to this recipient."""
    export, recipient = _document(options.export), _document(options.recipient)
    [sealed] = [name for name in SEALED if name in export]
    secret = open_secret(
        _from_base64(export[sealed]),
        suite=Suite(export["recipient_suite"]),
        seed=_from_base64(recipient["seed"]),
        info=_from_base64(export["info"]),
    )
    told = {name: export[name] for name in ("key_id", "suite") if name in export}
    _write_document(options.output, told | {SEALED[sealed]: _to_base64(secret)})


def _open(options: argparse.Namespace) -> None:
    """Decrypt a body; nothing is left of one that does not open."""
    envelope = Envelope.from_bytes(Path(options.envelope).read_bytes())
    pool_key, quantum_key = _document(options.pool_key), _document(options.quantum_key)
    file_key = open_envelope(
        envelope,
        seed=_from_base64(pool_key["seed"]),
        quantum_key=_from_base64(quantum_key["key"]),
        pool_suite=Suite(pool_key["suite"]),
        passphrase=_passphrase(options),
    )
    part = Path(f"{options.output}.part")
    try:
        with Path(options.body).open("rb") as body, _private(part) as out:
            decrypt_stream(body, out, key=file_key, context=envelope.header.digest())
        os.link(part, options.output)  # unlike a rename, it overwrites nothing
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


COMMANDS = {"recipient": _recipient, "open-export": _open_export, "open": _open}


def _passphrase(options: argparse.Namespace) -> str | None:
    if not options.passphrase:
        return None
    return os.environ.get("QKD_PASSPHRASE") or getpass.getpass("Passphrase: ")


def _document(path: str) -> dict[str, Any]:
    found = json.loads(Path(path).read_text())
    if not isinstance(found, dict):
        raise ValueError(f"{path} is no object of JSON")  # noqa: TRY004 - as every other thing that is wrong with it
    return found


def _write_document(path: str, document: dict[str, Any]) -> None:
    with _private(Path(path)) as out:
        out.write(json.dumps(document, indent=1).encode() + b"\n")


def _private(path: Path) -> Any:
    """A new file that its owner alone can read; nothing is overwritten."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "wb")


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qkdseal", description="Open what was kept offline, with exported keys."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    recipient = commands.add_parser("recipient", help="make a key pair to which keys can be exported")
    recipient.add_argument("--suite", default=Suite.XWING.value, choices=[s.value for s in Suite if s.seals])
    export = commands.add_parser("open-export", help="open a key that was exported to you")
    export.add_argument("export", help="the platform's answer, a document of JSON")
    export.add_argument("--recipient", required=True, help="the key pair that `recipient` made")
    opening = commands.add_parser("open", help="decrypt a body")
    opening.add_argument("body", help="the encrypted file")
    opening.add_argument("--envelope", required=True, help="its envelope, a document of JSON")
    opening.add_argument(
        "--pool-key", required=True, help="the pool key that it names: key_id, suite and seed"
    )
    opening.add_argument("--quantum-key", required=True, help="the quantum key that it names: key_id and key")
    opening.add_argument(
        "--passphrase", action="store_true", help="ask for a passphrase, or take QKD_PASSPHRASE"
    )
    for command in (recipient, export, opening):
        command.add_argument("-o", "--output", required=True, help="the new file; nothing is overwritten")
    return parser


if __name__ == "__main__":
    sys.exit(main())
