"""Error verification: Alice and Bob compare a universal hash of their corrected bits.

The key of the hash (``qkd.universal``) is public and drawn after the strings are fixed. The tag tells at most its t
bits about the key, which are charged.
"""

import hashlib

import numpy as np

from qkd import universal
from qkd.bits import Bits, as_bits

FAMILY = "poly1305+multiply-add-shift"
"""Name of the hash family, for records."""


def derived_key(seed: int, bits: int) -> bytes:
    """Derive a key from a seed by SHAKE-256, for studies: the collision bound then holds as if it were uniform."""
    size = universal.key_size(bits)
    return hashlib.shake_256(b"qkd verification" + seed.to_bytes(64, "little")).digest(size)


def tag(string: Bits, *, bits: int, key: bytes) -> Bits:
    """Hash a bit string, shape (n,), to a tag of shape (bits,).

    Raises:
        ValueError: a key of another size than ``universal.key_size(bits)``.
    """
    return universal.tag(np.packbits(as_bits("string", string)).tobytes(), bits=bits, key=key)


def tags(rows: Bits, *, bits: int, key: bytes) -> Bits:
    """Hash the rows of a table of bits, shape (rows, n), each as ``tag`` does; the tags one after the other."""
    return universal.tags((row.data for row in np.packbits(rows, axis=1)), bits=bits, key=key)
