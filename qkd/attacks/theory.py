"""Predict from formulas, without simulation, what an attack does to a link's counts and what Eve learns."""

from dataclasses import dataclass

import numpy as np

from qkd.attacks.model import Attack
from qkd.attacks.roles import NUMBERS, Table, errors
from qkd.channel import Channel, awake
from qkd.photons import click_model


@dataclass(frozen=True)
class Expectation:
    """Expected figures of a link under an attack.

    Attributes:
        gains: clicks per pulse sent at each intensity, one for a single-photon source.
        error_rates: of the sifted bits of each intensity.
        qber: of the sifted bits, over all intensities.
        known: part of the sifted bits that Eve has for certain, once bases are public.
        guess_rate: part of them that her best guess gets right.
        information: hers on a sifted bit, in bits.
    """

    gains: tuple[float, ...]
    error_rates: tuple[float, ...]
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
    live = awake(total, link.dead_time_pulses)
    gains = tuple(
        live * float(weight) / chance
        for weight, (chance, _) in zip(by_intensity, link.emissions, strict=True)
    )
    if not total:
        return Expectation(gains, (0.5,) * len(gains), 0.5, 0.0, 0.5, 0.0)
    weights = model.weights / total
    forced, wrongly, error = errors(
        attack.measurements, attack.shares(link), attack.disturbances, link.detected_error
    )
    of_photons = wrongly + (1 - forced) * error
    of_background = wrongly + (1 - forced) / 2
    wrong = np.where(model.random, of_background[model.photons], of_photons[model.photons])
    wrong_by_intensity = np.bincount(model.intensities, model.weights * wrong, minlength=len(link.emissions))
    error_rates = np.divide(
        wrong_by_intensity, by_intensity, out=np.full(by_intensity.size, 0.5), where=by_intensity > 0
    )
    classes = (model.random.astype(np.uint8), model.photons)
    known, guessed, information = (float(weights @ table[classes]) for table in _knowledge(link, attack))
    qber = float(weights @ wrong)
    return Expectation(gains, tuple(error_rates.tolist()), qber, known, guessed, information)


def _knowledge(link: Channel, attack: Attack) -> tuple[Table, Table, Table]:
    """Return the bits that Eve has for certain, those she guesses right, and her information.

    Each has shape (2, MAX_PHOTONS + 1): of clicks that a photon made, then of random ones, by photon number.
    """
    held = np.stack([_held(link, attack, random=random) for random in (False, True)])
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


def _held(link: Channel, attack: Attack, *, random: bool) -> Table:
    missed = np.ones(NUMBERS.size)
    for tap in attack.taps:
        missed = missed * (1 - tap.share_held(link, random=random))
    return 1 - missed
