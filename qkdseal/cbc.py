"""AES-256-CBC with PKCS #7 padding and HMAC-SHA-512: A256CBC-HS512 of RFC 7518, section 5.2.5.

    tag = first 32 bytes of HMAC-SHA-512(MAC key, aad || iv || ciphertext || bits of aad as 8 bytes)

The tag is checked before anything is decrypted, so the padding of a changed ciphertext is never looked at.
"""

import hmac
import os

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from qkdseal.errors import PackageInvalid

KEY_SIZE = 32  # of each: encryption and MAC
IV_SIZE = 16
TAG_SIZE = 32
BLOCK_BITS = 128


def encrypt(
    plaintext: bytes, *, encryption_key: bytes, mac_key: bytes, aad: bytes, iv: bytes | None = None
) -> tuple[bytes, bytes, bytes]:
    """Encrypt; return ``iv, ciphertext, tag``. Give an ``iv`` for known answers only: it has to be unpredictable."""
    iv = os.urandom(IV_SIZE) if iv is None else iv
    padder = PKCS7(BLOCK_BITS).padder()
    padded = padder.update(plaintext) + padder.finalize()
    encryptor = Cipher(AES256(encryption_key), CBC(iv)).encryptor()
    ciphertext = encryptor.update(padded) + encryptor.finalize()
    return iv, ciphertext, _tag(mac_key, aad, iv, ciphertext)


def decrypt(
    ciphertext: bytes, *, iv: bytes, tag: bytes, encryption_key: bytes, mac_key: bytes, aad: bytes
) -> bytes:
    """Check the tag, then decrypt.

    Raises:
        PackageInvalid: this is not what ``encrypt`` gave for these keys and this aad.
    """
    if not hmac.compare_digest(tag, _tag(mac_key, aad, iv, ciphertext)):
        raise PackageInvalid
    try:
        decryptor = Cipher(AES256(encryption_key), CBC(iv)).decryptor()
        padded = decryptor.update(ciphertext) + decryptor.finalize()
        unpadder = PKCS7(BLOCK_BITS).unpadder()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:  # authenticated, but not made by ``encrypt``
        raise PackageInvalid from None


def _tag(mac_key: bytes, aad: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    length = (len(aad) * 8).to_bytes(8, "big")
    return hmac.digest(mac_key, aad + iv + ciphertext + length, "sha512")[:TAG_SIZE]
