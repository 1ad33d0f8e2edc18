"""Error verification: Alice and Bob compare a universal hash of their corrected bits.

The hash is a polynomial over GF(2^127 - 1) in a random point, its value folded to a short tag by multiply-add-shift
(Dietzfelbinger, STACS 1996). For two different strings of n bits the tags agree with probability at most
n/120 * 2^-125 + 2^-t (roots of the polynomial, then the strongly universal fold), over a key that is drawn
after the strings are fixed and is public. The tag tells at most t bits about the key, which are charged.
"""

import hashlib
import math

import gmpy2
import numpy as np

from qkd.bits import Bits, as_bits, from_integer

_PRIME = gmpy2.mpz(2**127 - 1)
_POINT_BYTES = 16
_BLOCK_BYTES = 15  # 120 bits: every block is below the prime

FAMILY = "polynomial-2^127-1+multiply-add-shift"
"""Name of the hash family, for records."""


def tag_length(length: int, epsilon_cor: float) -> int:
    """Tag bits with which two different strings of ``length`` bits pass with probability <= ``epsilon_cor``.

    Raises:
        ValueError: the polynomial alone does not reach ``epsilon_cor`` (below about 1e-31 for a million bits).
    """
    remaining = epsilon_cor - _collision_of_polynomial(length)
    if remaining <= 0:
        raise ValueError(f"epsilon_cor must be above {_collision_of_polynomial(length):g} for {length} bits")
    return math.ceil(-math.log2(remaining))


def _collision_of_polynomial(length: int) -> float:
    # The point is 128 random bits modulo the prime: no value is more likely than 3 * 2^-128.
    return float(math.ceil(length / 8 / _BLOCK_BYTES) * 2.0**-125)


def key_size(bits: int) -> int:
    """Bytes of the public key that a tag of ``bits`` bits takes."""
    return _POINT_BYTES + 2 * ((127 + bits + 7) // 8)


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
    return tag_of_bytes(np.packbits(as_bits("string", string)).tobytes(), bits=bits, key=key)


def tag_of_bytes(data: bytes, *, bits: int, key: bytes) -> Bits:
    """Hash of a byte string; see ``tag``."""
    if len(key) != key_size(bits):
        raise ValueError(f"key must be {key_size(bits)} bytes, not {len(key)}")
    point = gmpy2.mpz(int.from_bytes(key[:_POINT_BYTES], "little")) % _PRIME
    value = gmpy2.mpz(0)
    for start in range(0, len(data), _BLOCK_BYTES):
        value = (value + int.from_bytes(data[start : start + _BLOCK_BYTES], "little")) * point % _PRIME
    width = 127 + bits
    half = (len(key) - _POINT_BYTES) // 2
    factor = int.from_bytes(key[_POINT_BYTES : _POINT_BYTES + half], "little")
    summand = int.from_bytes(key[_POINT_BYTES + half :], "little")
    folded = (factor * int(value) + summand) % 2**width >> (width - bits)
    return from_integer(folded, bits)
