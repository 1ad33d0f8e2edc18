"""The whole command, and its exit code."""

import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import metadata
from typing import Any, NoReturn

import click

from qkdclient.cli.completion import completion
from qkdclient.cli.files import files
from qkdclient.cli.generic import add_generic, api
from qkdclient.cli.groups import groups
from qkdclient.cli.invocation import Invocation, as_told, say
from qkdclient.cli.messages import data_keys, messages
from qkdclient.cli.options import Command, Group, invocation
from qkdclient.cli.reports import reports
from qkdclient.cli.sync import sync
from qkdclient.cli.transfers import download, upload
from qkdclient.errors import ClientError, Exit


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


STOPPED = "Stopped. Give the same command again to continue."
SHORT = (upload, download, files.commands["list"], files.commands["delete"])

for command in (*SHORT, files, sync, messages, data_keys, *groups(), reports, api, whoami, completion):
    qkdclient.add_command(command)
add_generic(qkdclient)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code."""
    call = Invocation()
    if sys.stdout is None:
        say("Standard output is closed. Give a place for the results, such as /dev/null.")
        return Exit.FAILED
    try:
        qkdclient.main(arguments, prog_name="qkdclient", standalone_mode=False, obj=call)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        say(STOPPED)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _discard_output()  # whoever read has seen enough
        return Exit.FAILED
    except ClientError as error:
        call.fail(error)
    except OSError as error:
        say(as_told(error))
        _discard_output()
        return Exit.FAILED
    return call.exit_code()


def _discard_output() -> None:
    """Let go of what could not be written: Python would try, and complain, once more when it closes the stream."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run() -> NoReturn:
    """Run the command of this process, and end it."""
    if (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):  # of a job in the background it is ignored
        signal.signal(signal.SIGINT, _stop)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names have letters that some terminals have not
    sys.exit(main())


def _stop(*about: Any) -> None:
    """End at Ctrl-C. Transfers in threads would go on to their end; they are safe to be killed at any moment."""
    if threading.active_count() == 1:
        signal.default_int_handler(*about)
    os.write(sys.stderr.fileno() if sys.stderr else 2, f"\n{STOPPED}\n".encode())
    os._exit(Exit.INTERRUPTED)
