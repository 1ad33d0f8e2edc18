"""Predict from formulas, without simulation, what an attack does to a link's counts and what Eve learns."""

from dataclasses import dataclass

import numpy as np

from qkd.attacks.model import Attack
from qkd.attacks.roles import NUMBERS, Table, errors
from qkd.channel import Channel
from qkd.photons import click_model


@dataclass(frozen=True)
class Expectation:
    """Expected figures of a link under an attack.

    Attributes:
        gains: clicks per pulse sent at each intensity, one for a single-photon source.
        qber: of the sifted bits, over all intensities.
        known: part of the sifted bits that Eve has for certain, once bases are public.
        guess_rate: part of them that her best guess gets right.
        information: hers on a sifted bit, in bits.
    """

    gains: tuple[float, ...]
    qber: float
    known: float
    guess_rate: float
    information: float


def expectation(link: Channel, attack: Attack) -> Expectation:
    """Predict the figures of a link under an attack: those of the distribution that ``qkd.bb84.transmit`` draws from.

    Clicks fall into classes by intensity, photon number and whether a photon made them; within a class the parts of
    an attack are independent, and every wrong bit is an independent flip.
    """
    model = click_model(link, lambda photons: attack.detection(link, photons))
    total = float(model.weights.sum())
    by_intensity = np.bincount(model.intensities, model.weights, minlength=len(link.emissions))
    gains = tuple(
        float(weight) / chance for weight, (chance, _) in zip(by_intensity, link.emissions, strict=True)
    )
    if not total:
        return Expectation(gains, 0.5, 0.0, 0.5, 0.0)
    weights = model.weights / total
    forced, wrongly, error = errors(
        attack.measurements, attack.shares(link), attack.disturbances, link.misalignment
    )
    of_photons = wrongly + (1 - forced) * error
    of_background = wrongly + (1 - forced) / 2
    wrong = np.where(model.random, of_background[model.photons], of_photons[model.photons])
    known, guessed, information = _knowledge(link, attack)
    return Expectation(
        gains,
        float(weights @ wrong),
        float(weights @ known[model.photons]),
        float(weights @ guessed[model.photons]),
        float(weights @ information[model.photons]),
    )


def _knowledge(link: Channel, attack: Attack) -> tuple[Table, Table, Table]:
    """Return, by photon number, the bits that Eve has for certain, those she guesses right, and her information."""
    held = 1 - np.prod([1 - tap.share_held(link) for tap in attack.taps] or [np.ones(NUMBERS.size)], axis=0)
    known = information = np.zeros(NUMBERS.size)
    guessed = np.full(NUMBERS.size, 0.5)
    for part, share in zip(attack.measurements, attack.shares(link), strict=True):
        known = known + share * part.certain
        guessed = guessed + share * (part.guess - 0.5)
        information = information + share * part.information_bits
    return (
        held + (1 - held) * known,
        held + (1 - held) * guessed,
        held + (1 - held) * information,
    )
