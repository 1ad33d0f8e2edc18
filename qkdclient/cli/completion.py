"""``completion``: what makes a shell complete the command."""

import click
from click.shell_completion import get_completion_class

from qkdclient.cli.invocation import write
from qkdclient.cli.options import Command

VARIABLE = "_QKDCLIENT_COMPLETE"


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Write the completion script of a shell; its start-up file sources it.

    For bash: source <(qkdclient completion bash)
    """
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 - the choice names those that click has
    write(made(context.find_root().command, {}, "qkdclient", VARIABLE).source())
