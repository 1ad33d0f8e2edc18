"""A client of the platform: files up, listed, down and deleted, encrypted there or here.

    from qkdclient import Client

    client = Client("https://qkd.example.com", api_key)
    file = client.upload("report.pdf", document_type="report", local=True)
    client.download(file["file_id"], "copy.pdf", local=True)

Needs ``cryptography`` and ``urllib3``, and nothing of the platform itself. See docs/client.md.
"""

from qkdclient.api import Problem
from qkdclient.body import Damaged
from qkdclient.client import Client

__all__ = ["Client", "Damaged", "Problem"]
