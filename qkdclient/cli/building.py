"""Commands made from the library's methods: the same names, the same options, the docstring as help.

A positional parameter is an argument, a keyword-only one an option. Where a method is about one thing, its command
takes several of them.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, get_args, get_origin

import click

from qkdclient.cli.invocation import as_cell, table, write
from qkdclient.cli.options import Command, invocation, passphrase_option

Line = Callable[[dict[str, Any]], str]
ARGUMENT = re.compile(r"^ {4}(\w+): (.*(?:\n {6,}.*)*)", re.MULTILINE)
SECTION = re.compile(r"\n\n(?:Args|Returns|Raises):\n")


SHORT = {"document_type": "type"}


class Json(click.ParamType[Any]):
    """A value in JSON; what is none is taken as text."""

    name = "json"

    def convert(self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            return value


def add_methods(
    group: click.Group,
    resource: type,
    *,
    columns: Sequence[str] = (),
    line: Line | None = None,
    without: Sequence[str] = (),
) -> None:
    """Add a command to a group for each public method of the client's attribute of the same name.

    Args:
        group: gets the commands.
        resource: the attribute's class.
        columns: what a list shows of each item.
        line: shows an item instead, as one line.
        without: methods that have a command of their own.
    """
    attribute = str(group.name).replace("-", "_")
    methods = {name: function for kind in reversed(resource.mro()) for name, function in vars(kind).items()}
    for method, function in methods.items():
        if inspect.isfunction(function) and not method.startswith("_") and method not in without:
            group.add_command(_command(attribute, method, function, columns, line))


def _command(
    attribute: str, method: str, function: Callable[..., Any], columns: Sequence[str], line: Line | None
) -> click.Command:
    signature = inspect.signature(function, eval_str=True)
    parameters = list(signature.parameters.values())[1:]
    listed = get_origin(signature.return_annotation) is Iterator
    about = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    several = about[0] if about and not listed else None

    def run(**given: Any) -> None:
        call = invocation()
        act = getattr(getattr(call.client(), attribute), method)
        given = {name: value for name, value in given.items() if value not in (None, ())}
        if listed:
            _show_list(act(**given), columns, line)
        elif several is None:
            _show(act(**given), line)
        else:
            things = given.pop(several)
            call.each(things, lambda thing: _show(act(thing, **given), line), done="done")

    text, described = _help_of(function)
    made = Command(as_option(method), callback=run, help=text)
    own = [_parameter(p, described.get(p.name, ""), many=p.name == several) for p in parameters]
    made.params = [*own, *made.params]
    return made


def as_option(name: str) -> str:
    """A name of Python's as it stands on the command line.

    >>> as_option("cancel_destruction"), as_option("import_"), as_option("document_type")
    ('cancel-destruction', 'import', 'type')
    """
    return SHORT.get(name, name.strip("_").replace("_", "-"))


def _parameter(parameter: inspect.Parameter, text: str, *, many: bool) -> click.Parameter:
    """A method's parameter as one of a command."""
    if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
        label = parameter.name.upper()
        return click.Argument(
            [parameter.name], metavar=f"{label}..." if many else label, nargs=-1 if many else 1, required=True
        )
    if parameter.name == "passphrase":
        marked = passphrase_option(lambda: None)
        found: list[click.Parameter] = marked.__click_params__  # type: ignore[attr-defined]  # click's own list
        return found[0]
    option, kind = f"--{as_option(parameter.name)}", _kind(parameter.annotation)
    if kind is Sequence:
        return click.Option([option, parameter.name], multiple=True, help=f"{text} Repeatable.")
    if kind is bool:
        return click.Option([option, parameter.name], is_flag=True, default=None, help=text)
    required = parameter.default is parameter.empty
    return click.Option([option, parameter.name], type=kind, required=required, help=text)


def _kind(hint: Any) -> Any:
    """What an annotation stands for: text, a number, a flag, or a value in JSON."""
    kinds = (
        [kind for kind in get_args(hint) if kind is not type(None)] if isinstance(hint, UnionType) else [hint]
    )
    [kind] = kinds if len(kinds) == 1 else [Mapping]
    if get_origin(kind) is Sequence:
        return Sequence
    return kind if kind in {str, int, float, bool} else Json()


def _help_of(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """A docstring's text, and what it says of each argument."""
    text = inspect.getdoc(function) or ""
    arguments = text.partition("\n\nArgs:\n")[2].partition("\n\n")[0]
    described = {name: " ".join(about.split()) for name, about in ARGUMENT.findall(arguments)}
    return SECTION.split(text)[0].replace("``", ""), {
        name: _sentence(about) for name, about in described.items()
    }


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _show(item: Any, line: Line | None) -> None:
    call = invocation()
    if not isinstance(item, dict):
        call.show({"result": item}, as_cell(item))  # one value as it is
    else:
        # What is no file has no such line
        call.show(item, line(item) if line and "file_id" in item else None)


def _show_list(items: Iterator[dict[str, Any]], columns: Sequence[str], line: Line | None) -> None:
    call = invocation()
    if call.as_json:
        for item in items:
            call.show(item)
    elif line is not None:
        for item in items:
            write(line(item))
    else:
        for row in table([as_cell(item.get(column)) for column in columns] for item in items):
            write(row)
