"""Attacks that measure the pulses themselves and send something else on."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qkd.attacks.flight import Flight, Interception
from qkd.attacks.model import Part
from qkd.attacks.roles import Measurement, Table

BREIDBART_GUESS = math.cos(math.pi / 8) ** 2
"""Probability that a measurement half-way between the bases gives the bit: 0.854."""

_BREIDBART_BASIS = 2


@dataclass(frozen=True)
class InterceptResend(Measurement, Part):
    """Eve measures a fraction of the photons in a random one of the two bases and resends what she found.

    On an attacked photon the sifted error is 1/4, so the QBER rises by fraction/4 on a noiseless channel; she
    guesses 75 % of the attacked bits and learns fraction/2 bit per sifted bit. Caught by the QBER.
    """

    kind: ClassVar[str] = "intercept_resend"
    error: ClassVar[float] = 1 / 4  # her basis is the wrong one every second time; then Bob's bit is a coin
    information_bits: ClassVar[float] = 0.5
    guess: ClassVar[float] = 0.75
    certain: ClassVar[float] = 0.5

    def measure(self, flight: Flight, world: np.random.Generator) -> Interception:
        """Draw her bases and outcomes; where her basis was the other one she has nothing."""
        bits = flight.states & np.uint8(1)
        bases = world.integers(0, 2, bits.size, dtype=np.uint8)
        coins = world.integers(0, 2, bits.size, dtype=np.uint8)
        matches = (flight.states >> 1) == bases
        outcomes = np.where(matches, bits, coins)
        states = bases << np.uint8(1) | outcomes
        return Interception(states, matches, outcomes, matches, np.zeros_like(matches))


@dataclass(frozen=True)
class Breidbart(Measurement, Part):
    """Eve measures half-way between the bases (22.5°) and resends what she found.

    She never knows a bit for certain but guesses cos²(22.5°) = 85.4 % of the attacked ones, which is the most
    that measuring before the bases are public can give; the QBER is that of intercept-resend: 2 · 0.854 · 0.146 = 1/4.

    Source: Bennett, Bessette, Brassard, Salvail, Smolin, J. Cryptology 5, 3 (1992).
    """

    kind: ClassVar[str] = "breidbart"
    error: ClassVar[float] = 1 / 4  # sin²(45°)/2, exactly: no rounding of the guess enters
    information_bits: ClassVar[float] = (
        1
        + BREIDBART_GUESS * math.log2(BREIDBART_GUESS)
        + (1 - BREIDBART_GUESS) * math.log2(1 - BREIDBART_GUESS)
    )
    guess: ClassVar[float] = BREIDBART_GUESS
    certain: ClassVar[float] = 0.0

    def measure(self, flight: Flight, world: np.random.Generator) -> Interception:
        """Draw her outcomes, each right with 85.4 %."""
        wrong = world.random(flight.states.size) >= BREIDBART_GUESS
        outcomes = (flight.states & np.uint8(1)) ^ wrong.astype(np.uint8)
        states = np.uint8(_BREIDBART_BASIS << 1) | outcomes
        nowhere, everywhere = np.zeros(wrong.size, np.bool_), np.ones(wrong.size, np.bool_)
        return Interception(states, nowhere, outcomes, everywhere, nowhere)


@dataclass(frozen=True)
class DetectorBlinding(Measurement, Part):
    """Eve blinds Bob's detectors with bright light and forces their clicks ("faked states").

    She measures near Alice in a random basis and sends Bob a bright pulse that clicks only if he uses her basis, and
    then gives her bit. Half of her pulses are lost, which a lossless line makes up for on any link of more than
    3 dB. Every sifted bit that she forced is hers, without an error; misalignment and background vanish with it.
    Neither QBER nor decoys show it: it takes a monitor of the detectors' current, or measurement-device-independent
    QKD. A QBER below what the link explains is the only trace in the counts.

    Source: Lydersen, Wiechers, Wittmann, Elser, Skaar, Makarov, Nature Photonics 4, 686 (2010).
    """

    kind: ClassVar[str] = "detector_blinding"
    error: ClassVar[float] = 0.0
    information_bits: ClassVar[float] = 1.0
    guess: ClassVar[float] = 1.0
    certain: ClassVar[float] = 1.0
    forces: ClassVar[bool] = True

    @property
    def takes_the_line(self) -> bool:
        """Return True: the light saved makes up for the half that her choice of basis costs."""
        return True

    def clicks(self, seen: Table) -> Table:
        """Return the link's own detection, up to the half that her choice of basis costs."""
        return np.minimum(seen, 0.5)

    def measure(self, flight: Flight, world: np.random.Generator) -> Interception:
        """Make Bob's outcomes Eve's. That he clicked means that his basis was hers."""
        coins = world.integers(0, 2, flight.states.size, dtype=np.uint8)
        outcomes = np.where(flight.states >> 1 == flight.bob_bases, flight.states & np.uint8(1), coins)
        states, everywhere = flight.bob_bases << np.uint8(1) | outcomes, np.ones(outcomes.size, np.bool_)
        return Interception(states, everywhere, outcomes, everywhere, everywhere)
