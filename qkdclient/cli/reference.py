"""The reference page of the command, made from the command: ``python -m qkdclient.cli.reference FILE`` writes it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from qkdclient.catalogue import BY_HAND, LEFT_OUT, operations
from qkdclient.cli.examples import EXAMPLES
from qkdclient.cli.generic import AnyOperation
from qkdclient.cli.main import qkdclient
from qkdclient.cli.options import everywhere
from qkdclient.errors import Exit

HEAD = """\
# The command `qkdclient`

Every command, option and exit code. What can be relied on, profiles and the library: [client.md](client.md). Made from \
the command by `python -m qkdclient.cli.reference`; a test compares, and another one runs the examples.

"""
EXITS = {
    Exit.DONE: "done",
    Exit.FAILED: "something else failed, or several things in different ways; the text says what",
    Exit.USAGE: "the command was given wrongly, or there is no API key",
    Exit.UNREACHABLE: "the server did not answer in time",
    Exit.FORBIDDEN: "the API key is not valid, or may not do this",
    Exit.NOT_FOUND: "there is no such thing, or it is somebody else's",
    Exit.EXISTS: "something is there already and was not overwritten",
    Exit.AWAITED: "the file has arrived, but is not encrypted yet",
    Exit.REJECTED: "the platform did not take the file",
    Exit.DAMAGED: "what came is not what was stored",
    Exit.CHANGED: "the file changed while it was being uploaded",
    Exit.BUSY: "another process is at work on the same transfer",
    Exit.INTERRUPTED: "Ctrl-C",
}


def page() -> str:
    """The whole page."""
    return HEAD + "\n".join([*_examples(), *_exits(), *_everywhere(), *_commands(qkdclient, "qkdclient")])


def _examples() -> Iterator[str]:
    yield "## Examples\n"
    for title, script in EXAMPLES:
        yield f"{title}:\n\n```sh\n{script}```\n"


def _exits() -> Iterator[str]:
    yield "## Exit codes\n\n| Code | Meaning |\n| --- | --- |"
    for code in Exit:
        yield f"| {code.value} | {EXITS[code]} |"
    yield ""


def _everywhere() -> Iterator[str]:
    yield "## Options of every command, before or after its name\n"
    yield from _options(everywhere())


def _commands(command: click.Command, path: str) -> Iterator[str]:
    if isinstance(command, AnyOperation):
        yield from _operations(path)
        return
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _commands(command.commands[name], f"{path} {name}")
        return
    common = {parameter.name for parameter in everywhere()}
    own = [parameter for parameter in command.params if parameter.name not in common]
    arguments = [
        parameter.make_metavar(click.Context(command))
        for parameter in own
        if isinstance(parameter, click.Argument)
    ]
    yield f"## {' '.join(['`' + path, *arguments])}`\n\n{(command.help or '').replace(chr(8), '').strip()}\n"
    yield from _options(own)


def _operations(path: str) -> Iterator[str]:
    yield f"## `{path} OPERATION`\n\nAny operation of the API, by its name in the schema.\n"
    yield "| Operation | | Otherwise |\n| --- | --- | --- |"
    for name, operation in operations().items():
        things = " ".join(field.name.upper() for field in operation.placed("path"))
        by_hand = BY_HAND.get(name, "").replace(".", " ").replace("_", "-")
        command = by_hand or f"{operation.group} {operation.command}"
        called = f"{name.replace('_', '-')} {things}".strip()
        yield f"| `{called}` | `{operation.method} /api/v1/{operation.path}` | `qkdclient {command}` |"
    for name, reason in LEFT_OUT.items():
        yield f"\nLeft out: `{name}`, as {reason}."
    yield ""


def _options(parameters: list[click.Parameter]) -> Iterator[str]:
    options = [parameter for parameter in parameters if isinstance(parameter, click.Option)]
    if not options:
        return
    yield "| Option | Meaning |\n| --- | --- |"
    for option in options:
        value = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
        yield f"| `{', '.join(option.opts)}{value}` | {_meaning(option)} |"
    yield ""


def _meaning(option: click.Option) -> str:
    default = f" Default: {option.default}." if option.show_default else ""
    return f"{option.help}{' Required.' if option.required else ''}{default}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
