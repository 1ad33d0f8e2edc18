"""Honest noise, to compare attacks with."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qkd.attacks.model import Part
from qkd.attacks.roles import Disturbance
from qkd.bits import Bits


@dataclass(frozen=True)
class Noise(Disturbance, Part):
    """Nobody listens, but a fraction of the photons loses its polarization."""

    kind: ClassVar[str] = "noise"
    error: ClassVar[float] = 0.5

    def disturb(self, states: Bits, exposed: NDArray[np.bool_], world: np.random.Generator) -> Bits:
        """Replace a fraction of those exposed by completely mixed ones."""
        lost = (world.random(states.size) < self.fraction) & exposed
        return np.where(lost, world.integers(0, 4, states.size, dtype=np.uint8), states)
