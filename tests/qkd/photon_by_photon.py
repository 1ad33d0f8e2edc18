"""A slow simulation of one Eve on one link that draws every pulse and every photon: shares no code with the engine's."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from qkd.channel import Channel


@dataclass(frozen=True)
class Eve:
    """Fractions of each method; ``pass_single`` and ``pass_rest`` are what blocking lets through."""

    split: float = 0.0
    blocking: bool = False
    pass_single: float = 1.0
    pass_rest: float = 1.0
    tapped: float = 0.0
    intercepted: float = 0.0
    breidbart: float = 0.0
    blinded: float = 0.0
    noise: float = 0.0


@dataclass(frozen=True)
class Seen:
    """What came of it: gain of each intensity, error rate, Eve's knowledge and guesses per sifted bit."""

    gains: Any
    qber: float
    known: float
    guessed: float
    sifted: int


def simulate(link: Channel, eve: Eve, pulses: int, seed: int) -> Seen:
    """Send pulses one by one (in arrays), their photons too."""
    rng = np.random.default_rng(seed)
    light = np.array(link.intensities or (1.0,))
    kind = rng.choice(light.size, pulses, p=link.intensity_probabilities or None)
    emitted = rng.poisson(light[kind]) if link.has_decoys else np.ones(pulses, int)
    bits, alice, bob = (rng.integers(0, 2, pulses) for _ in range(3))

    # Eve's tap: a photon kept of pulses of several; or the photons that the fibre would have lost.
    split = rng.random(pulses) < eve.split
    held = split & (emitted > 1)
    travelling = emitted - held
    lossless = split & eve.blocking
    passes = np.where(emitted == 1, eve.pass_single, eve.pass_rest)
    travelling = np.where(lossless & (rng.random(pulses) >= passes), 0, travelling)
    arriving = np.where(lossless, travelling, rng.binomial(travelling, link.fibre_transmittance))
    caught = rng.binomial(np.where(lossless, 0, travelling - arriving), eve.tapped)
    held |= caught > 0

    # Angles in units of 22.5 degrees: 0 and 4 are the rectilinear bits, 2 and 6 the diagonal ones.
    angle = 2 * alice + 4 * bits
    which = rng.random(pulses)
    intercepted = which < eve.intercepted
    halfway = (which >= eve.intercepted) & (which < eve.intercepted + eve.breidbart)
    stop = eve.intercepted + eve.breidbart + eve.blinded
    blinded = (which >= eve.intercepted + eve.breidbart) & (which < stop) & (emitted > 0)
    basis = rng.integers(0, 2, pulses)
    measured = np.where(halfway, 1, 2 * basis)
    found = rng.random(pulses) < np.sin((angle - measured) * np.pi / 8) ** 2
    resent = intercepted | halfway | blinded
    angle = np.where(resent, measured + 4 * found, angle)
    noisy = (rng.random(pulses) < eve.noise) & ~blinded
    angle = np.where(noisy, rng.choice([0, 2, 4, 6], pulses), angle)

    at_bob = link.receiver_efficiency * link.detector_efficiency
    detected = rng.binomial(arriving, at_bob) > 0
    # A faked state clicks only in her basis; she sends twice as many as the link would have let through.
    detected = np.where(
        blinded, (basis == bob) & (rng.random(pulses) < 2 * _rate(link, emitted - split * held)), detected
    )
    dark = (rng.random(pulses) < link.dark_count_probability) & ~blinded
    outcome = rng.random(pulses) < np.sin((angle - 2 * bob) * np.pi / 8) ** 2
    outcome = outcome ^ ((rng.random(pulses) < link.misalignment) & ~blinded)
    outcome = np.where(detected, outcome, rng.integers(0, 2, pulses) == 1)
    clicked = detected | dark
    after = link.after_pulse_probability * np.array(
        [clicked[kind == one].mean() for one in range(light.size)]
    )
    clicked |= (rng.random(pulses) < after[kind]) & ~blinded
    kept = clicked & (alice == bob)

    knows = held | (intercepted & (basis == alice)) & (emitted > 0) | blinded
    right = knows | np.where(halfway & (emitted > 0), found == bits, rng.integers(0, 2, pulses) == 1)
    return Seen(
        np.bincount(kind[clicked], minlength=light.size) / np.bincount(kind, minlength=light.size),
        float(np.mean(outcome[kept] != bits[kept])),
        float(np.mean(knows[kept])),
        float(np.mean(right[kept])),
        int(np.count_nonzero(kept)),
    )


def _rate(link: Channel, photons: Any) -> Any:
    return 1 - (1 - link.transmittance) ** photons
