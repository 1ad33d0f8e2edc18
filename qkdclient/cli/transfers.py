"""``upload`` and ``download``."""

import sys
from pathlib import Path
from typing import Any

import click

from qkdclient.announcing import AWAITED, File
from qkdclient.cli.invocation import Invocation, is_terminal, say
from qkdclient.cli.options import (
    Command,
    Seconds,
    attributes_of,
    invocation,
    output_options,
    passphrase_option,
)
from qkdclient.client import Client
from qkdclient.errors import ClientError, Exit
from qkdclient.names import shown
from qkdclient.progress import Display

JOBS = click.option(
    "--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="Files to transfer at once."
)
LOCAL = click.option(
    "--local", is_flag=True, help="Encrypt or decrypt on this machine; the platform never sees the content."
)


class NotEncrypted(ClientError):
    """The file is stored, but not encrypted yet, or was not taken."""

    def __init__(self, text: str, code: Exit) -> None:
        super().__init__(text)
        self.exit_code = code


def check(file: File) -> None:
    """Refuse a file that is still awaited or was rejected: it is no success.

    Raises:
        NotEncrypted: it is.
    """
    name = shown(file["name"])
    if file["status"] in AWAITED:
        raise NotEncrypted(
            f"{name} has arrived as {file['file_id']}, but is not encrypted yet. Give the same command again to wait.",
            Exit.AWAITED,
        )
    if file["status"] == "rejected":
        raise NotEncrypted(f"{name} was rejected: {shown(file['reason'])}", Exit.REJECTED)


def line_of(file: File) -> str:
    """A file as one line."""
    size = "-" if file["size"] is None else file["size"]
    return f"{file['file_id']}  {file['status']:15}  {size:>12}  {shown(file['name'])}"


@click.command(cls=Command)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--name", help="The name it is listed under; by default its own. For one file only.")
@click.option("--type", "document_type", default="document", show_default=True, help="Document type.")
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    callback=attributes_of,
    metavar="NAME=TEXT",
    help="Stored with the file; NAME:=JSON for a number or a flag. Repeatable.",
)
@click.option("--expires-at", metavar="TIME", help="When the platform deletes it: 2027-01-01T00:00:00Z.")
@click.option("--owner", help="A group of yours (group:ID), instead of you.")
@click.option("--replaces", metavar="FILE_ID", help="Upload it as the next version of this file.")
@click.option(
    "--wait",
    type=Seconds(min=0),
    default=60.0,
    show_default=True,
    help="Seconds to wait until the platform has encrypted it.",
)
@LOCAL
@passphrase_option
@JOBS
def upload(paths: tuple[str, ...], name: str | None, jobs: int, wait: float, **options: Any) -> None:
    """Upload files; the same command again, after an interruption, continues.

    A PATH may be a pipe, or - for standard input.
    """
    if len(paths) > 1 and (name or options["replaces"]):
        raise click.UsageError("--name and --replaces are for one file.")
    call = invocation()
    client = call.client()

    def show(file: File) -> None:
        call.show(file, line_of(file))
        sys.stdout.flush()

    with Display(shown=is_terminal()) as display:

        def act(path: str) -> None:
            progress = display.track(path)
            file = client.files.upload(
                path, name=name, progress=progress, wait_seconds=wait, acknowledged=show, **options
            )
            if file["status"] in AWAITED:
                show(file)
            check(file)

        call.each(paths, act, done="uploaded", jobs=jobs)


@click.command(cls=Command)
@click.argument("file_ids", metavar="FILE_ID...", nargs=-1, required=True)
@output_options
@LOCAL
@passphrase_option
@JOBS
def download(file_ids: tuple[str, ...], output: str | None, jobs: int, force: bool, **options: Any) -> None:
    """Download files; the same command again, after an interruption, continues."""
    call = invocation()
    client = call.client()
    if output == "-":
        _to_stdout(call, client, file_ids, options)
        return
    if len(file_ids) > 1 and output is not None and not _is_folder(output):
        raise click.UsageError("Several files need a folder. Give -o FOLDER/")
    with Display(shown=is_terminal()) as display:

        def act(file_id: str) -> None:
            path = client.files.download(
                file_id, output, overwrite=force, progress=display.track(file_id), **options
            )
            call.show({"file_id": file_id, "path": str(path)}, shown(path))

        call.each(file_ids, act, done="downloaded", jobs=jobs)


def _is_folder(output: str) -> bool:
    return output.endswith("/") or Path(output).is_dir()


def _to_stdout(call: Invocation, client: Client, file_ids: tuple[str, ...], options: dict[str, Any]) -> None:
    options.pop("mode")
    for file_id in file_ids:
        try:
            client.files.write_to(file_id, sys.stdout.buffer, **options)
        except ClientError as error:
            call.fail(error)
            say("What was written is not whole. Discard it.")
            return  # what follows would be taken for a part of it
