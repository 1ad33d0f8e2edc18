"""``files``: everything about files; ``upload``, ``download``, ``list`` and ``delete`` also stand alone."""

import click

from qkdclient.cli.building import add_methods
from qkdclient.cli.options import Group
from qkdclient.cli.transfers import download, line_of, upload
from qkdclient.files import Files


@click.group(cls=Group)
def files() -> None:
    """Files: upload, list, download, delete and bring back."""


files.add_command(upload)
files.add_command(download)
add_methods(files, Files, line=line_of, without=("upload", "download", "fetch", "write_to"))
