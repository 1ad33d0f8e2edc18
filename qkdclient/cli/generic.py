"""Commands for what the library has no method of its own for: each is an operation of the catalogue.

``qkdclient links create`` is one; ``qkdclient api change-file`` calls any operation by its name in the schema.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from qkdclient.catalogue import Field, Operation, generic, operations
from qkdclient.cli.building import Json
from qkdclient.cli.invocation import as_cell, table, write
from qkdclient.cli.options import Command, Group, everywhere, invocation, passphrase_option
from qkdclient.names import shown
from qkdclient.sources import standard_input

KINDS: Mapping[str, Any] = {"text": str, "texts": str, "integer": int, "number": float, "json": Json()}
COLUMNS = 6
OWN = "own__"  # before a field whose name an option of every command has
ABOUT = {
    "alerts": "What somebody has to know: acknowledged, and over.",
    "cases": "Findings about links as people handle them.",
    "groups": "Groups, which own what their members share.",
    "health": "Whether the platform runs, and what it depends on.",
    "links": "Links between sites, over which sessions are run.",
    "quantum-keys": "Quantum keys that files and messages use, given out under four eyes.",
    "recovery": "Recovery of wrapped keys with the officers' shares.",
    "reports": "Compliance reports of a period.",
    "saes": "Applications that quantum keys are delivered to (ETSI GS QKD 014).",
    "services": "Services: programs that call the API.",
    "webhooks": "Addresses that are told of events.",
}


def add_generic(root: click.Group) -> None:
    """Add a command for each operation that has none, in the group of its name."""
    for (name, command), operation in sorted(generic().items()):
        group = root.commands.get(name)
        if not isinstance(group, click.Group):
            group = Group(name, help=ABOUT.get(name, f"{name.replace('-', ' ').capitalize()}."))
            root.add_command(group)
        group.add_command(command_of(operation, command))


class AnyOperation(Group):
    """All operations by name; a command is made when it is asked for."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """The names of all operations."""
        return [name.replace("_", "-") for name in operations()]

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """The command of an operation."""
        operation = operations().get(name.replace("-", "_"))
        return None if operation is None else command_of(operation, name)


def command_of(operation: Operation, name: str) -> click.Command:
    """The command that calls an operation: the parts of its path are arguments, its other fields options."""
    parts = [field.name for field in operation.placed("path")]

    def run(**given: Any) -> None:
        things = [given.pop(part) for part in parts]
        _show(_called(operation, things, given))

    made = Command(name, callback=run, help=operation.about)
    made.params = [*_parameters(operation), *made.params]
    return made


def _called(operation: Operation, things: list[str], given: dict[str, Any]) -> Any:
    told = {name.removeprefix(OWN): value for name, value in given.items() if value not in (None, ())}
    for field in operation.fields.values():
        if field.secret and field.name in told and field.name != "passphrase":
            read = _read(told[field.name])
            told[field.name] = read if field.name == "plaintext" else read.strip()  # a message as it is
    if "body" in told:
        told["body"] = _body(told["body"])
    for name in told.pop("unset", ()):
        told[name] = None
    try:
        return invocation().client().operations.call(operation.name, *things, **told)
    except TypeError as error:
        raise click.UsageError(str(error).replace("_", "-")) from None


def _parameters(operation: Operation) -> Iterator[click.Parameter]:
    for field in operation.placed("path"):
        yield click.Argument([field.name], metavar=field.name.upper())
    for field in operation.fields.values():
        if field.place != "path":
            yield _option(operation, field)
    nullable = [field.name for field in operation.fields.values() if field.nullable]
    if nullable:
        names = click.Choice(nullable)
        yield click.Option(["--unset"], multiple=True, type=names, help="Take this away. Repeatable.")
    if operation.placed("body"):
        yield click.Option(
            ["--body"], metavar="FILE", help="More fields, as a JSON object; - is standard input."
        )
    if operation.etag:
        text = "The record's etag as it was read: it is changed only while it is still so."
        yield click.Option(["--if-match"], metavar="ETAG", help=text)
    if operation.paged:
        yield click.Option(["--limit"], type=click.IntRange(min=1), help="At most so many.")


def _option(operation: Operation, field: Field) -> click.Parameter:
    if field.name == "passphrase":
        found: list[click.Parameter] = passphrase_option(lambda: None).__click_params__  # type: ignore[attr-defined]
        return found[0]
    name, own = field.name.replace("_", "-"), field.name
    if f"--{name}" in {option for parameter in everywhere() for option in parameter.opts}:
        name, own = f"{operation.group.removesuffix('s')}-{name}", f"{OWN}{own}"
    text = f"{field.about[:1].upper()}{field.about[1:]}".strip()
    text = " ".join(
        [f"{text}." if text and not text.endswith(".") else text, "Required." * field.required]
    ).strip()
    if field.kind == "flag":
        return click.Option([f"--{name}/--no-{name}", own], default=None, help=text)
    if field.secret:
        return click.Option(
            [f"--{name}-file", own],
            metavar="FILE",
            help=f"Read from a file; - is standard input. {text}",
        )
    many, kind = field.kind == "texts", click.Choice(field.choices) if field.choices else KINDS[field.kind]
    return click.Option(
        [f"--{name}", own], type=kind, multiple=many, help=f"{text}{' Repeatable.' * many}".strip()
    )


def _read(path: str) -> str:
    """Read a text as it is, line ends too."""
    try:
        return (standard_input().read() if path == "-" else Path(path).read_bytes()).decode()
    except UnicodeDecodeError:
        raise click.UsageError(f"{shown(path)} is no text in UTF-8.") from None


def _body(path: str) -> dict[str, Any]:
    try:
        found = json.loads(_read(path))
    except ValueError:
        raise click.UsageError("--body is no JSON.") from None
    if not isinstance(found, dict):
        raise click.UsageError("--body is no JSON object.")
    return found


def _show(answer: Any) -> None:
    call = invocation()
    items = answer if isinstance(answer, Iterator) else _items(answer)
    if items is None:
        if isinstance(answer, dict):
            call.show(answer)
    elif call.as_json:
        for item in items:
            call.show(item)
    else:
        _table(items)


def _items(answer: Any) -> Iterator[dict[str, Any]] | None:
    """The items of a list that is one page."""
    return iter(answer["items"]) if isinstance(answer, dict) and set(answer) == {"items"} else None


def _table(items: Iterable[dict[str, Any]]) -> None:
    items = iter(items)
    first = next(items, None)
    if first is None:
        return
    shown = [name for name, value in first.items() if not isinstance(value, dict | list)][:COLUMNS]
    for row in table([as_cell(item.get(name)) for name in shown] for item in itertools.chain([first], items)):
        write(row)


@click.group("api", cls=AnyOperation)
def api() -> None:
    """Any operation of the API, by its name in the schema."""
