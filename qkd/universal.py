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


class Hash:
    """The hash of a byte string that comes piece by piece.

    Args:
        bits: length of the tag, > 0.
        key: ``key_size(bits)`` uniformly random bytes.

    Raises:
        ValueError: a key of another size.
    """

    def __init__(self, *, bits: int, key: bytes) -> None:
        """Start with the empty string."""
        if len(key) != key_size(bits):
            raise ValueError(f"key must be {key_size(bits)} bytes, not {len(key)}")
        self._bits = bits
        self._fold_key = key[_POINT_BYTES:]
        self._poly1305 = Poly1305(key[:_POINT_BYTES] + _NO_PAD)

    def update(self, data: bytes) -> None:
        """Append to the string."""
        self._poly1305.update(data)

    def finish(self) -> Bits:
        """Return the tag, shape (bits,); nothing can be appended any more."""
        return _fold(int.from_bytes(self._poly1305.finalize(), "little"), self._bits, self._fold_key)


def tag(data: bytes, *, bits: int, key: bytes) -> Bits:
    """Hash a byte string to a tag, shape (bits,); arguments and errors are those of ``Hash``."""
    whole = Hash(bits=bits, key=key)
    whole.update(data)
    return whole.finish()


def _fold(value: int, bits: int, key: bytes) -> Bits:
    """Shorten a number to a tag, shape (bits,), by multiply-add-shift, strongly universal.

    Source: Dietzfelbinger, STACS 1996.
    """
    width, half = _VALUE_BITS + bits, len(key) // 2
    factor, summand = int.from_bytes(key[:half], "little"), int.from_bytes(key[half:], "little")
    return from_integer((factor * value + summand) % 2**width >> _VALUE_BITS, bits)
