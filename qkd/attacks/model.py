"""What every attack is made of: parts that Eve puts one behind the other between Alice's door and the fibre.

A pulse meets the taps first, which keep photons and leave its state alone; then at most one of the measurements,
which keep nothing and send on what they found; then the noise of the fibre, which is nobody's. All an attack does
depends on a pulse by its photon number only, so it is worked out as tables over photon numbers.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qkd.attacks.flight import Flight, Interception, overlaid, untouched
from qkd.bits import Bits, checked_number
from qkd.channel import Channel
from qkd.photons import MAX_PHOTONS

Table = NDArray[np.float64]
"""Probabilities by photon number."""

NUMBERS: NDArray[np.int64] = np.arange(MAX_PHOTONS + 1)


class Attack(ABC):
    """What Eve does, in one or several parts.

    Attributes:
        parts: what it is made of, in the order in which pulses meet them.
    """

    @property
    @abstractmethod
    def parts(self) -> "tuple[Part, ...]": ...

    @abstractmethod
    def describe(self) -> dict[str, str | float]:
        """Kind and parameters, for records."""

    @abstractmethod
    def scaled(self, share: float) -> "Attack":
        """The same with all fractions multiplied by a share, [0, 1]."""

    def detection(self, link: Channel, photons: NDArray[np.int64]) -> Table:
        """Probability that a pulse of so many photons is detected, background apart; of the shape of ``photons``."""
        tapped = self._tapped_detection(link, photons)
        seen: Table = sum((part.fraction * part.clicks(tapped) for part in self.measurements), np.zeros(()))
        return seen + (1 - sum(part.fraction for part in self.measurements)) * tapped

    def intercept(self, flight: Flight, link: Channel, world: np.random.Generator) -> Interception:
        """Act on the pulses in flight."""
        if not self.parts:
            return untouched(flight)
        bits = flight.states & np.uint8(1)
        known = np.zeros(bits.size, np.bool_)
        for tap in self.taps:
            known |= world.random(bits.size) < tap.holds(link)[flight.photons]
        found = self._measured(flight, link, world)
        states = found.states
        for noise in self.noises:
            states = noise.depolarised(states, ~found.forced & (flight.photons > 0), world)
        guesses = np.where(known, bits, found.guesses)
        return Interception(states, known | found.known, guesses, known | found.touched, found.forced)

    def signal_error(self, misalignment: float) -> float:
        """Error rate of detected photons, given the link's own, in [0, 0.5]; of links that lose 3 dB or more."""
        forced = sum(part.fraction for part in self.measurements if part.forces)
        resent = sum(part.fraction for part in self.measurements) - forced
        error = resent / 4 / (1 - forced) if forced < 1 else 0.0
        for other in (*(noise.fraction / 2 for noise in self.noises), misalignment):
            error += other * (1 - 2 * error)
        return (1 - forced) * error

    def information(self) -> float:
        """Eve's mean information on a sifted bit of a detected single photon, once bases are public, in bits.

        Of links that lose 3 dB or more. Taps give none: a single photon is on one side only.
        """
        return sum(part.fraction * part.information_bits for part in self.measurements)

    def __add__(self, other: "Attack") -> "Attack":
        """Both together; see ``qkd.attacks.combination.combined``."""
        from qkd.attacks.combination import combined  # noqa: PLC0415 - it is made of these

        return combined(self, other)

    @property
    def taps(self) -> "list[Tap]":
        """Parts that keep photons."""
        return [part for part in self.parts if isinstance(part, Tap)]

    @property
    def measurements(self) -> "list[Measurement]":
        """Parts that measure and resend; each pulse meets one of them at most."""
        return [part for part in self.parts if isinstance(part, Measurement)]

    @property
    def noises(self) -> "list[Noise]":
        """Parts that are nobody's."""
        return [part for part in self.parts if isinstance(part, Noise)]

    def shares(self, link: Channel) -> list[Table]:
        """Of the clicks of n photons, the part that each measurement made; every table has shape (MAX_PHOTONS + 1,)."""
        tapped, all_of_it = self._tapped_detection(link, NUMBERS), self.detection(link, NUMBERS)
        return [
            np.divide(
                part.fraction * part.clicks(tapped),
                all_of_it,
                out=np.zeros(NUMBERS.size),
                where=(all_of_it > 0) & (NUMBERS > 0),
            )
            for part in self.measurements
        ]

    def _tapped_detection(self, link: Channel, photons: NDArray[np.int64]) -> Table:
        seen = honest_detection(link, photons)
        for tap in self.taps:
            seen = tap.passed(link, photons, seen)
        return seen

    def _measured(self, flight: Flight, link: Channel, world: np.random.Generator) -> Interception:
        found = untouched(flight)
        draws, low = world.random(flight.states.size), np.zeros(NUMBERS.size)
        for part, share in zip(self.measurements, self.shares(link), strict=True):
            chosen = (draws >= low[flight.photons]) & (draws < (low + share)[flight.photons])
            found = overlaid(found, part.measured(flight, world), chosen)
            low = low + share
        return found


def honest_detection(link: Channel, photons: NDArray[np.int64]) -> Table:
    """1 - (1 - eta)^n."""
    detected: Table = 1 - (1 - link.transmittance) ** photons.astype(np.float64)
    return detected


@dataclass(frozen=True)
class NoAttack(Attack):
    """Nobody listens."""

    kind: ClassVar[str] = "none"

    @property
    def parts(self) -> "tuple[Part, ...]":
        """None."""
        return ()

    def describe(self) -> dict[str, str | float]:
        """Kind only."""
        return {"kind": self.kind}

    def scaled(self, share: float) -> "NoAttack":  # noqa: ARG002 - nothing of nothing
        """Itself."""
        return self


@dataclass(frozen=True)
class Part(Attack):
    """An attack of one part.

    Attributes:
        fraction: of the pulses attacked, [0, 1].

    Raises:
        ValueError: fraction outside [0, 1].
    """

    fraction: float = 1.0
    kind: ClassVar[str]

    def __post_init__(self) -> None:
        """Check the fraction."""
        checked_number("fraction", self.fraction, 0, 1)

    @property
    def parts(self) -> "tuple[Part, ...]":
        """Itself."""
        return (self,)

    def describe(self) -> dict[str, str | float]:
        """Kind and parameters, for records."""
        return {"kind": self.kind, "fraction": self.fraction}

    def scaled(self, share: float) -> Self:
        """The same on a share of its pulses."""
        return replace(self, fraction=self.fraction * share)

    def __str__(self) -> str:
        """In the notation of ``qkd.attacks.attack``."""
        return self.kind if self.fraction == 1 else f"{self.kind}:{float(self.fraction)!r}"


class Tap(Part):
    """Keeps photons until the bases are public, and lets a pulse go on in the state it had."""

    @abstractmethod
    def holds(self, link: Channel) -> Table:
        """Probability that Eve holds a photon of a pulse of n photons that clicked, shape (MAX_PHOTONS + 1,)."""

    def passed(self, link: Channel, photons: NDArray[np.int64], seen: Table) -> Table:  # noqa: ARG002 - for the others
        """Detection of n photons behind the tap, given that in front of it."""
        return seen


class Measurement(Part):
    """Measures pulses and resends what it found.

    Attributes:
        information_bits: on an attacked sifted bit, once bases are public.
        guess: probability that Eve then guesses such a bit.
        certain: part of such bits that she has for certain.
        forces: the resent light decides Bob's outcomes.
    """

    information_bits: ClassVar[float]
    guess: ClassVar[float]
    certain: ClassVar[float]
    forces: ClassVar[bool] = False

    @abstractmethod
    def measured(self, flight: Flight, world: np.random.Generator) -> Interception:
        """What becomes of the pulses if all of them are attacked."""

    def clicks(self, seen: Table) -> Table:
        """Detection of an attacked pulse, given that of one left alone."""
        return seen


@dataclass(frozen=True)
class Noise(Part):
    """Nobody listens, but a fraction of the photons loses its polarization: honest noise, for comparison."""

    kind: ClassVar[str] = "noise"

    def depolarised(self, states: Bits, exposed: NDArray[np.bool_], world: np.random.Generator) -> Bits:
        """States with a fraction of those exposed replaced by completely mixed ones."""
        lost = (world.random(states.size) < self.fraction) & exposed
        return np.where(lost, world.integers(0, 4, states.size, dtype=np.uint8), states)


def named(parts: Sequence[Part]) -> str:
    """The notation of several parts."""
    return "+".join(map(str, parts))
