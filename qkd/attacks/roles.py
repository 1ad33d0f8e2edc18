"""What the part of an attack can be: a tap, a measurement, or a disturbance that is nobody's.

A pulse meets the taps first, which keep photons and leave its state alone; then at most one of the measurements,
which keep nothing and send on what they found; then the disturbances of the fibre. All that a part does depends on a
pulse by its photon number only, so it is worked out as tables over photon numbers.

Each part states its own figures: nothing else in the engine knows an eavesdropper by name.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from qkd.attacks.flight import Flight, Interception
from qkd.bits import Bits
from qkd.channel import Channel
from qkd.photons import MAX_PHOTONS

Table = NDArray[np.float64]
"""Probabilities by photon number."""

NUMBERS: NDArray[np.int64] = np.arange(MAX_PHOTONS + 1)


def honest_detection(link: Channel, photons: NDArray[np.int64]) -> Table:
    """Return the probability that a pulse of n photons is detected without Eve: 1 - (1 - eta)^n."""
    detected: Table = 1 - (1 - link.transmittance) ** photons.astype(np.float64)
    return detected


class Role(ABC):
    """What a part is to a pulse.

    Attributes:
        fraction: of the pulses that meet it, [0, 1].
    """

    fraction: float
    _stated: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        """Refuse a class that leaves a figure of its role unstated: a guess would give wrong theory silently."""
        super().__init_subclass__()
        missing = [name for name in cls._stated if not hasattr(cls, name)]
        if missing and not cls.__dict__.get("_stated"):
            raise TypeError(f"{cls.__name__} must state its {' and its '.join(missing)}")


class Tap(Role):
    """Keeps photons until the bases are public, and lets a pulse go on in the state it had."""

    @property
    def device_leak(self) -> float:
        """Probability that Eve has the bit from Alice's device, however many photons the pulse has; mostly none."""
        return 0.0

    @abstractmethod
    def share_held(self, link: Channel, *, random: bool) -> Table:
        """Return the probability that Eve holds a photon of a pulse of n that clicked, shape (MAX_PHOTONS + 1,).

        Args:
            link: as it is without her.
            random: no photon made the click (background, after-pulse): then she holds one more often than not.
        """

    def detection_behind(self, link: Channel, photons: NDArray[np.int64], seen: Table) -> Table:  # noqa: ARG002 - for the others
        """Return the detection of n photons behind the tap, given that in front of it."""
        return seen


class Measurement(Role):
    """Measures pulses and resends what it found.

    Attributes:
        error: probability that an attacked sifted bit is wrong on a link without errors of its own.
        information_bits: on an attacked sifted bit, once bases are public.
        guess: probability that Eve then guesses such a bit.
        certain: part of such bits that she has for certain.
        forces: the resent light decides Bob's outcomes: neither noise nor misalignment reaches them.
    """

    error: ClassVar[float]
    certain: ClassVar[float]
    forces: ClassVar[bool] = False
    if TYPE_CHECKING:
        # Numbers of the class, or of each attack by its parameters
        @property
        def information_bits(self) -> float: ...

        @property
        def guess(self) -> float: ...

    _stated = ("error", "information_bits", "guess", "certain")

    @abstractmethod
    def measure(self, flight: Flight, world: np.random.Generator) -> Interception:
        """Draw what becomes of the pulses if all of them are attacked."""

    def clicks(self, seen: Table) -> Table:
        """Return the detection of an attacked pulse, given that of one left alone."""
        return seen


class Disturbance(Role):
    """Changes states and learns nothing.

    Attributes:
        error: probability that the sifted bit of a disturbed pulse is flipped.
    """

    error: ClassVar[float]
    _stated = ("error",)

    @property
    def flip(self) -> float:
        """Probability that a sifted bit is flipped, over all pulses."""
        return self.fraction * self.error

    @abstractmethod
    def disturb(self, states: Bits, exposed: NDArray[np.bool_], world: np.random.Generator) -> Bits:
        """Draw the states behind it; only those exposed may change."""


def errors(
    measurements: Sequence[Measurement],
    shares: Sequence[Table],
    disturbances: Sequence[Disturbance],
    misalignment: float,
) -> tuple[Table, Table, Table]:
    """Work out how clicks go wrong, by photon number.

    Args:
        measurements: that Eve makes.
        shares: part of the clicks that each of them made.
        disturbances: behind them.
        misalignment: of the link, [0, 0.5].

    Returns:
        The part of the clicks that Eve forces; the part of all clicks that she forces to the wrong bit; and the error
        rate of those that a photon made and she did not force.
    """
    pairs = list(zip(measurements, shares, strict=True))
    nothing = np.zeros(NUMBERS.size)
    forced = sum((share for part, share in pairs if part.forces), nothing)
    wrongly = sum((share * part.error for part, share in pairs if part.forces), nothing)
    resent = sum((share * part.error for part, share in pairs if not part.forces), nothing)
    error = np.divide(resent, 1 - forced, out=np.zeros(NUMBERS.size), where=forced < 1)
    for flip in (*(part.flip for part in disturbances), misalignment):
        error = error + flip * (1 - 2 * error)
    return forced, wrongly, error
