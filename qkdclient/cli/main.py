"""The whole command, and its exit code."""

import os
import sys
from collections.abc import Sequence
from importlib import metadata

import click

from qkdclient.cli.completion import completion
from qkdclient.cli.files import files
from qkdclient.cli.generic import add_generic, api
from qkdclient.cli.groups import groups
from qkdclient.cli.invocation import Invocation, say
from qkdclient.cli.messages import data_keys, messages
from qkdclient.cli.options import Command, Group, invocation
from qkdclient.cli.sync import sync
from qkdclient.cli.transfers import download, upload
from qkdclient.errors import ClientError, Exit
from qkdclient.names import shown


def version() -> str:
    """The version of what is installed; in the sources, that of none."""
    try:
        return metadata.version("qkdclient")
    except metadata.PackageNotFoundError:
        return "0 (not installed)"


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version(), prog_name="qkdclient")
def qkdclient() -> None:
    """The quantum-safe key management platform from the command line.

    The server and the API key come from QKD_URL and QKD_API_KEY, or from a profile.
    """


@click.command(cls=Command)
def whoami() -> None:
    """Who the API key makes you: principal, role, groups, and the key's own limits."""
    call = invocation()
    call.show(call.client().whoami())


SHORT = (upload, download, files.commands["list"], files.commands["delete"])

for command in (*SHORT, files, sync, messages, data_keys, *groups(), api, whoami, completion):
    qkdclient.add_command(command)
add_generic(qkdclient)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code."""
    call = Invocation()
    try:
        qkdclient.main(arguments, prog_name="qkdclient", standalone_mode=False, obj=call)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        say("Stopped. Give the same command again to continue.")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read has seen enough; Python would complain once more when it closes the stream
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except ClientError as error:
        call.fail(error)
    except OSError as error:
        say(f"{shown(error.filename or 'The system')}: {error.strerror or shown(error)}")
        return Exit.FAILED
    return call.exit_code()
