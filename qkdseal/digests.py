"""The digest of a file that people compare: the SHA-256 of its plaintext, kept sealed.

    digest key    = HKDF-Expand(SHA-512, prk = key, info = label, context, 32 bytes)
    sealed digest = body (Cobblestone-256) of the 32 bytes of the SHA-256, under the digest key and the context

The key is one of the keeper (a *metadata key*), or the file key where a passphrase is part of it. The context is
the digest of the package's header, so that a sealed digest belongs to one package.
"""

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from qkdseal.body import open_bytes, seal_bytes
from qkdseal.chunks import check_key, ciphertext_size
from qkdseal.encoding import encode_fields
from qkdseal.errors import PackageInvalid

SHA256_SIZE = 32
SEALED_DIGEST_SIZE = ciphertext_size(SHA256_SIZE)
_LABEL = b"qkdplatform package digest key v1"


def seal_digest(sha256: bytes, *, key: bytes, context: bytes) -> bytes:
    """Seal the SHA-256 of a plaintext, so that it tells an outsider nothing.

    >>> import hashlib, os
    >>> key, digest = os.urandom(32), hashlib.sha256(b"text").digest()
    >>> open_digest(seal_digest(digest, key=key, context=b"header"), key=key, context=b"header") == digest
    True

    Args:
        sha256: 32 bytes.
        key: the metadata key, or the file key where a passphrase is part of it.
        context: the digest of the package's header.

    Raises:
        ValueError: the digest or the key has the wrong length.
    """
    if len(sha256) != SHA256_SIZE:
        raise ValueError(f"A SHA-256 has {SHA256_SIZE} bytes; this one has {len(sha256)}.")
    return seal_bytes(_digest_key(key, context), context, sha256)


def open_digest(sealed: bytes, *, key: bytes, context: bytes) -> bytes:
    """Open what ``seal_digest`` sealed.

    >>> open_digest(bytes(104), key=bytes(32), context=b"header")
    Traceback (most recent call last):
    qkdseal.errors.PackageInvalid: The package is damaged, or does not belong to this key and context.

    Raises:
        PackageInvalid: another key or context, or something was changed.
        ValueError: the key has the wrong length.
    """
    if len(sealed) != SEALED_DIGEST_SIZE:
        raise PackageInvalid
    return open_bytes(_digest_key(key, context), context, sealed)


def _digest_key(key: bytes, context: bytes) -> bytes:
    check_key(key)
    return HKDFExpand(SHA512(), SHA256_SIZE, encode_fields(_LABEL, context)).derive(key)
