"""What Eve knows of the sifted bits: the simulator knows it, Alice and Bob do not."""

from dataclasses import dataclass

import numpy as np

from qkd.bb84 import Transmission, sift
from qkd.finite_key import binary_entropy

# What guessing seems to give by luck alone: a surplus below this is no knowledge.
_CHANCE_BITS = 10.0


@dataclass(frozen=True)
class Knowledge:
    """Eve's knowledge once bases are public, before any processing.

    Attributes:
        known_bits: sifted bits that she has for certain.
        guess_rate: part of all sifted bits that her best guess gets right; a coin where she knows nothing.
        information_bits: her information on all sifted bits, in bits: one for each that she has for certain, and
            1 - h(p) for each that she guesses with the measured success p.
    """

    known_bits: int
    guess_rate: float
    information_bits: float


def knowledge(transmission: Transmission) -> Knowledge:
    """Measure what Eve knows by comparing her record with Alice's sifted bits."""
    alice, eve = transmission.alice, transmission.eve
    sifted = sift(alice.bases, transmission.bob.bases)
    total, known = int(np.count_nonzero(sifted)), int(np.count_nonzero(eve.known & sifted))
    if not total:
        return Knowledge(0, 0.5, 0.0)
    guessed = sifted & eve.touched & ~eve.known
    count = int(np.count_nonzero(guessed))
    right = int(np.count_nonzero(guessed & (eve.guesses == alice.bits)))
    unknown = total - known - count
    surplus = count * (1 - binary_entropy(right / count)) if count else 0.0
    if surplus < _CHANCE_BITS:
        surplus = 0.0
    return Knowledge(known, (known + right + unknown / 2) / total, known + surplus)
