"""The SHA-256 of a file's plaintext, kept sealed: under the metadata key, or behind a passphrase under the file key.

The metadata key is a secret of the platform as the audit key is. It opens digests and nothing else. Behind a
passphrase it is not used: whoever has it and the tables could confirm guesses of what the passphrase protects.
"""

import hashlib
from functools import lru_cache

from django.conf import settings

from qkdseal import Header, PackageInvalid, open_digest, seal_digest


def seal(sha256: bytes, *, header: Header, file_key: bytes) -> bytes:
    """Seal the SHA-256 of a file, to be kept in its record.

    Args:
        sha256: 32 bytes.
        header: of the file's envelope; the digest opens for this package only.
        file_key: of its body.
    """
    key = file_key if header.passphrase else _metadata_key(settings.METADATA_KEY)
    return seal_digest(sha256, key=key, context=header.digest())


def open_with_metadata_key(sealed: bytes, *, header: Header) -> str:
    """The SHA-256 in hex, of a file without a passphrase.

    Raises:
        PackageInvalid: it is of another package or key, or was changed.
    """
    for text in (settings.METADATA_KEY, *settings.METADATA_KEY_PREVIOUS):
        try:
            return open_digest(sealed, key=_metadata_key(text), context=header.digest()).hex()
        except PackageInvalid:
            continue
    raise PackageInvalid


@lru_cache(maxsize=8)
def _metadata_key(text: str) -> bytes:
    return hashlib.sha256(b"qkdplatform metadata key v1|" + text.encode()).digest()
