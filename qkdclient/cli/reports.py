"""``reports``: the command that downloads a file of one; the others are made from the catalogue."""

import sys
from typing import Any

import click

from qkdclient.cli.generic import ABOUT
from qkdclient.cli.invocation import say
from qkdclient.cli.options import Group, invocation, output_options
from qkdclient.errors import ClientError
from qkdclient.names import shown


@click.group("reports", cls=Group, help=ABOUT["reports"])
def reports() -> None:
    """See the group's help."""


@reports.command("get-file")
@click.argument("report_id", metavar="REPORT_ID")
@click.argument("name", metavar="NAME")
@output_options
def get_file(report_id: str, name: str, output: str | None, force: bool, **options: Any) -> None:
    """Download a file of a report; its SHA-256 is compared with the report's."""
    call = invocation()
    client = call.client()
    if output == "-":
        try:
            client.reports.write_to(report_id, name, sys.stdout.buffer)
        except ClientError as error:
            call.fail(error)
            say("What was written is not whole. Discard it.")
        return
    path = client.reports.get_file(report_id, name, output, overwrite=force, **options)
    call.show({"report_id": report_id, "name": name, "path": str(path)}, shown(path))
