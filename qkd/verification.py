"""Error verification: Alice and Bob compare a universal hash of their corrected bits.

The hash is Poly1305 under a public key that is drawn after the strings are fixed, folded to a short tag. For two
different strings of L bytes the tags agree with probability at most 8 ceil(L/16) 2^-106 + 2^-t (Bernstein, *The
Poly1305-AES message-authentication code*, FSE 2005, theorem 3.3; then the fold). The tag tells at most t bits about
the key, which are charged.
"""

import hashlib
import math

import numpy as np
from cryptography.hazmat.primitives.poly1305 import Poly1305

from qkd.bits import Bits, as_bits
from qkd.universal import fold, fold_key_size, tag_length_beside

FAMILY = "poly1305+multiply-add-shift"
"""Name of the hash family, for records."""

_VALUE_BITS = 128
_POINT_BYTES = 16
# What Poly1305 adds to the polynomial hides it where the tag is public and the key secret; here it is the other way.
_NO_PAD = bytes(16)


def tag_length(length: int, epsilon_cor: float) -> int:
    """Tag bits with which two different strings of ``length`` bits pass with probability <= ``epsilon_cor``.

    Raises:
        ValueError: Poly1305 alone does not reach ``epsilon_cor`` (below about 1e-27 for a million bits).
    """
    blocks = math.ceil(math.ceil(length / 8) / 16)
    return tag_length_beside(8 * blocks * 2.0**-106, epsilon_cor, length)


def key_size(bits: int) -> int:
    """Bytes of the public key that a tag of ``bits`` bits takes."""
    return _POINT_BYTES + fold_key_size(_VALUE_BITS, bits)


def derived_key(seed: int, bits: int) -> bytes:
    """A key from a seed by SHAKE-256, for studies: the collision bound then holds as if it were uniform."""
    return hashlib.shake_256(b"qkd verification" + seed.to_bytes(64, "little")).digest(key_size(bits))


def tag(string: Bits, *, bits: int, key: bytes) -> Bits:
    """Hash of a bit string.

    Args:
        string: shape (n,).
        bits: length of the tag, > 0.
        key: ``key_size(bits)`` uniformly random bytes, used once.

    Returns:
        The tag, shape (bits,).

    Raises:
        ValueError: a key of another size.
    """
    if len(key) != key_size(bits):
        raise ValueError(f"key must be {key_size(bits)} bytes, not {len(key)}")
    packed = np.packbits(as_bits("string", string)).tobytes()
    value = Poly1305.generate_tag(key[:_POINT_BYTES] + _NO_PAD, packed)
    return fold(int.from_bytes(value, "little"), _VALUE_BITS, bits, key[_POINT_BYTES:])
