"""Downloads: resumed where they stopped, decrypted by the platform or by the client."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from qkdclient.api import Api
from qkdclient.errors import Damaged, Interrupted
from qkdclient.file_keys import FileKey
from qkdclient.progress import Progress
from qkdseal import CHUNK_SIZE, HEADER_SIZE, SEALED_CHUNK_SIZE, PackageInvalid, decrypt_chunks

READ_BYTES = 2**20

File = dict[str, Any]


class Downloads:
    """Downloads a file into one that may hold a part already; ``asked`` goes with the request for key or URL."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def fetch(self, file: File, part: Path, asked: dict[str, str], progress: Progress) -> None:
        """Append what is missing of the plaintext.

        Raises:
            Interrupted: the connection ended before the file did.
        """
        size = file["size"]
        with part.open("ab") as sink:
            done = sink.tell()
            if done > size:
                sink.truncate(done := 0)
            if done == size:
                return
            url = self._api.call("POST", f"files/{file['file_id']}/download", asked)["url"]
            with self._api.get(url, start=done) as answer:
                while piece := answer.read(READ_BYTES):
                    sink.write(piece)
                    done += len(piece)
                    progress(done, size)
        if done != size:
            raise Interrupted(
                f"Only {done} of {size} bytes arrived. Give the same command again to continue."
            )

    def fetch_and_decrypt(self, file: File, part: Path, asked: dict[str, str], progress: Progress) -> None:
        """Download what is missing of the body, and append its plaintext.

        Raises:
            Damaged: the body was changed, or is not what was uploaded.
        """
        document = self._api.call("POST", f"files/{file['file_id']}/key", asked)
        key = FileKey.from_document(document)
        sha256 = hashlib.sha256()
        with part.open("a+b") as sink:
            done = _keep_whole_chunks(sink, sha256.update)
            try:
                for piece in self._decrypt(document["url"], key, first_chunk=done // CHUNK_SIZE):
                    sink.write(piece)
                    sha256.update(piece)
                    done += len(piece)
                    progress(done, file["size"])
            except PackageInvalid:
                raise Damaged("The downloaded body was changed or cut: it does not open.") from None
        expected = document["sha256"]
        if done != file["size"] or (expected is not None and sha256.hexdigest() != expected):
            part.unlink()
            raise Damaged("The download is not the file that was uploaded. Download it again.")

    def _decrypt(self, url: str, key: FileKey, *, first_chunk: int) -> Iterator[bytes]:
        """Download a body from a chunk on, and decrypt it."""
        if not first_chunk:
            with self._api.get(url) as answer:
                yield from decrypt_chunks(answer, key=key.key, context=key.context)
            return
        with self._api.get(url, stop=HEADER_SIZE) as answer:
            header = answer.read(HEADER_SIZE)
        if len(header) != HEADER_SIZE:
            raise PackageInvalid
        with self._api.get(url, start=HEADER_SIZE + first_chunk * SEALED_CHUNK_SIZE) as answer:
            yield from decrypt_chunks(
                answer, key=key.key, context=key.context, header=header, first_chunk=first_chunk
            )


def _keep_whole_chunks(sink: BinaryIO, seen: Callable[[bytes], object]) -> int:
    """Cut off a torn chunk that an earlier download left, and show ``seen`` all that stays; return its size."""
    there = sink.seek(0, os.SEEK_END) // CHUNK_SIZE * CHUNK_SIZE
    sink.truncate(there)
    sink.seek(0)
    left = there
    while left:
        piece = sink.read(min(READ_BYTES, left))
        seen(piece)
        left -= len(piece)
    return there
