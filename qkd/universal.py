"""Universal hashing: Poly1305, folded to a short tag. What verification and authentication are made from.

For two different strings of L bytes, whatever the difference of their tags, it comes with probability at most
8 ceil(L/16) 2^-106 + 2^-t over the key (Bernstein, *The Poly1305-AES message-authentication code*, FSE 2005, theorem
3.3; then the fold). Strings of different length are different.
"""

import math

from cryptography.hazmat.primitives.poly1305 import Poly1305

from qkd.bits import Bits, from_integer

_VALUE_BITS = 128
_POINT_BYTES = 16
# What Poly1305 adds to its polynomial hides that where tags are public. Here the key is public, or the tag is hidden
# by the caller.
_NO_PAD = bytes(16)


def tag_length(length: int, epsilon: float) -> int:
    """Return the tag bits with which two different strings of ``length`` bits pass with probability <= ``epsilon``.

    Raises:
        ValueError: Poly1305 alone does not reach ``epsilon`` (below about 1e-27 for a million bits).
    """
    collision = 8 * math.ceil(math.ceil(length / 8) / 16) * 2.0**-106
    if epsilon <= collision:
        raise ValueError(f"epsilon must be above {collision:g} for {length} bits")
    return math.ceil(-math.log2(epsilon - collision))


def key_size(bits: int) -> int:
    """Return the bytes of the key for a tag of ``bits`` bits."""
    return _POINT_BYTES + 2 * ((_VALUE_BITS + bits + 7) // 8)


def tag(data: bytes, *, bits: int, key: bytes) -> Bits:
    """Hash a byte string to a tag.

    Args:
        data: the string.
        bits: length of the tag, > 0.
        key: ``key_size(bits)`` uniformly random bytes.

    Returns:
        The tag, shape (bits,).

    Raises:
        ValueError: a key of another size.
    """
    if len(key) != key_size(bits):
        raise ValueError(f"key must be {key_size(bits)} bytes, not {len(key)}")
    value = Poly1305.generate_tag(key[:_POINT_BYTES] + _NO_PAD, data)
    return _fold(int.from_bytes(value, "little"), bits, key[_POINT_BYTES:])


def _fold(value: int, bits: int, key: bytes) -> Bits:
    """Shorten a number to a tag, shape (bits,), by multiply-add-shift, strongly universal.

    Source: Dietzfelbinger, STACS 1996.
    """
    width, half = _VALUE_BITS + bits, len(key) // 2
    factor, summand = int.from_bytes(key[:half], "little"), int.from_bytes(key[half:], "little")
    return from_integer((factor * value + summand) % 2**width >> _VALUE_BITS, bits)
