"""``python -m qkdclient upload|list|download|delete``; the API key comes from the environment."""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from qkdclient.client import Client, File
from qkdclient.errors import Damaged, Problem
from qkdclient.progress import Bar


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return the exit code."""
    options = _parser().parse_args(arguments)
    api_key = os.environ.get("QKD_API_KEY")
    if not api_key:
        sys.stderr.write("Set the environment variable QKD_API_KEY to your API key.\n")
        return 2
    client = Client(options.url, api_key)
    try:
        COMMANDS[options.command](client, options)
    except (Problem, Damaged, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. Give the same command again to continue.\n")
        return 130
    return 0


def _upload(client: Client, options: argparse.Namespace) -> None:
    phrase = _passphrase(options)
    for path in options.path:
        file = client.upload(
            path,
            document_type=options.type,
            attributes=dict(_attribute(text) for text in options.attribute),
            passphrase=phrase,
            local=options.local,
            progress=Bar(path),
            wait_seconds=options.wait,
        )
        _show(file, as_json=options.json)


def _list(client: Client, options: argparse.Namespace) -> None:
    for file in client.files(document_type=options.type, limit=options.limit):
        _show(file, as_json=options.json)


def _download(client: Client, options: argparse.Namespace) -> None:
    bar = Bar(options.file_id)
    path = client.download(
        options.file_id, options.output, passphrase=_passphrase(options), local=options.local, progress=bar
    )
    sys.stdout.write(f"{path}\n")


def _delete(client: Client, options: argparse.Namespace) -> None:
    for file_id in options.file_id:
        _show(client.delete(file_id), as_json=options.json)


COMMANDS = {"upload": _upload, "list": _list, "download": _download, "delete": _delete}


def _show(file: File, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(file) + "\n")
        return
    size = "-" if file["size"] is None else file["size"]
    sys.stdout.write(f"{file['file_id']}  {file['status']:15}  {size:>12}  {file['name']}\n")


def _passphrase(options: argparse.Namespace) -> str | None:
    if not options.passphrase:
        return None
    return os.environ.get("QKD_PASSPHRASE") or getpass.getpass("Passphrase: ")


def _attribute(text: str) -> tuple[str, Any]:
    """Split ``name=value``; a value that is JSON is read as JSON, so that numbers and flags can be given."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qkdclient", description="Upload, list, download and delete files of the quantum-safe platform."
    )
    default = os.environ.get("QKD_URL", "http://127.0.0.1:8000")
    parser.add_argument(
        "--url", default=default, help="URL of the platform (default: QKD_URL, else %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="write one JSON object per line")
    commands = parser.add_subparsers(dest="command", required=True)
    upload = commands.add_parser("upload", help="upload files; repeat after an interruption to continue")
    upload.add_argument("path", nargs="+", help="file to upload")
    upload.add_argument("--type", default="document", help="document type (default: %(default)s)")
    upload.add_argument(
        "--attribute",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="text, number or flag to store with the file; repeatable",
    )
    upload.add_argument(
        "--wait",
        type=float,
        default=60.0,
        help="seconds to wait until the platform has encrypted the file (default: %(default)s)",
    )
    listing = commands.add_parser("list", help="list files, newest first")
    listing.add_argument("--type", help="only this document type")
    listing.add_argument("--limit", type=int, help="at most so many files")
    download = commands.add_parser(
        "download", help="download a file; repeat after an interruption to continue"
    )
    download.add_argument("file_id")
    download.add_argument("-o", "--output", help="where to write it (default: the file's own name)")
    for command in (upload, download):
        command.add_argument(
            "--local", action="store_true", help="encrypt or decrypt on this machine, not on the platform"
        )
        command.add_argument(
            "--passphrase", action="store_true", help="ask for a passphrase, or take QKD_PASSPHRASE"
        )
    delete = commands.add_parser("delete", help="delete files; the platform can restore them")
    delete.add_argument("file_id", nargs="+")
    return parser


if __name__ == "__main__":
    sys.exit(main())
