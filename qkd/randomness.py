"""Where random bits come from: the operating system, or a seed for studies.

Alice's bits and bases, Bob's bases, and every public seed of the post-processing are drawn through ``bits`` and
``token``: from the operating system's CSPRNG unless a study asks for a seed. What the world does (photon loss,
dark counts, noise, Eve) comes from ``world``, a fast generator: nobody's secret depends on it.
"""

import os

import numpy as np

from qkd.bits import Bits


class Randomness:
    """Randomness of one session.

    Args:
        seed: None for the operating system's CSPRNG; a non-negative integer makes everything reproducible, and
            whatever is made from it non-secret.
    """

    def __init__(self, seed: int | None = None) -> None:
        """Open the source."""
        self.secret = seed is None
        root = np.random.SeedSequence(seed if seed is not None else int.from_bytes(os.urandom(32), "little"))
        study, world = root.spawn(2)
        self._study = np.random.Generator(np.random.PCG64(study))
        self.world = np.random.Generator(np.random.SFC64(world))

    def token(self, size: int) -> bytes:
        """Draw ``size`` uniformly random bytes."""
        return os.urandom(size) if self.secret else self._study.bytes(size)

    def integer(self, bits: int) -> int:
        """Draw a uniformly random integer below ``2**bits``; ``bits`` is a multiple of 8."""
        return int.from_bytes(self.token(bits // 8), "little")

    def bits(self, count: int) -> Bits:
        """Draw ``count`` uniformly random bits."""
        packed = np.frombuffer(self.token((count + 7) // 8), np.uint8)
        return np.unpackbits(packed, count=count)

    def biased_bits(self, count: int, probability_of_one: float) -> Bits:
        """Draw ``count`` independent bits, each 1 with the given probability (rounded to 2**-32)."""
        if probability_of_one == 0.5:
            return self.bits(count)
        words = np.frombuffer(self.token(4 * count), np.uint32)
        return (words < round(probability_of_one * 2**32)).astype(np.uint8)
