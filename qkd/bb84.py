"""BB84 on the quantum channel: prepare, measure, sift.

A state is ``2 * basis + bit``: 0 and 1 are 0° and 90° (rectilinear basis 0), 2 and 3 are 45° and 135° (diagonal
basis 1). Measured in its own basis a state gives its bit, in the other a fair coin: Malus's law, sin²(45°) = 1/2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkd.attacks import Attack
from qkd.bits import Bits
from qkd.channel import Channel
from qkd.randomness import Randomness

ANGLES_DEGREES: tuple[int, int, int, int] = (0, 90, 45, 135)
"""Polarization angle of each state."""

RECTILINEAR, DIAGONAL = 0, 1

# Clicks simulated at once: the working arrays stay in the cache and memory stays bounded.
_BLOCK = 1 << 19


@dataclass(frozen=True, repr=False)
class SiftedBits:
    """Bits whose bases agreed. Each array has shape (sifted,).

    Attributes:
        alice: Alice's bits.
        bob: Bob's bits, errors included.
        bases: the common basis, 0 rectilinear, 1 diagonal.
        pulses: pulses sent.
        detected: clicks.
        eve_known: sifted bits that Eve knows for certain (the simulator knows; Alice and Bob do not).
    """

    alice: Bits
    bob: Bits
    bases: Bits
    pulses: int
    detected: int
    eve_known: int


def prepare(bits: Bits, bases: Bits) -> Bits:
    """Polarization states, ``uint8`` 0..3, of the given bits in the given bases; all of one shape."""
    return 2 * bases + bits


def measure(states: Bits, bases: Bits, world: np.random.Generator) -> Bits:
    """Outcomes of ideal measurements of single photons; all of one shape."""
    coins = world.integers(0, 2, states.size, dtype=np.uint8)
    return np.where(states >> 1 == bases, states & 1, coins)


def detect(states: Bits, bases: Bits, channel: Channel, world: np.random.Generator) -> Bits:
    """Outcomes at Bob's real receiver, given that it clicked: dark counts and misalignment included."""
    outcomes = measure(states, bases, world)
    # One uniform number decides the click's fate: dark, misaligned, or good.
    fate = world.random(states.size)
    dark = fate < channel.dark_fraction
    wrong = fate >= 1 - (1 - channel.dark_fraction) * channel.misalignment
    coins = world.integers(0, 2, states.size, dtype=np.uint8)
    return np.where(dark, coins, outcomes ^ wrong)


def sift(alice_bases: Bits, bob_bases: Bits) -> NDArray[np.bool_]:
    """Where the bases agree, boolean, of the same shape."""
    return np.equal(alice_bases, bob_bases)


def transmit(pulses: int, channel: Channel, attack: Attack, randomness: Randomness) -> SiftedBits:
    """Send pulses and sift.

    Only clicks are drawn: their number is binomial in the number of pulses, and neither Alice's bit nor a basis
    changes the chance of a click, so those of the pulses that nobody saw need not exist.

    Args:
        pulses: pulses sent, at least 0.
        channel: fibre and receiver.
        attack: what Eve does.
        randomness: Alice's and Bob's choices, and the world's.
    """
    detected = int(randomness.world.binomial(pulses, min(1.0, channel.gain)))
    blocks = [
        _click_block(min(_BLOCK, detected - start), channel, attack, randomness)
        for start in range(0, detected, _BLOCK)
    ]
    empty = np.zeros(0, np.uint8)
    alice, bob, bases = (np.concatenate([empty, *(block[i] for block in blocks)]) for i in range(3))
    eve_known = sum(block[3] for block in blocks)
    return SiftedBits(alice, bob, bases, pulses, detected, eve_known)


def _click_block(
    clicks: int, channel: Channel, attack: Attack, randomness: Randomness
) -> tuple[Bits, Bits, Bits, int]:
    diagonal = 1 - channel.rectilinear_probability
    bits = randomness.bits(clicks)
    alice_bases = randomness.biased_bits(clicks, diagonal)
    bob_bases = randomness.biased_bits(clicks, diagonal)
    interception = attack.intercept(prepare(bits, alice_bases), randomness.world)
    outcomes = detect(interception.states, bob_bases, channel, randomness.world)
    same = sift(alice_bases, bob_bases)
    known = int(np.count_nonzero(interception.known[same]))
    return bits[same], outcomes[same], alice_bases[same], known
