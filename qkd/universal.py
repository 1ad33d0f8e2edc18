"""Universal hashing: Poly1305, folded to a short tag. What verification and authentication are made from.

For two different strings of L bytes, whatever the difference of their tags, it comes with probability at most
8 ceil(L/16) 2^-106 + 2^-t over the key (Bernstein, *The Poly1305-AES message-authentication code*, FSE 2005, theorem
3.3; then the fold). Strings of different length are different.
"""

import math
from collections.abc import Iterable

import numpy as np
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
        self._fold = _Fold(bits, key[_POINT_BYTES:])
        self._poly1305 = Poly1305(key[:_POINT_BYTES] + _NO_PAD)

    def update(self, data: bytes) -> None:
        """Append to the string."""
        self._poly1305.update(data)

    def finish(self) -> Bits:
        """Return the tag, shape (bits,); nothing can be appended any more."""
        return from_integer(self._fold(self._poly1305.finalize()), self._bits)


def tag(data: bytes, *, bits: int, key: bytes) -> Bits:
    """Hash a byte string to a tag, shape (bits,); arguments and errors are those of ``Hash``."""
    return tags([data], bits=bits, key=key)


def tags(strings: Iterable[bytes | memoryview], *, bits: int, key: bytes) -> Bits:
    """Hash byte strings, each as ``tag`` does, and return the tags one after the other."""
    if len(key) != key_size(bits):
        raise ValueError(f"key must be {key_size(bits)} bytes, not {len(key)}")
    fold, size, whole = _Fold(bits, key[_POINT_BYTES:]), (bits + 7) // 8, key[:_POINT_BYTES] + _NO_PAD
    folded = (fold(Poly1305.generate_tag(whole, string)).to_bytes(size, "little") for string in strings)
    packed = np.frombuffer(b"".join(folded), np.uint8).reshape(-1, size)
    return np.unpackbits(packed, axis=1, count=bits, bitorder="little").reshape(-1)


class _Fold:
    """Shortens a value of Poly1305 to so many bits by multiply-add-shift, strongly universal.

    Source: Dietzfelbinger, STACS 1996.
    """

    def __init__(self, bits: int, key: bytes) -> None:
        half = len(key) // 2
        self._factor, self._summand = (int.from_bytes(part, "little") for part in (key[:half], key[half:]))
        self._mask = (1 << _VALUE_BITS + bits) - 1

    def __call__(self, value: bytes) -> int:
        number = int.from_bytes(value, "little")
        return (self._factor * number + self._summand & self._mask) >> _VALUE_BITS
