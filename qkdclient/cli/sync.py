"""``sync``: whole folders, up and down."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from qkdclient.cli.invocation import Invocation, as_told, is_terminal, say
from qkdclient.cli.options import Group, Mode, invocation, passphrase_option
from qkdclient.cli.transfers import JOBS, LOCAL
from qkdclient.errors import Exit
from qkdclient.names import shown
from qkdclient.progress import Display
from qkdclient.sync_options import Report

SHARED = (
    click.option("--type", "document_type", default="document", show_default=True, help="Document type."),
    click.option("--delete", is_flag=True, help="Delete where it goes what is gone where it comes from."),
    click.option("-n", "--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
    LOCAL,
    passphrase_option,
    JOBS,
)


def shared(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of both directions."""
    for option in reversed(SHARED):
        function = option(function)
    return function


@click.group(cls=Group)
def sync() -> None:
    """Whole folders, up and down: only what changed is sent. The same command again continues."""


@sync.command("up")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("name", required=False)
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Leave out files and folders, such as '*.tmp' or 'build/*'. Repeatable.",
)
@shared
def up(folder: Path, name: str | None, **options: Any) -> None:
    """Upload what FOLDER has and the platform has not, as NAME/PATH (by default the folder's own name).

    A file that changed becomes the next version of what is there. Links are left out.
    """
    call = invocation()
    with Display(shown=is_terminal()) as display:
        report = call.client().sync.up(folder, name, track=display.track, **options)
    _show(call, report)


@sync.command("down")
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--force", "overwrite", is_flag=True, help="Overwrite files that were changed here.")
@click.option("--mode", type=Mode(), default="600", show_default=True, help="Permissions of new files.")
@shared
def down(name: str, folder: Path | None, **options: Any) -> None:
    """Download what the platform has as NAME/PATH and FOLDER has not.

    A file that was changed here since is not overwritten, nor deleted, unless --force says so.
    """
    call = invocation()
    with Display(shown=is_terminal()) as display:
        report = call.client().sync.down(name, folder, track=display.track, **options)
    _show(call, report)


def _show(call: Invocation, report: Report) -> None:
    """Write what became of each file that is not as it was, and sum up."""
    done = {
        "sent": report.sent,
        "received": report.received,
        "deleted": report.deleted,
        "awaited": report.awaited,
    }
    for what, paths in done.items():
        for path in sorted(paths):
            call.show({"path": path, "result": what}, f"{what:8}  {shown(path)}")
    for path, error in sorted(report.failed.items()):
        if call.as_json:
            call.show({"path": path, "result": "failed", "error": as_told(error)})
        call.fail(error, about=shown(path))
    if report.awaited:
        call.codes.add(Exit.AWAITED)
    counts = [f"{len(paths)} {what}" for what, paths in done.items() if paths]
    failed = [f"{len(report.failed)} failed"] if report.failed else []
    say(f"{', '.join([*counts, f'{len(report.unchanged)} unchanged', *failed])}.")
