"""Eavesdroppers. Each says what it does to the photons that Bob will detect, and what Eve learns from it.

An attack sees the polarization states of the photons that will reach a detector (loss does not depend on the
state, so photons that nobody detects need not be drawn) and returns what travels on. Eve is taken to resend so that
Bob's click rate is unchanged: she shows in the errors alone.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from qkd.bits import Bits, checked_number


@dataclass(frozen=True)
class Interception:
    """What an attack did to a block of photons.

    Attributes:
        states: polarization states that travel on, ``uint8`` 0..3 (see ``qkd.bb84``), shape (photons,).
        known: where Eve measured in Alice's basis and so has the bit for certain, boolean, shape (photons,).
    """

    states: Bits
    known: NDArray[np.bool_]


class Attack(Protocol):
    """An eavesdropper model."""

    kind: ClassVar[str]

    def intercept(self, states: Bits, world: np.random.Generator) -> Interception:
        """Act on the photons in flight, states of shape (photons,)."""
        ...

    def signal_error(self, misalignment: float) -> float:
        """Error rate of detected photons under the attack, given the channel's own, in [0, 0.5]."""
        ...

    def information(self) -> float:
        """Eve's mean information on a sifted bit from a detected photon, once bases are public, in bits."""
        ...

    def describe(self) -> dict[str, str | float]:
        """Kind and parameters, for records."""
        ...


@dataclass(frozen=True)
class NoAttack:
    """Nobody listens."""

    kind: ClassVar[str] = "none"

    def intercept(self, states: Bits, world: np.random.Generator) -> Interception:  # noqa: ARG002 - the protocol's
        """Let everything pass."""
        return Interception(states, np.zeros(states.size, np.bool_))

    def signal_error(self, misalignment: float) -> float:
        """The channel's own error."""
        return misalignment

    def information(self) -> float:
        """Nothing."""
        return 0.0

    def describe(self) -> dict[str, str | float]:
        """Kind only."""
        return {"kind": self.kind}


@dataclass(frozen=True)
class InterceptResend:
    """Eve measures a fraction of the photons in a random one of the two bases and resends what she found.

    On an attacked photon the sifted error is 1/4, so the QBER rises by fraction/4 on a noiseless channel; she
    guesses 75 % of the attacked bits and learns fraction/2 bit per sifted bit. Caught by the QBER.

    Raises:
        ValueError: fraction outside [0, 1].
    """

    fraction: float = 1.0
    kind: ClassVar[str] = "intercept_resend"

    def __post_init__(self) -> None:
        """Check the fraction."""
        checked_number("fraction", self.fraction, 0, 1)

    def intercept(self, states: Bits, world: np.random.Generator) -> Interception:
        """Measure and resend the attacked photons."""
        attacked: NDArray[np.intp] = np.flatnonzero(world.random(states.size) < self.fraction)
        bases = world.integers(0, 2, attacked.size, dtype=np.uint8)
        guesses = world.integers(0, 2, attacked.size, dtype=np.uint8)
        matches = (states[attacked] >> 1) == bases
        outcomes = np.where(matches, states[attacked] & 1, guesses)
        resent = states.copy()
        resent[attacked] = bases << 1 | outcomes
        known = np.zeros(states.size, np.bool_)
        known[attacked] = matches
        return Interception(resent, known)

    def signal_error(self, misalignment: float) -> float:
        """fraction/4 and the channel's own error, combined as independent flips."""
        flipped = self.fraction / 4
        return flipped + misalignment * (1 - 2 * flipped)

    def information(self) -> float:
        """Half of the attacked bits."""
        return self.fraction / 2

    def describe(self) -> dict[str, str | float]:
        """Kind and fraction."""
        return {"kind": self.kind, "fraction": self.fraction}


KINDS: tuple[str, ...] = (NoAttack.kind, InterceptResend.kind)


def attack(kind: str = "none", *, fraction: float | None = None) -> Attack:
    """An attack by its kind, as requests name it.

    Args:
        kind: one of ``KINDS``.
        fraction: fraction of the photons attacked, [0, 1]; 1 if not given; not for ``none``.

    Raises:
        ValueError: unknown kind, or a parameter that is out of range or not the kind's.
    """
    if kind == InterceptResend.kind:
        return InterceptResend(1.0 if fraction is None else fraction)
    if kind != NoAttack.kind:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    if fraction is not None:
        raise ValueError("fraction is not a parameter of the attack 'none'")
    return NoAttack()
