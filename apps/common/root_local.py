"""The root key in a file of this machine, for the embedded stack.

The file is one line of ASCII, ``qkd-root-key-v1 <key id> <key, base64>``, mode 0600; it is made once and then
only read. The key id is the first 8 bytes of SHA-256("qkd-root-key-v1" || key) in hex, so it also checks the
file. A wrapped secret is

    "QKL1" || key id (8) || nonce (12, random) || AES-256-GCM(key, nonce, secret, aad)

with aad = "QKL1" || key id || canonical context. Random 96-bit nonces allow 2**32 wraps under one key
(NIST SP 800-38D section 8.3), far more than one machine makes.
"""

import base64
import binascii
import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.common.wrapping import RootKeyUnavailable, UnwrapFailed, canonical_context, checked_secret

KEY_SIZE = 32
KEY_ID_SIZE = 8
NONCE_SIZE = 12
_FILE_MAGIC = b"qkd-root-key-v1"
_FILE_SIZE_LIMIT = 1024
_BLOB_MAGIC = b"QKL1"
_PREFIX_SIZE = len(_BLOB_MAGIC) + KEY_ID_SIZE


class LocalRootKey:
    """A root key in a file, made on first use.

    Args:
        path: of the key file; missing directories are made with mode 0700.

    Raises:
        RootKeyUnavailable: the file is readable by others, not ours, not a plain file, or damaged.
    """

    __slots__ = ("_aead", "_key_id", "_path")

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        if not self._path.exists():
            _create(self._path)
        self._key_id, key = _read(self._path)
        self._aead = AESGCM(key)

    @property
    def id(self) -> str:
        return f"local:{self._key_id.hex()}"

    def __repr__(self) -> str:
        return f"LocalRootKey({str(self._path)!r}, id={self._key_id.hex()})"

    def wrap(self, secret: bytes, *, context: Mapping[str, str]) -> bytes:
        """See ``RootKey.wrap``; adds 40 bytes."""
        checked_secret(secret)
        prefix = _BLOB_MAGIC + self._key_id
        nonce = os.urandom(NONCE_SIZE)
        return prefix + nonce + self._aead.encrypt(nonce, secret, prefix + canonical_context(context))

    def unwrap(self, blob: bytes, *, context: Mapping[str, str]) -> bytes:
        """See ``RootKey.unwrap``."""
        aad = blob[:_PREFIX_SIZE] + canonical_context(context)
        if not blob.startswith(_BLOB_MAGIC):
            raise UnwrapFailed("not wrapped by a local root key")
        if blob[len(_BLOB_MAGIC) : _PREFIX_SIZE] != self._key_id:
            raise UnwrapFailed("wrapped under another local root key")
        nonce, sealed = blob[_PREFIX_SIZE : _PREFIX_SIZE + NONCE_SIZE], blob[_PREFIX_SIZE + NONCE_SIZE :]
        try:
            return self._aead.decrypt(nonce, sealed, aad)
        except (InvalidTag, ValueError):
            raise UnwrapFailed("another context, or a changed wrapped secret") from None


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(_FILE_MAGIC + key).digest()[:KEY_ID_SIZE]


def _create(path: Path) -> None:
    """Make the key file whole and durable, or leave the one that another process made first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = os.urandom(KEY_SIZE)
    line = b" ".join((_FILE_MAGIC, _key_id(key).hex().encode(), base64.b64encode(key))) + b"\n"
    descriptor, draft = tempfile.mkstemp(prefix=".root-key-", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        Path(path).hardlink_to(draft)  # atomic, and unlike a rename it fails where a file is already
    except FileExistsError:
        return
    finally:
        Path(draft).unlink()
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> tuple[bytes, bytes]:
    """The key id and the key of a key file that only we can read."""
    try:
        # Not through a link, and without waiting for the writer of a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise RootKeyUnavailable(f"the root key file {path} cannot be opened: {error.strerror}") from error
    try:
        _check_private(path, os.fstat(descriptor))
        fields = os.read(descriptor, _FILE_SIZE_LIMIT).split()
    finally:
        os.close(descriptor)
    try:
        magic, key_id, encoded = fields
        key = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        raise RootKeyUnavailable(f"the root key file {path} is damaged") from None
    if magic != _FILE_MAGIC or len(key) != KEY_SIZE or key_id != _key_id(key).hex().encode():
        raise RootKeyUnavailable(f"the root key file {path} is damaged")
    return _key_id(key), key


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
