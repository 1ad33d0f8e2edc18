"""Privacy amplification by multiply-add-shift, a strongly universal family.

h(x) = ((a x + b) mod 2^w) >> (w - m) with uniformly random a, b below 2^w is strongly universal from n to m bits for
w >= n + m - 1 (Dietzfelbinger, STACS 1996), so the quantum leftover hash lemma holds for it (Tomamichel, Schaffner,
Smith, Renner, IEEE Trans. Inf. Theory 57 (2011)). It is exact at every length: one product of big integers.
"""

import hashlib

import gmpy2
import numpy as np

from qkd.bits import Bits, as_bits, as_integer

FAMILY = "multiply-add-shift"
"""Name of the hash family, for records."""


def seed_size(length: int, final_length: int) -> int:
    """Return the bytes of uniformly random public seed for ``length`` bits in and ``final_length`` out."""
    return 2 * _operand_size(length, final_length)


def _operand_size(length: int, final_length: int) -> int:
    return (length + final_length + 7) // 8


def amplify(bits: Bits, final_length: int, *, seed: int | bytes) -> Bits:
    """Shorten a string that Eve partly knows to one that she knows nothing about.

    Args:
        bits: corrected and verified bits, shape (n,), n > 0.
        final_length: bits wanted, 0 to n.
        seed: ``seed_size(n, final_length)`` uniformly random bytes, public, drawn after the bits are fixed. A
            non-negative integer below 2**256 is expanded by SHAKE-256: for studies, not information-theoretic.

    Returns:
        The hash, shape (final_length,).

    Raises:
        ValueError: an argument outside these ranges.
    """
    bits = as_bits("bits", bits)
    if not bits.size:
        raise ValueError("bits must not be empty")
    final_length = as_integer("final_length", final_length, 0, bits.size)
    size = _operand_size(bits.size, final_length)
    if not isinstance(seed, bytes):
        as_integer("seed", seed, 0, 2**256 - 1)
        seed = hashlib.shake_256(b"qkd amplification" + seed.to_bytes(32, "little")).digest(2 * size)
    if len(seed) != 2 * size:
        raise ValueError(f"seed must be {2 * size} bytes for these lengths, not {len(seed)}")
    if not final_length:
        return np.zeros(0, np.uint8)
    width = bits.size + final_length
    product = _natural(seed[:size]) * _natural(np.packbits(bits, bitorder="little").tobytes())
    hashed = gmpy2.f_mod_2exp(product + _natural(seed[size:]), width) >> (width - final_length)
    packed = np.frombuffer(int(hashed).to_bytes((final_length + 7) // 8, "little"), np.uint8)
    return np.unpackbits(packed, count=final_length, bitorder="little")


def _natural(data: bytes) -> gmpy2.mpz:
    return gmpy2.mpz(int.from_bytes(data, "little"))
