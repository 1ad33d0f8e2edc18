"""Pulses on their way, and what an attack did to them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkd.bits import Bits


@dataclass(frozen=True)
class Flight:
    """Pulses that Bob will click on. Each array has shape (clicks,).

    Attributes:
        states: polarization states 0..3 (see ``qkd.bb84``).
        photons: photons that Alice emitted.
        random: none of them makes Bob's click, boolean.
        bob_bases: Bob's bases, which no attack but detector blinding may depend on.
    """

    states: Bits
    photons: Bits
    random: NDArray[np.bool_]
    bob_bases: Bits


@dataclass(frozen=True)
class Interception:
    """What an attack did to a block of pulses. Each array has shape (clicks,).

    Attributes:
        states: polarization states that travel on, 0..3, or 4 and 5 for those half-way between the bases.
        known: where Eve has the bit for certain once bases are public, boolean.
        guesses: Eve's best guess of the bit; meaningless where ``touched`` is not set.
        touched: where she then knows anything at all, boolean.
        forced: where Bob's detectors are hers, boolean: no misalignment, no background.
    """

    states: Bits
    known: NDArray[np.bool_]
    guesses: Bits
    touched: NDArray[np.bool_]
    forced: NDArray[np.bool_]


def no_interception(flight: Flight) -> Interception:
    """Return an interception that leaves every pulse alone."""
    nowhere = np.zeros(flight.states.size, np.bool_)
    return Interception(flight.states, nowhere, np.zeros_like(flight.states), nowhere, nowhere)


def overlay(below: Interception, above: Interception, chosen: NDArray[np.bool_]) -> Interception:
    """Return ``above`` where pulses are chosen and ``below`` elsewhere."""
    return Interception(
        np.where(chosen, above.states, below.states),
        np.where(chosen, above.known, below.known),
        np.where(chosen, above.guesses, below.guesses),
        np.where(chosen, above.touched, below.touched),
        np.where(chosen, above.forced, below.forced),
    )
