"""Where a download's plaintext comes from: ranges that the platform decrypts, or a body that is decrypted here."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from qkdclient.announcing import File, digest_of
from qkdclient.api import Api, Range
from qkdclient.errors import Broken, ClientError, Damaged, Problem, Unreachable
from qkdclient.file_keys import FileKey, KeyCache
from qkdseal import CHUNK_SIZE, HEADER_SIZE, SEALED_CHUNK_SIZE, PackageInvalid, decrypt_chunks

REPLACED = "The file was replaced meanwhile."
RANGE_BYTES = 4 * 2**20  # as many as the platform answers at once


class Replaced(ClientError):
    """The file has another content by now."""


class Reader(Protocol):
    """Reads one content of a file. ``sha256`` is None where nobody has told it."""

    size: int
    sha256: str | None
    step: int  # a read can begin at multiples of this

    def pieces(self, start: int) -> Iterator[bytes]:
        """The plaintext from ``start`` on."""


class PlatformReader:
    """Asks the platform for one range of the plaintext after the other: nothing has to be decrypted twice."""

    step = 1

    def __init__(self, api: Api, file: File, passphrase: str | None) -> None:
        self._api, self._path = api, f"files/{file['file_id']}/content"
        self.size: int = file["size"]
        self.sha256 = digest_of(api, file["file_id"], passphrase)
        self._headers = {}
        if passphrase is not None:
            self._headers = {"X-Passphrase": base64.b64encode(passphrase.encode()).decode()}

    def pieces(self, start: int) -> Iterator[bytes]:
        """The plaintext from ``start`` on.

        Raises:
            Replaced: the file has another content by now.
        """
        if not self.size:
            yield self._api.whole(self._path, headers=self._headers)
        while start < self.size:
            stop = min(start + RANGE_BYTES, self.size)
            found = self._range(start, stop)
            if found.total != self.size or not found.data:
                raise Replaced(REPLACED)
            yield found.data
            start += len(found.data)

    def _range(self, start: int, stop: int) -> Range:
        """A range of the content that the first one was of."""
        try:
            found = self._api.content(self._path, start=start, stop=stop, headers=self._headers)
        except Problem as problem:
            if problem.status == 412:
                raise Replaced(REPLACED) from problem
            raise
        if found.etag:
            self._headers["If-Match"] = found.etag
        return found


class LocalReader:
    """Gets the body from the store, and decrypts it here."""

    step = CHUNK_SIZE

    def __init__(self, api: Api, file: File, passphrase: str | None, keys: KeyCache) -> None:
        self._api, self._file_id, self._passphrase, self._keys = api, file["file_id"], passphrase, keys
        self._name = (file["file_id"], file["version"], passphrase)
        kept = keys.get(self._name)
        self._is_kept = kept is not None
        self._take(self._ask() if kept is None else kept)

    def _ask(self) -> Mapping[str, Any]:
        asked = {} if self._passphrase is None else {"passphrase": self._passphrase}
        document: dict[str, Any] = self._api.call("POST", f"files/{self._file_id}/key", asked)
        self._keys.keep(self._name, document)
        return document

    def _take(self, document: Mapping[str, Any]) -> None:
        self._key, self._url = FileKey.from_document(document), document["url"]
        self.size: int = document["file"]["size"]
        self.sha256: str | None = document["sha256"]

    def pieces(self, start: int) -> Iterator[bytes]:
        """The plaintext from ``start`` on, a multiple of ``step``.

        Raises:
            Broken: the connection broke off.
            Damaged: the body was changed or cut.
        """
        try:
            for piece in self._decrypt(start // CHUNK_SIZE):
                yield piece
                self._is_kept = False  # the key that was kept still fits
        except (PackageInvalid, Problem) as error:
            self._keys.drop(self._name)
            if self._is_kept and not isinstance(error, Unreachable):
                self._is_kept = False  # the body was encrypted again since, or its URL ended
                self._take(self._ask())
                yield from self.pieces(start)
            elif isinstance(error, PackageInvalid):
                raise Damaged("The downloaded body was changed or cut: it does not open.") from None
            else:
                raise

    def _decrypt(self, first_chunk: int) -> Iterator[bytes]:
        key, context = self._key.key, self._key.context
        if not first_chunk:
            with self._api.get(self._url) as answer:
                yield from decrypt_chunks(answer, key=key, context=context)
            return
        with self._api.get(self._url, stop=HEADER_SIZE) as answer:
            header = b""
            while len(header) < HEADER_SIZE and (more := answer.read(HEADER_SIZE - len(header))):
                header += more
        if len(header) != HEADER_SIZE:
            raise Broken("The connection broke off. Give the same command again to continue.")
        with self._api.get(self._url, start=HEADER_SIZE + first_chunk * SEALED_CHUNK_SIZE) as answer:
            yield from decrypt_chunks(
                answer, key=key, context=context, header=header, first_chunk=first_chunk
            )
