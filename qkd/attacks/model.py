"""Attacks: one part, or several that Eve puts one behind the other between Alice's door and the fibre.

Taps and measurements follow each other (``qkd.attacks.roles``): she may keep a photon of a pulse and measure the
rest. What one pulse does not bear is refused:

- one method twice: that is the method on more of the pulses;
- measuring and resending it twice: intercept-resend, Breidbart and blinding share the pulses among them;
- collecting light that the fibre would have lost where the lossless line is used up for something else: to forward
  what photon-number splitting with blocking left of *every* pulse, or to make up for the half that blinding of
  *every* pulse costs.

Noise is the fibre's, and goes with everything; it does not reach pulses that Eve makes in front of a blinded detector.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qkd.attacks.flight import Flight, Interception, no_interception, overlay
from qkd.attacks.roles import NUMBERS, Disturbance, Measurement, Role, Table, Tap, errors, honest_detection
from qkd.bits import as_number
from qkd.channel import Channel

# Of sums of fractions given in decimals.
_ROUNDING = 1e-9


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
        """Return kind and parameters, for records."""

    @abstractmethod
    def on_share(self, share: float) -> "Attack":
        """Return the same attack with all fractions multiplied by a share, [0, 1]."""

    def detection(self, link: Channel, photons: NDArray[np.int64]) -> Table:
        """Return the probability that a pulse of so many photons is detected, background apart; shape of ``photons``."""
        tapped = self._tapped_detection(link, photons)
        seen: Table = sum((part.fraction * part.clicks(tapped) for part in self.measurements), np.zeros(()))
        return seen + (1 - sum(part.fraction for part in self.measurements)) * tapped

    def intercept(self, flight: Flight, link: Channel, world: np.random.Generator) -> Interception:
        """Act on the pulses in flight."""
        if not self.parts:
            return no_interception(flight)
        bits = flight.states & np.uint8(1)
        known = np.zeros(bits.size, np.bool_)
        for tap in self.taps:
            held = np.stack([tap.share_held(link, random=random) for random in (False, True)])
            known |= world.random(bits.size) < held[flight.random.astype(np.uint8), flight.photons]
        found = self._measure(flight, link, world)
        states = found.states
        for noise in self.disturbances:
            states = noise.disturb(states, ~found.forced & (flight.photons > 0), world)
        guesses = np.where(known, bits, found.guesses)
        return Interception(states, known | found.known, guesses, known | found.touched, found.forced)

    def signal_error(self, misalignment: float) -> float:
        """Return the error rate of detected photons, given the link's own; holds for links that lose 3 dB or more."""
        shares = [np.full(NUMBERS.size, part.fraction) for part in self.measurements]
        forced, wrongly, error = errors(self.measurements, shares, self.disturbances, misalignment)
        return float((wrongly + (1 - forced) * error)[1])

    def information(self) -> float:
        """Return Eve's mean information, in bits, on a sifted bit of a single photon once bases are public.

        It holds for links that lose 3 dB or more. Taps of the light on its way give none: a single photon is on one
        side only.
        """
        missed = math.prod(1 - tap.device_leak for tap in self.taps)
        measured = sum(part.fraction * part.information_bits for part in self.measurements)
        return 1 - missed + missed * measured

    def __add__(self, other: "Attack") -> "Attack":
        """Combine two attacks; see ``combination``."""
        return combination(self, other)

    @property
    def taps(self) -> list[Tap]:
        """Parts that keep photons."""
        return [part for part in self.parts if isinstance(part, Tap)]

    @property
    def measurements(self) -> list[Measurement]:
        """Parts that measure and resend; each pulse meets one of them at most."""
        return [part for part in self.parts if isinstance(part, Measurement)]

    @property
    def disturbances(self) -> list[Disturbance]:
        """Parts that are nobody's."""
        return [part for part in self.parts if isinstance(part, Disturbance)]

    def shares(self, link: Channel) -> list[Table]:
        """Return which part of the clicks of n photons each measurement made; tables of shape (MAX_PHOTONS + 1,)."""
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
            seen = tap.detection_behind(link, photons, seen)
        return seen

    def _measure(self, flight: Flight, link: Channel, world: np.random.Generator) -> Interception:
        found = no_interception(flight)
        draws, low = world.random(flight.states.size), np.zeros(NUMBERS.size)
        for part, share in zip(self.measurements, self.shares(link), strict=True):
            chosen = (draws >= low[flight.photons]) & (draws < (low + share)[flight.photons])
            found = overlay(found, part.measure(flight, world), chosen)
            low = low + share
        return found


@dataclass(frozen=True)
class NoAttack(Attack):
    """Nobody listens."""

    kind: ClassVar[str] = "none"

    @property
    def parts(self) -> "tuple[Part, ...]":
        """None."""
        return ()

    def describe(self) -> dict[str, str | float]:
        """Return the kind."""
        return {"kind": self.kind}

    def on_share(self, share: float) -> "NoAttack":  # noqa: ARG002 - nothing of nothing
        """Return the same: a share of nothing is nothing."""
        return self


@dataclass(frozen=True)
class Part(Attack):
    """An attack of one part; its class also has one of the roles of ``qkd.attacks.roles``.

    Attributes:
        fraction: of the pulses attacked, [0, 1].
        kind: its name in the notation and in records.
        takes_lost_light: it collects light that the fibre would have lost.

    Raises:
        ValueError: fraction outside [0, 1].
    """

    fraction: float = 1.0
    kind: ClassVar[str]
    takes_lost_light: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Refuse a class without a name or a role: it would do nothing, silently."""
        super().__init_subclass__()
        if not issubclass(cls, Role) or not hasattr(cls, "kind"):
            raise TypeError(
                f"{cls.__name__} must state its kind, and be a Tap, a Measurement or a Disturbance"
            )

    def __post_init__(self) -> None:
        """Check the fraction."""
        as_number("fraction", self.fraction, 0, 1)

    @property
    def takes_the_line(self) -> bool:
        """Return whether the attack, on every pulse, leaves no light of a lossless line to others."""
        return False

    @property
    def parts(self) -> "tuple[Part, ...]":
        """Itself."""
        return (self,)

    def describe(self) -> dict[str, str | float]:
        """Return kind and parameters, for records."""
        return {"kind": self.kind, "fraction": self.fraction}

    def on_share(self, share: float) -> Self:
        """Return the same attack on a share of its pulses."""
        return replace(self, fraction=self.fraction * share)

    def __str__(self) -> str:
        """Return the notation that ``qkd.attacks.attack`` reads."""
        return self.kind if self.fraction == 1 else f"{self.kind}:{float(self.fraction)!r}"


@dataclass(frozen=True)
class Combination(Attack):
    """Two or more parts; made by ``combination``.

    Attributes:
        parts: of different kinds.

    Raises:
        ValueError: parts that exclude each other, by name.
    """

    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no Eve can do."""
        self._check_kinds()
        self._check_measurements()
        self._check_lost_light()

    def _check_kinds(self) -> None:
        for kind in {part.kind for part in self.parts}:
            same = [part for part in self.parts if part.kind == kind]
            if len(same) > 1:
                _refuse(same, "give the attack once, with a larger fraction")

    def _check_measurements(self) -> None:
        measuring = [part for part in self.parts if isinstance(part, Measurement)]
        if sum(part.fraction for part in measuring) > 1 + _ROUNDING:
            _refuse(
                measuring, "a pulse is measured once; lower their fractions until they add up to 1 at most"
            )

    def _check_lost_light(self) -> None:
        for taker in (part for part in self.parts if part.takes_lost_light):
            for other in self.parts:
                if other.takes_the_line and other.fraction == 1:
                    _refuse(
                        [other, taker], "on every pulse the first leaves the second no lost light to collect"
                    )

    def describe(self) -> dict[str, str | float]:
        """Return the notation, which holds every parameter."""
        return {"kind": str(self)}

    def on_share(self, share: float) -> "Combination":
        """Return the combination with all parts on a share of their pulses."""
        return Combination(tuple(part.on_share(share) for part in self.parts))

    def __str__(self) -> str:
        """Return the notation that ``qkd.attacks.attack`` reads."""
        return "+".join(map(str, self.parts))


def _refuse(parts: Sequence[Part], why: str) -> None:
    raise ValueError(f"attacks {' and '.join(map(str, parts))} cannot be combined: {why}")


def combination(*attacks: Attack) -> Attack:
    """Combine attacks into one; their order does not matter.

    Raises:
        ValueError: they exclude each other, by name.
    """
    parts = [part for attack in attacks for part in attack.parts]
    if len(parts) < 2:
        return parts[0] if parts else NoAttack()
    return Combination(tuple(parts))
