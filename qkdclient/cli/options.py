"""Options that more than one command has. Those of ``Command`` may stand before or after a command's name."""

import json
import math
import os
import re
from collections.abc import Callable
from typing import Any

import click

from qkdclient.cli.invocation import Invocation

RATE = re.compile(r"(\d+(?:\.\d+)?)([kKmMgG]?)(?:i?[bB])?(?:/s)?")
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep an option that may stand anywhere; the last one counts."""
    if value is not None and value is not False:
        setattr(context.find_root().obj, str(parameter.name), value)


class Seconds(click.FloatRange):
    """Seconds, none or more; for ever is a time, too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds


class Rate(click.ParamType[int]):
    """Bytes per second, such as ``500k`` or ``2M``."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = RATE.fullmatch(str(value))
        if found is None or not (rate := int(float(found[1]) * UNITS[found[2].lower()])):
            self.fail(f"{value!r} is no rate. Give bytes per second, such as 500k or 2M.", param, ctx)
        return rate


def everywhere() -> list[click.Parameter]:
    """The options of every command."""
    options: dict[str, dict[str, Any]] = {
        "--json": {"is_flag": True, "help": "Write one JSON object per line."},
        "--url": {"help": "URL of the platform (QKD_URL)."},
        "--profile": {"help": "Profile of the configuration file (QKD_PROFILE)."},
        "--retry": {"type": Seconds(min=0), "help": "Seconds to go on trying (60)."},
        "--limit-rate": {"type": Rate(), "help": "Bytes per second at most, such as 2M."},
    }
    names = {"--json": "as_json"}
    return [
        click.Option(
            [option, *([names[option]] if option in names else [])],
            expose_value=False,
            callback=_keep,
            **more,
        )
        for option, more in options.items()
    ]


class Command(click.Command):
    """A command with the options of every command."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.params += everywhere()


class Group(click.Group):
    """A group of commands, with the options of every command."""

    command_class = Command
    group_class = type

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.params += everywhere()


def invocation() -> Invocation:
    """The call that is under way."""
    found = click.get_current_context().find_root().obj
    assert isinstance(found, Invocation)  # noqa: S101 - ``main`` makes it
    return found


def passphrase_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--passphrase``; the passphrase itself never stands in the list of processes."""
    return click.option(
        "--passphrase", is_flag=True, callback=_ask, help="Ask for a passphrase, or take QKD_PASSPHRASE."
    )(function)


def output_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--output``, ``--force`` and ``--mode`` of a command that downloads."""
    for add in (
        click.option(
            "--mode", type=Mode(), default="600", show_default=True, help="Permissions of the new file."
        ),
        click.option("--force", is_flag=True, help="Overwrite what has the file's own name."),
        click.option(
            "-o",
            "--output",
            metavar="PLACE",
            help="A path, a folder, or - for standard output; by default the file's name.",
        ),
    ):
        function = add(function)
    return function


def _ask(_context: click.Context, _parameter: click.Parameter, wanted: bool) -> str | None:
    if not wanted:
        return None
    kept = os.environ.get("QKD_PASSPHRASE")
    return kept or str(click.prompt("Passphrase", hide_input=True, err=True))


def attributes_of(
    _context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, Any]:
    """Read ``name=text`` and ``name:=json``; text stays text, so that version 1.10 stays 1.10."""
    return dict(_attribute(text) for text in given)


def _attribute(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.rstrip(":"):
        raise click.BadParameter(f"{text!r} is none. Give name=text, or name:=json for a number or a flag.")
    if not name.endswith(":"):
        return name, value
    try:
        return name[:-1], json.loads(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no JSON. Text is given as {name[:-1]}={value}") from None


class Mode(click.ParamType[int]):
    """Permissions in octal, as ``chmod`` takes them."""

    name = "mode"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"0?[0-7]{3}", value):
            self.fail(f"{value!r} is no mode. Give it in octal, such as 644.", param, ctx)
        return int(value, 8)
