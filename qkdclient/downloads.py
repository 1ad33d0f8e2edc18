"""Downloads: continued where they stopped, and compared with the file's SHA-256 as they lie on the disk."""

import hashlib
from typing import BinaryIO, Protocol

from qkdclient.announcing import File
from qkdclient.api import Api
from qkdclient.errors import Broken, Damaged
from qkdclient.file_keys import KeyCache
from qkdclient.names import shown
from qkdclient.pace import Pace
from qkdclient.patience import Patience
from qkdclient.progress import Progress
from qkdclient.readers import LocalReader, PlatformReader, Reader, Replaced
from qkdclient.targets import Part, Target, part_of

VERSIONS = 3  # tries for a file that is replaced again and again while it is read


class Sink(Protocol):
    """Takes the plaintext."""

    def write(self, piece: bytes, /) -> object:
        """Take a piece."""

    def keep(self, size: int, *, step: int = 1) -> int:
        """Return where to go on."""


class Downloads:
    """Downloads one file after the other; with ``local`` they are decrypted here."""

    def __init__(self, api: Api, pace: Pace, keys: KeyCache) -> None:
        self._api, self._pace, self._keys = api, pace, keys

    def to_file(
        self, file: File, target: Target, passphrase: str | None, progress: Progress, *, local: bool
    ) -> None:
        """Download a file to a path, where it stands only once it is whole and right.

        Raises:
            Exists, Busy, Unfit: as ``targets``.
            Damaged: what came is not what was stored; nothing of it is left.
            Problem: the platform refused.
        """
        target.check()
        for _ in range(VERSIONS):
            place = {"server": self._api.server, "file_id": file["file_id"], "version": file["version"]}
            with part_of(target, **place) as part:
                if self._fetch(file, part, passphrase, progress, local=local):
                    part.publish(target)
                    return
                part.remove()
            now = self._api.call("GET", f"files/{file['file_id']}")
            if now["version"] == file["version"]:
                break
            file = now
        phrase = " The passphrase may be wrong." if file["has_passphrase"] else ""
        raise Damaged(
            f"What came of {shown(file['name'])} is not what was stored.{phrase} Download it again; if that ends so "
            "too, tell the operator."
        )

    def _fetch(
        self, file: File, part: Part, passphrase: str | None, progress: Progress, *, local: bool
    ) -> bool:
        """Fetch what is missing of a part; return whether it is right then."""
        reader = self._reader(file, passphrase, local=local)
        resumed = (
            part.keep(reader.size if reader.sha256 else 0) > 0
        )  # nobody could tell whether a part is right
        while True:
            try:
                self._fill(reader, part, progress)
            except (Replaced, Damaged):
                right = False
            else:
                right = reader.sha256 in {None, part.sha256()}
            if right or not resumed:
                return right
            part.keep(0)  # what an earlier run left was not right
            resumed = False

    def to_stream(
        self, file: File, out: BinaryIO, passphrase: str | None, progress: Progress, *, local: bool
    ) -> None:
        """Write a file to a stream, such as standard output, as it comes.

        Raises:
            Damaged: what was written is not what was stored, and has to be discarded.
        """
        reader, sink = self._reader(file, passphrase, local=local), _Stream(out)
        try:
            self._fill(reader, sink, progress)
        except Replaced:
            raise Damaged(
                f"{shown(file['name'])} was replaced while it was written. Discard what came, and download it again."
            ) from None
        if reader.sha256 not in {None, sink.sha256.hexdigest()} or sink.size != reader.size:
            raise Damaged(
                f"What was written of {shown(file['name'])} is not what was stored. Discard it, and download it again."
            )

    def _reader(self, file: File, passphrase: str | None, *, local: bool) -> Reader:
        if local:
            return LocalReader(self._api, file, passphrase, self._keys)
        return PlatformReader(self._api, file, passphrase)

    def _fill(self, reader: Reader, sink: Sink, progress: Progress) -> None:
        """Write everything that the sink does not have yet; broken connections are taken up."""
        tries = Patience()
        while True:
            done = sink.keep(reader.size, step=reader.step)
            try:
                for piece in reader.pieces(done) if done < reader.size or not reader.size else ():
                    self._pace.spend(len(piece))
                    sink.write(piece)
                    done += len(piece)
                    tries = Patience()
                    progress(done, reader.size)
            except Broken as broken:
                if not tries.pause(str(broken)):
                    raise
            else:
                progress(done, reader.size)
                return


class _Stream:
    """A stream that cannot go back: what of a piece was written already is not written again."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self.sha256, self.size, self._skip = out, hashlib.sha256(), 0, 0

    def keep(self, size: int, *, step: int = 1) -> int:
        """Go on at the beginning of the chunk that was not written whole."""
        begin = self.size if self.size == size else self.size // step * step
        self._skip = self.size - begin
        return begin

    def write(self, piece: bytes, /) -> None:
        """Write what of a piece was not written yet."""
        skipped = min(self._skip, len(piece))
        self._skip -= skipped
        rest = piece[skipped:]
        self._out.write(rest)
        self.sha256.update(rest)
        self.size += len(rest)
