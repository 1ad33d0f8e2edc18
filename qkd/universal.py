"""Universal hashing of byte strings: a polynomial over GF(2^127 - 1), and the fold that shortens any such hash.

For two different strings of n bits the tags agree with probability at most n/120 * 2^-125 + 2^-t (roots of the
polynomial, then the fold), over a key that is drawn after the strings are fixed.
"""

import math

import gmpy2

from qkd.bits import Bits, from_integer

_PRIME = gmpy2.mpz(2**127 - 1)
_VALUE_BITS = 127
_POINT_BYTES = 16
_BLOCK_BYTES = 15  # 120 bits: every block is below the prime


def tag_length_beside(collision: float, epsilon: float, length: int) -> int:
    """Tag bits with which a hash of ``length`` bits that collides with a probability stays below ``epsilon``.

    Raises:
        ValueError: the hash alone does not reach ``epsilon``.
    """
    if epsilon <= collision:
        raise ValueError(f"epsilon_cor must be above {collision:g} for {length} bits")
    return math.ceil(-math.log2(epsilon - collision))


def fold_key_size(value_bits: int, bits: int) -> int:
    """Bytes of the key that folds ``value_bits`` to ``bits``."""
    return 2 * ((value_bits + bits + 7) // 8)


def fold(value: int, value_bits: int, bits: int, key: bytes) -> Bits:
    """A number of ``value_bits`` bits shortened to a tag, shape (bits,), by multiply-add-shift, strongly universal.

    Source: Dietzfelbinger, STACS 1996.
    """
    width, half = value_bits + bits, len(key) // 2
    factor, summand = int.from_bytes(key[:half], "little"), int.from_bytes(key[half:], "little")
    return from_integer((factor * value + summand) % 2**width >> (width - bits), bits)


def tag_length(length: int, epsilon: float) -> int:
    """Tag bits with which two different strings of ``length`` bits pass with probability <= ``epsilon``.

    Raises:
        ValueError: the polynomial alone does not reach ``epsilon``.
    """
    # The point is 128 random bits modulo the prime: no value is more likely than 3 * 2^-128.
    return tag_length_beside(math.ceil(length / 8 / _BLOCK_BYTES) * 2.0**-125, epsilon, length)


def key_size(bits: int) -> int:
    """Bytes of the key that a tag of ``bits`` bits takes."""
    return _POINT_BYTES + fold_key_size(_VALUE_BITS, bits)


def tag(data: bytes, *, bits: int, key: bytes) -> Bits:
    """Hash of a byte string, shape (bits,).

    Args:
        data: the string; strings of different length must differ in their first 15 bytes.
        bits: length of the tag, > 0.
        key: ``key_size(bits)`` uniformly random bytes.

    Raises:
        ValueError: a key of another size.
    """
    if len(key) != key_size(bits):
        raise ValueError(f"key must be {key_size(bits)} bytes, not {len(key)}")
    point = gmpy2.mpz(int.from_bytes(key[:_POINT_BYTES], "little")) % _PRIME
    value = gmpy2.mpz(0)
    for start in range(0, len(data), _BLOCK_BYTES):
        value = (value + int.from_bytes(data[start : start + _BLOCK_BYTES], "little")) * point % _PRIME
    return fold(int(value), _VALUE_BITS, bits, key[_POINT_BYTES:])
