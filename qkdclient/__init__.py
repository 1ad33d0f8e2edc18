"""A client of the platform, as a library; ``python -m qkdclient`` is the same as a command.

    from qkdclient import Client

    client = Client("https://qkd.example.com", api_key)
    file = client.files.upload("report.pdf", document_type="report", local=True)
    client.files.download(file["file_id"], "copy.pdf", local=True)

Needs ``qkdseal``, ``cryptography`` and ``urllib3``, and nothing of the platform itself. See docs/client.md.
"""

from qkdclient.client import Client
from qkdclient.errors import (
    Busy,
    Changed,
    ClientError,
    Damaged,
    Exists,
    Exit,
    Problem,
    Unfit,
    Unreachable,
)

__all__ = [
    "Busy",
    "Changed",
    "Client",
    "ClientError",
    "Damaged",
    "Exists",
    "Exit",
    "Problem",
    "Unfit",
    "Unreachable",
]
