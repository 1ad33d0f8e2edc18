"""``messages`` and ``data-keys``: from files or standard input to standard output."""

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from qkdclient.cli.building import add_methods
from qkdclient.cli.invocation import write
from qkdclient.cli.options import Group, invocation, passphrase_option
from qkdclient.data_keys import DataKeys
from qkdclient.errors import Unfit
from qkdclient.names import shown
from qkdclient.sources import standard_input


@click.group(cls=Group)
def messages() -> None:
    """Messages: a text or bytes in, a package of JSON out, and back."""


@click.group("data-keys", cls=Group)
def data_keys() -> None:
    """Data keys: keys for one's own encryption, kept beside what they encrypt as packages."""


def context_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--context`` and ``--pair``, which are the same thing as a text and as pairs."""
    function = click.option(
        "--context", help="Bound to the package and not stored in it; needed again to open it."
    )(function)
    return click.option(
        "--pair",
        "pairs",
        multiple=True,
        metavar="NAME=TEXT",
        help="The context as pairs, instead. Repeatable.",
    )(function)


def sealing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what says which keys are used."""
    function = click.option("--key", help="Name or alias of the key pool to seal to.")(function)
    function = click.option("--session-id", help="Take the quantum key from this session of yours.")(function)
    stock = click.Choice(["platform", "own"])
    return click.option("--stock", type=stock, help="Whose sessions give the quantum key.")(function)


def context_of(context: str | None, pairs: tuple[str, ...]) -> dict[str, Any]:
    """The context that was given, in one way or the other."""
    if context is not None and pairs:
        raise click.UsageError("Give --context or --pair, not both.")
    if not pairs:
        return {"context": context}
    split = [pair.partition("=") for pair in pairs]
    if not all(equals for _, equals, _ in split):
        raise click.UsageError("A pair is given as NAME=TEXT.")
    return {"context": {name: text for name, _, text in split}}


@messages.command("encrypt")
@click.argument("path", default="-")
@click.option("--suite", help="Suite of the package; the default unless PQFile has to read it.")
@sealing_options
@context_options
@passphrase_option
def encrypt(path: str, context: str | None, pairs: tuple[str, ...], **options: Any) -> None:
    """Encrypt a message of at most 4 MiB from PATH (- is standard input); its package goes to standard output."""
    made = invocation().client().messages.encrypt(_read(path), **context_of(context, pairs), **options)
    write(json.dumps(made))


@messages.command("decrypt")
@click.argument("path", default="-")
@context_options
@passphrase_option
def decrypt(path: str, context: str | None, pairs: tuple[str, ...], **options: Any) -> None:
    """Decrypt a package from PATH (- is standard input); its message goes to standard output."""
    opened = invocation().client().messages.decrypt(_package(path), **context_of(context, pairs), **options)
    sys.stdout.buffer.write(opened)


@messages.command("encrypt-many")
@click.argument("paths", nargs=-1, required=True)
@sealing_options
@context_options
def encrypt_many(paths: tuple[str, ...], context: str | None, pairs: tuple[str, ...], **options: Any) -> None:
    """Encrypt one message from each PATH, under one quantum key; a package a line goes to standard output."""
    contents = [_read(path) for path in paths]
    for made in (
        invocation().client().messages.encrypt_many(contents, **context_of(context, pairs), **options)
    ):
        write(json.dumps(made))


@messages.command("decrypt-many")
@click.argument("path", default="-")
@context_options
@passphrase_option
def decrypt_many(path: str, context: str | None, pairs: tuple[str, ...], **options: Any) -> None:
    """Decrypt a package a line from PATH (- is standard input); a message a line, in base64 as JSON."""
    packages = [_json(path, line) for line in _read(path).splitlines() if line.strip()]
    for opened in (
        invocation().client().messages.decrypt_many(packages, **context_of(context, pairs), **options)
    ):
        write(json.dumps({"plaintext_base64": base64.b64encode(opened).decode()}))


@messages.command("rewrap")
@click.argument("path", default="-")
@click.option("--key", help="Name or alias of the key pool to move to.")
def rewrap(path: str, key: str | None) -> None:
    """Move a package from PATH (- is standard input) to another pool key; keep what is written instead."""
    write(json.dumps(invocation().client().messages.rewrap(_package(path), key=key)))


@data_keys.command("generate")
@sealing_options
@context_options
@passphrase_option
def generate(context: str | None, pairs: tuple[str, ...], **options: Any) -> None:
    """Make a data key, and write it and the package to keep as JSON."""
    made = invocation().client().data_keys.generate(**context_of(context, pairs), **options)
    write(json.dumps({"plaintext_base64": base64.b64encode(made.key).decode(), "package": made.package}))


@data_keys.command("open")
@click.argument("path", default="-")
@context_options
@passphrase_option
def open_key(path: str, context: str | None, pairs: tuple[str, ...], **options: Any) -> None:
    """Open the package of a data key from PATH (- is standard input), and write the key in base64."""
    opened = invocation().client().data_keys.open(_package(path), **context_of(context, pairs), **options)
    write(base64.b64encode(opened).decode())


add_methods(data_keys, DataKeys, without=("generate", "open"))


def _read(path: str) -> bytes:
    return standard_input().read() if path == "-" else Path(path).read_bytes()


def _package(path: str) -> Any:
    return _json(path, _read(path))


def _json(path: str, text: bytes) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        raise Unfit(f"{shown(path)} is no package: it is not JSON.") from None
    # What made a data key can be given back as it was written
    return found["package"] if isinstance(found, dict) and "package" in found else found
