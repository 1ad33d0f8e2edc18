"""Eavesdroppers of nobody's paper, with error rates of their own: the engine must be right for attacks it does not know."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qkd.attacks import Flight, Interception
from qkd.attacks.model import Part
from qkd.attacks.roles import Disturbance, Measurement


@dataclass(frozen=True)
class OtherBasis(Measurement, Part):
    """Eve measures in a random basis and resends her outcome in the other one: half of the sifted bits are wrong."""

    kind: ClassVar[str] = "other_basis"
    error: ClassVar[float] = 0.5
    information_bits: ClassVar[float] = 0.5
    guess: ClassVar[float] = 0.75
    certain: ClassVar[float] = 0.5

    def measure(self, flight: Flight, world: np.random.Generator) -> Interception:
        bits = flight.states & np.uint8(1)
        bases = world.integers(0, 2, bits.size, dtype=np.uint8)
        coins = world.integers(0, 2, bits.size, dtype=np.uint8)
        matches = (flight.states >> 1) == bases
        outcomes = np.where(matches, bits, coins)
        states = (1 - bases) << np.uint8(1) | outcomes
        return Interception(states, matches, outcomes, matches, np.zeros_like(matches))


@dataclass(frozen=True)
class ClumsyBlinding(Measurement, Part):
    """Eve forces Bob's outcomes, every tenth of them to the wrong bit."""

    kind: ClassVar[str] = "clumsy_blinding"
    error: ClassVar[float] = 0.1
    information_bits: ClassVar[float] = 1.0
    guess: ClassVar[float] = 1.0
    certain: ClassVar[float] = 1.0
    forces: ClassVar[bool] = True

    def measure(self, flight: Flight, world: np.random.Generator) -> Interception:
        bits = flight.states & np.uint8(1)
        slips = (world.random(bits.size) < self.error).astype(np.uint8)
        everywhere = np.ones(bits.size, np.bool_)
        states = flight.bob_bases << np.uint8(1) | (bits ^ slips)
        return Interception(states, everywhere, bits, everywhere, everywhere)


@dataclass(frozen=True)
class Inversion(Disturbance, Part):
    """Nobody listens, but a fraction of the photons is turned by 90°."""

    kind: ClassVar[str] = "inversion"
    error: ClassVar[float] = 1.0

    def disturb(self, states: Any, exposed: Any, world: np.random.Generator) -> Any:
        turned = (world.random(states.size) < self.fraction) & exposed
        return states ^ turned.astype(np.uint8)


MADE_UP = (OtherBasis, ClumsyBlinding, Inversion)
