"""Whether bits that came in look random: three tests of NIST SP 800-22, by p-value. Pure.

They find a generator that is broken, never one that is clever: keys that somebody knows pass them all.
"""

import math


def p_values(bits: bytes) -> dict[str, float]:
    """The chance that random bits look like this or worse, by test.

    Args:
        bits: at least one byte.
    """
    return {"ones": ones(bits), "runs": runs(bits), "blocks": blocks(bits)}


def ones(bits: bytes) -> float:
    """Ones among the bits: frequency test, section 2.1."""
    n = 8 * len(bits)
    found = int.from_bytes(bits).bit_count()
    return math.erfc(abs(2 * found - n) / math.sqrt(2 * n))


def runs(bits: bytes) -> float:
    """Runs of equal bits: section 2.3; 0 where there are far too many ones or zeros for it."""
    n = 8 * len(bits)
    number = int.from_bytes(bits)
    share = number.bit_count() / n
    if abs(share - 0.5) >= 2 / math.sqrt(n):
        return 0.0 if n >= 100 else 1.0
    changes = ((number ^ (number >> 1)) & ((1 << (n - 1)) - 1)).bit_count()
    spread = share * (1 - share)
    return math.erfc(abs(changes + 1 - 2 * n * spread) / (2 * math.sqrt(2 * n) * spread))


def blocks(bits: bytes, *, size: int = 16) -> float:
    """Ones in blocks of ``size`` bytes: section 2.2, with a normal approximation of the tail of chi-square."""
    parts = [bits[start : start + size] for start in range(0, len(bits) - size + 1, size)]
    if not parts:
        return 1.0
    wide = 8 * size
    chi_square = 4 * wide * sum((int.from_bytes(part).bit_count() / wide - 0.5) ** 2 for part in parts)
    degrees = len(parts)  # Wilson and Hilferty (1931): the cube root of chi-square is nearly normal
    deviation = ((chi_square / degrees) ** (1 / 3) - (1 - 2 / (9 * degrees))) / math.sqrt(2 / (9 * degrees))
    return 0.5 * math.erfc(deviation / math.sqrt(2))
