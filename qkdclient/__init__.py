"""A client of the platform: uploads, lists, downloads and deletes files, encrypted by the platform or here.

    from qkdclient import Client

    client = Client("https://qkd.example.com", api_key)
    file = client.upload("report.pdf", document_type="report", local=True)
    client.download(file["file_id"], "copy.pdf", local=True)

Needs ``qkdseal``, ``cryptography`` and ``urllib3``, and nothing of the platform itself. See docs/client.md.
"""

from qkdclient.client import Client
from qkdclient.errors import Damaged, Problem

__all__ = ["Client", "Damaged", "Problem"]
