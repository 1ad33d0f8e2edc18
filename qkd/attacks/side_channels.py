"""Attacks on what the devices leak: they touch no photon of the protocol, so neither QBER nor decoys show them."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qkd.attacks.flight import Flight, Interception
from qkd.attacks.model import Part
from qkd.attacks.roles import NUMBERS, Measurement, Table, Tap
from qkd.bits import as_number
from qkd.channel import Channel


@dataclass(frozen=True)
class TimeShift(Measurement, Part):
    """Eve shifts pulses in time to where one of Bob's detectors is less efficient than the other.

    She picks at random which detector she favours. Where he clicks, it was that one with probability 1/(2 - m), with
    mismatch m; that is her guess of the bit. A line with less loss makes up for the clicks that it costs. The key is
    safe where it is bounded for a mismatch of m or more (``Channel.efficiency_mismatch``).

    Attributes:
        mismatch: m, by how much less efficient the other detector is, relatively, [0, 1].

    Source: Qi, Fung, Lo, Ma, Quant. Inf. Comput. 7, 73 (2007).
    """

    mismatch: float = 0.5
    kind: ClassVar[str] = "time_shift"
    error: ClassVar[float] = 0.0
    certain: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        as_number("mismatch", self.mismatch, 0, 1)

    @property
    def guess(self) -> float:
        """Probability that the favoured detector was the one that clicked."""
        return 1 / (2 - self.mismatch)

    @property
    def information_bits(self) -> float:
        """1 - h of the guess."""
        right, wrong = self.guess, 1 - self.guess
        return 1 + right * math.log2(right) + (wrong * math.log2(wrong) if wrong else 0.0)

    def clicks(self, seen: Table) -> Table:
        """Return the link's own detection, as far as a lossless line can make up for the weaker detector."""
        return np.minimum(seen, self._seen_at_best)

    @property
    def _seen_at_best(self) -> float:
        return 1 - self.mismatch / 2

    def measure(self, flight: Flight, world: np.random.Generator) -> Interception:
        """Draw her guesses; the pulses go on as they are."""
        wrong = world.random(flight.states.size) >= self.guess
        guesses = (flight.states & np.uint8(1)) ^ wrong.astype(np.uint8)
        nowhere, everywhere = np.zeros(wrong.size, np.bool_), np.ones(wrong.size, np.bool_)
        return Interception(flight.states, nowhere, guesses, everywhere, nowhere)

    def describe(self) -> dict[str, str | float]:
        """Return kind, fraction and mismatch."""
        return super().describe() | {"mismatch": self.mismatch}

    def __str__(self) -> str:
        """Return the notation that ``qkd.attacks.attack`` reads."""
        return f"{super().__str__()}:mismatch={float(self.mismatch)!r}"


@dataclass(frozen=True)
class TrojanHorse(Tap, Part):
    """Eve shines light into Alice's modulator and reads her setting from what comes back.

    Once bases are public, two coherent states of opposite phase are left to tell apart; she does so for certain with
    probability 1 - exp(-2 mu), whatever became of Alice's own pulse. No bound of this package allows for light that
    comes back: it has to be kept out by isolators, and ``leaked_photons`` says by how much.

    Attributes:
        leaked_photons: mu, mean photons of a pulse that come back, [0, 10].

    Source: Gisin, Fasel, Kraus, Zbinden, Ribordy, PRA 73, 022320 (2006); Ivanovic, Dieks, Peres for the probability.
    """

    leaked_photons: float = 0.1
    kind: ClassVar[str] = "trojan_horse"

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        as_number("leaked_photons", self.leaked_photons, 0, 10)

    @property
    def device_leak(self) -> float:
        """Probability that the states that come back can be told apart."""
        return self.fraction * -math.expm1(-2 * self.leaked_photons)

    def share_held(self, link: Channel, *, random: bool) -> Table:  # noqa: ARG002 - it is Alice's device that leaks
        """Return the same for every pulse: what comes back does not depend on what clicks."""
        return np.full(NUMBERS.size, self.device_leak)

    def describe(self) -> dict[str, str | float]:
        """Return kind, fraction and the light that comes back."""
        return super().describe() | {"leaked_photons": self.leaked_photons}

    def __str__(self) -> str:
        """Return the notation that ``qkd.attacks.attack`` reads."""
        return f"{super().__str__()}:leaked_photons={float(self.leaked_photons)!r}"
