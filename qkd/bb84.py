"""BB84 on the quantum channel: prepare, measure, sift.

A state is ``2 * basis + bit``: 0 and 1 are 0° and 90° (rectilinear basis 0), 2 and 3 are 45° and 135° (diagonal
basis 1). Measured in its own basis a state gives its bit, in the other a fair coin: Malus's law, sin²(45°) = 1/2.
States 4 and 5, half-way between (22.5° and 112.5°), are made by an eavesdropper only.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkd.attacks import BREIDBART_GUESS, Attack, Flight
from qkd.bits import Bits
from qkd.channel import Channel
from qkd.photons import Clicks, click_model
from qkd.randomness import Randomness

ANGLES_DEGREES: tuple[float, ...] = (0, 90, 45, 135, 22.5, 112.5)
"""Polarization angle of each state."""

RECTILINEAR, DIAGONAL = 0, 1

# Clicks simulated at once: the working arrays stay in the cache and memory stays bounded.
_BLOCK = 1 << 19


@dataclass(frozen=True, repr=False)
class AliceRecord:
    """What Alice notes of the pulses that clicked. Each array has shape (detected,).

    Attributes:
        bits: her bits.
        bases: her bases, 0 rectilinear, 1 diagonal.
        intensities: index of the intensity that she picked, 0 for a single-photon source.
    """

    bits: Bits
    bases: Bits
    intensities: Bits


@dataclass(frozen=True, repr=False)
class BobRecord:
    """What Bob notes of his clicks: outcomes and bases. Each array has shape (detected,)."""

    bits: Bits
    bases: Bits


@dataclass(frozen=True, repr=False)
class EveRecord:
    """What Eve has once bases are public; the simulator knows it. Each array has shape (detected,).

    Attributes:
        known: bits that she knows for certain, boolean.
        touched: bits that she knows something of, boolean.
        guesses: her best guess where ``touched``.
    """

    known: NDArray[np.bool_]
    touched: NDArray[np.bool_]
    guesses: Bits


@dataclass(frozen=True, repr=False)
class Transmission:
    """The quantum phase of a session: pulses sent, and what each party noted of those that clicked."""

    pulses: int
    alice: AliceRecord
    bob: BobRecord
    eve: EveRecord

    @property
    def detected(self) -> int:
        """Clicks."""
        return self.bob.bits.size


def prepare(bits: Bits, bases: Bits) -> Bits:
    """Return the polarization states, ``uint8`` 0..3, of bits in their bases; all of one shape."""
    return 2 * bases + bits


def measure(states: Bits, bases: Bits, world: np.random.Generator) -> Bits:
    """Draw the outcomes of ideal measurements of single photons; all of one shape."""
    prepared = states >> 1
    if prepared.max(initial=0) > DIAGONAL:
        chance = np.where(prepared == bases, 1.0, np.where(prepared > DIAGONAL, BREIDBART_GUESS, 0.5))
        return (states & np.uint8(1)) ^ (world.random(states.size) >= chance).astype(np.uint8)
    coins = world.integers(0, 2, states.size, dtype=np.uint8)
    return np.where(prepared == bases, states & 1, coins)


def sift(alice_bases: Bits, bob_bases: Bits) -> NDArray[np.bool_]:
    """Return where the bases agree, boolean, of the same shape."""
    return np.equal(alice_bases, bob_bases)


def transmit(
    pulses: int,
    link: Channel,
    attack: Attack,
    randomness: Randomness,
    *,
    check: Callable[[], object] = lambda: None,
) -> Transmission:
    """Send pulses from Alice to Bob, past Eve.

    Only clicks are drawn (``qkd.photons``): neither Alice's bit nor a basis changes the chance of a click, so those
    of the pulses that nobody saw need not exist.

    Args:
        pulses: pulses sent, at least 0.
        link: source, fibre and receiver.
        attack: what Eve does.
        randomness: Alice's and Bob's choices, and the world's.
        check: called before each block; what it raises ends the transmission.
    """
    clicks = click_model(link, lambda photons: attack.detection(link, photons)).draw(pulses, randomness.world)
    blocks = []
    for start in range(0, clicks.photons.size, _BLOCK):
        check()
        blocks.append(_click_block(clicks.part(start, start + _BLOCK), link, attack, randomness))
    empty = np.zeros(0, np.uint8)
    joined = [np.concatenate([empty, *(block[i] for block in blocks)]) for i in range(7)]
    return Transmission(
        pulses,
        AliceRecord(joined[0], joined[1], clicks.intensities),
        BobRecord(joined[2], joined[3]),
        EveRecord(joined[4].astype(np.bool_), joined[5].astype(np.bool_), joined[6]),
    )


def _click_block(clicks: Clicks, link: Channel, attack: Attack, randomness: Randomness) -> tuple[Bits, ...]:
    count, diagonal, world = clicks.photons.size, 1 - link.rectilinear_probability, randomness.world
    bits = randomness.bits(count)
    alice_bases = randomness.biased_bits(count, diagonal)
    bob_bases = randomness.biased_bits(count, diagonal)
    flight = Flight(prepare(bits, alice_bases), clicks.photons, clicks.random, bob_bases)
    seen = attack.intercept(flight, link, world)
    outcomes = measure(seen.states, bob_bases, world)
    wrong = (world.random(count) < link.detected_error) & ~seen.forced
    random = clicks.random & ~seen.forced
    coins = world.integers(0, 2, count, dtype=np.uint8)
    outcomes = np.where(random, coins, outcomes ^ wrong)
    known, touched = seen.known.astype(np.uint8), seen.touched.astype(np.uint8)
    return bits, alice_bases, outcomes, bob_bases, known, touched, seen.guesses
