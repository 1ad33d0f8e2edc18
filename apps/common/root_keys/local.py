"""The root key in a file of this machine, for the embedded stack.

The file is ASCII, mode 0600, one line for each key, ``qkd-root-key-v1 <key id> <key, base64>``: the first wraps,
those after it only unwrap until they are retired. A process sees another file at its next wrapping, or when it
meets a secret under a key that it does not know. The key id is the first 8 bytes of
SHA-256("qkd-root-key-v1" || key) in hex, so it also checks the file. A wrapped secret is

    "QKL1" || key id (8) || nonce (12, random) || AES-256-GCM(key, nonce, secret, aad)

with aad = "QKL1" || key id || canonical context. Random 96-bit nonces allow 2**32 wraps under one key
(NIST SP 800-38D section 8.3), far more than one machine makes.
"""

import base64
import binascii
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.common.root_keys.interface import (
    RootKeyUnavailable,
    UnwrapFailed,
    canonical_context,
    checked_secret,
)

KEY_SIZE = 32
KEY_ID_SIZE = 8
NONCE_SIZE = 12
_FILE_MAGIC = b"qkd-root-key-v1"
_FILE_SIZE_LIMIT = 4096
_BLOB_MAGIC = b"QKL1"
_PREFIX_SIZE = len(_BLOB_MAGIC) + KEY_ID_SIZE


class LocalRootKey:
    """A root key in a file, made on first use.

    Args:
        path: of the key file; missing directories are made with mode 0700.

    Raises:
        RootKeyUnavailable: the file is readable by others, not ours, not a plain file, or damaged.
    """

    __slots__ = ("_current", "_keys", "_path", "_stamp")

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        if not self._path.exists():
            _create(self._path)
        self._load()

    @property
    def id(self) -> str:
        return f"local:{self._current.hex()}"

    @property
    def old_ids(self) -> tuple[str, ...]:
        """Of the keys that only unwrap."""
        self._load_if_changed()
        return tuple(f"local:{key_id.hex()}" for key_id in self._keys if key_id != self._current)

    def __repr__(self) -> str:
        return f"LocalRootKey({str(self._path)!r}, id={self._current.hex()})"

    def wrap(self, secret: bytes, *, context: Mapping[str, str]) -> bytes:
        """See ``RootKey.wrap``; adds 40 bytes."""
        checked_secret(secret)
        self._load_if_changed()
        prefix = _BLOB_MAGIC + self._current
        nonce = os.urandom(NONCE_SIZE)
        aad = prefix + canonical_context(context)
        return prefix + nonce + self._keys[self._current].encrypt(nonce, secret, aad)

    def unwrap(self, blob: bytes, *, context: Mapping[str, str]) -> bytes:
        """See ``RootKey.unwrap``."""
        aad = blob[:_PREFIX_SIZE] + canonical_context(context)
        if not blob.startswith(_BLOB_MAGIC):
            raise UnwrapFailed("not wrapped by a local root key")
        key_id = blob[len(_BLOB_MAGIC) : _PREFIX_SIZE]
        if key_id not in self._keys:
            self._load_if_changed()
        if key_id not in self._keys:
            raise UnwrapFailed("wrapped under another local root key")
        nonce, sealed = blob[_PREFIX_SIZE : _PREFIX_SIZE + NONCE_SIZE], blob[_PREFIX_SIZE + NONCE_SIZE :]
        try:
            return self._keys[key_id].decrypt(nonce, sealed, aad)
        except (InvalidTag, ValueError):
            raise UnwrapFailed("another context, or a changed wrapped secret") from None

    def add(self) -> str:
        """Make a key that wraps from now on; those before it still unwrap. Returns its id."""
        with _locked(self._path):
            _replace(self._path, lambda keys: [os.urandom(KEY_SIZE), *keys])
        self._load()
        return self.id

    def retire(self) -> tuple[str, ...]:
        """Forget every key but the current one; returns their ids. What they wrapped is lost."""
        with _locked(self._path):
            self._load()
            retired = self.old_ids
            _replace(self._path, lambda keys: keys[:1])
        self._load()
        return retired

    def seconds_since_change(self, now: float) -> float:
        """How long ago the file was last written, given the time in seconds since the epoch."""
        return now - self._path.stat().st_mtime

    def _load(self) -> None:
        keys, self._stamp = _read(self._path)
        self._keys = {_key_id(key): AESGCM(key) for key in keys}
        self._current = _key_id(keys[0])

    def _load_if_changed(self) -> None:
        try:
            status = self._path.stat()
        except OSError as error:
            raise RootKeyUnavailable(f"the root key file {self._path} is gone: {error.strerror}") from error
        if _stamp(status) != self._stamp:
            self._load()


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(_FILE_MAGIC + key).digest()[:KEY_ID_SIZE]


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _line(key: bytes) -> bytes:
    return b" ".join((_FILE_MAGIC, _key_id(key).hex().encode(), base64.b64encode(key))) + b"\n"


def _draft(path: Path, keys: list[bytes]) -> Path:
    """A key file beside ``path``, whole and durable, mode 0600."""
    descriptor, draft = tempfile.mkstemp(prefix=".root-key-", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(b"".join(map(_line, keys)))
        file.flush()
        os.fsync(file.fileno())
    return Path(draft)


def _create(path: Path) -> None:
    """Make the key file, or leave the one that another process made first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = _draft(path, [os.urandom(KEY_SIZE)])
    try:
        Path(path).hardlink_to(draft)  # atomic, and unlike a rename it fails where a file is already
    except FileExistsError:
        return
    finally:
        draft.unlink()
    _sync_directory(path.parent)


def _replace(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Put another key file in the place of the one that is there, atomically."""
    keys = change(_read(path)[0])
    if len(b"".join(map(_line, keys))) > _FILE_SIZE_LIMIT:
        raise RootKeyUnavailable(f"the root key file {path} holds too many keys: retire the old ones")
    _draft(path, keys).replace(path)
    _sync_directory(path.parent)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time changes the keys of a directory."""
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> tuple[list[bytes], tuple[int, int, int]]:
    """The keys of a key file that only we can read, and what tells whether it was changed since."""
    try:
        # Not through a link, and without waiting for the writer of a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise RootKeyUnavailable(f"the root key file {path} cannot be opened: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        _check_private(path, status)
        lines = os.read(descriptor, _FILE_SIZE_LIMIT).splitlines()
    finally:
        os.close(descriptor)
    keys = [_key_in(path, line) for line in lines]
    if not keys:
        raise RootKeyUnavailable(f"the root key file {path} is damaged")
    return keys, _stamp(status)


def _key_in(path: Path, line: bytes) -> bytes:
    try:
        magic, key_id, encoded = line.split()
        key = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        raise RootKeyUnavailable(f"the root key file {path} is damaged") from None
    if magic != _FILE_MAGIC or len(key) != KEY_SIZE or key_id != _key_id(key).hex().encode():
        raise RootKeyUnavailable(f"the root key file {path} is damaged")
    return key


def _check_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise RootKeyUnavailable(f"the root key file {path} is not a plain file")
    if status.st_uid != os.geteuid():
        raise RootKeyUnavailable(f"the root key file {path} belongs to another user")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise RootKeyUnavailable(
            f"the root key file {path} is open to others (mode {mode:04o}): chmod 600 it"
        )
