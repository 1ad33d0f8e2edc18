"""Privacy amplification by multiply-shift with an odd factor and a short summand, a universal family.

h(x) = ((a x + b) mod 2^n) >> (n - m), from n bits to m, with a uniformly random odd a below 2^n and a uniformly random
b below 2^(n - m), is universal: two different strings have the same hash with probability at most 2^-m (Woelfel,
*Efficient strongly universal and optimally universal hashing*, MFCS 1999). That is all that the quantum leftover hash
lemma asks for (Renner, PhD thesis 2005; Tomamichel, Schaffner, Smith, Renner, IEEE Trans. Inf. Theory 57 (2011)). It is
exact at every length: one product of big integers. The proof is in ``docs/quantum-cryptography.md``.
"""

import hashlib

import gmpy2
import numpy as np

from qkd.bits import Bits, as_bits, as_integer

FAMILY = "multiply-shift-odd"
"""Name of the hash family, for records."""

# The C library hands freed blocks back to the kernel, which clears each page again (221 for a block of 10^6 bits, a tenth
# of the time), until a larger block was freed once. This one is, untouched; a session's own arrays are as large.
np.empty(1 << 24, np.uint8)


def seed_size(length: int, final_length: int) -> int:
    """Return the bytes of uniformly random public seed for ``length`` bits in and ``final_length`` out."""
    return _bytes(length) + _bytes(max(0, length - final_length))


def _bytes(bits: int) -> int:
    return (bits + 7) // 8


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
    size = seed_size(bits.size, final_length)
    if not isinstance(seed, bytes):
        as_integer("seed", seed, 0, 2**256 - 1)
        seed = hashlib.shake_256(b"qkd amplification" + seed.to_bytes(32, "little")).digest(size)
    if len(seed) != size:
        raise ValueError(f"seed must be {size} bytes for these lengths, not {len(seed)}")
    if not final_length:
        return np.zeros(0, np.uint8)
    dropped, factor_size = bits.size - final_length, _bytes(bits.size)
    factor = _natural(seed[:factor_size]).bit_set(0)
    summand = gmpy2.f_mod_2exp(_natural(seed[factor_size:]), dropped)
    # Together, the sum takes the place of the product instead of memory of its own
    product = gmpy2.fma(factor, _natural(np.packbits(bits, bitorder="little").tobytes()), summand)
    hashed = gmpy2.f_mod_2exp(product, bits.size) >> dropped
    packed = np.frombuffer(hashed.to_bytes(_bytes(final_length), "little"), np.uint8)
    return np.unpackbits(packed, count=final_length, bitorder="little")


def _natural(data: bytes) -> gmpy2.mpz:
    return gmpy2.mpz.from_bytes(data, "little")
