"""Downloads: taken up where they stopped, decrypted there or here."""

import os
from pathlib import Path
from typing import Any, BinaryIO

from qkdclient import body
from qkdclient.api import Api, Interrupted
from qkdclient.body import Damaged, Opener, PlaintextDigest, secrets_of
from qkdclient.progress import Progress

READ_BYTES = 2**20

File = dict[str, Any]


class Downloads:
    """The ways down, into a file that may hold a part already. ``asked`` goes with the request for the key or URL."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def plain(self, file: File, part: Path, asked: dict[str, str], progress: Progress) -> None:
        """What is missing of the plaintext."""
        size = file["size"]
        with part.open("ab") as sink:
            there = sink.tell()
            if there > size:
                sink.truncate(there := 0)
            if there == size:
                return
            url = self._api.call("POST", f"files/{file['file_id']}/download", asked)["url"]
            with self._api.get(url, start=there) as answer:
                while piece := answer.read(READ_BYTES):
                    sink.write(piece)
                    there += len(piece)
                    progress(there, size)
        if there != size:
            raise Interrupted(f"{there} of {size} bytes came")

    def sealed(self, file: File, part: Path, asked: dict[str, str], progress: Progress) -> None:
        """What is missing, decrypted here.

        Raises:
            Damaged: it is not what was uploaded.
        """
        secret = self._api.call("POST", f"files/{file['file_id']}/key", asked)
        if secret["format"] != body.FORMAT:
            raise Damaged(f"the format {secret['format']} is not known here")
        key, context = secrets_of(secret)
        with self._api.get(secret["url"], stop=body.HEADER) as answer:
            opener = Opener(answer.read(body.HEADER), key=key, context=context)
        digest = PlaintextDigest(key, context)
        with part.open("a+b") as sink:
            done = _continued(sink, digest)
            start = body.HEADER + done // body.CHUNK * body.SEALED_CHUNK
            with self._api.get(secret["url"], start=start) as answer:
                for piece in opener.opened(answer, first=done // body.CHUNK):
                    sink.write(piece)
                    digest.update(piece)
                    done += len(piece)
                    progress(done, file["size"])
        expected = file["plaintext_hmac"]
        if done != file["size"] or (expected is not None and digest.hexdigest() != expected):
            part.unlink()
            raise Damaged("what was downloaded is not the file that was uploaded")


def _continued(sink: BinaryIO, digest: PlaintextDigest) -> int:
    """Whole chunks that an earlier download left; a torn one is cut off. All of them go into the digest."""
    there = sink.seek(0, os.SEEK_END) // body.CHUNK * body.CHUNK
    sink.truncate(there)
    sink.seek(0)
    left = there
    while left:
        piece = sink.read(min(READ_BYTES, left))
        digest.update(piece)
        left -= len(piece)
    return there
