"""Which pulses click: photon numbers and clicks, drawn without drawing the pulses that nobody sees.

The pulses fall into classes by intensity, photon number, and whether the click comes from a photon or is random
(background, after-pulse). Classes are independent of Alice's bits and of all bases, so the number of clicks is
binomial in the number of pulses, and the class of a click follows the classes' weights: exactly the statistics of
drawing every pulse, at the cost of the clicks alone.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkd.bits import Bits
from qkd.channel import Channel

MAX_PHOTONS = 20
"""Photon numbers from here on count as this one: below an intensity of 2 they are rarer than 10^-13."""

Detection = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Probability that a pulse of so many photons is detected."""


@dataclass(frozen=True)
class Clicks:
    """Pulses that clicked. Each array has shape (clicks,).

    Attributes:
        intensities: index into the link's intensities, 0 for a single-photon source.
        photons: photons that were emitted, up to ``MAX_PHOTONS``.
        random: no photon was detected: background or after-pulse, and the outcome is a fair coin.
    """

    intensities: Bits
    photons: Bits
    random: NDArray[np.bool_]

    def part(self, start: int, stop: int) -> "Clicks":
        """Return consecutive clicks."""
        chosen = slice(start, stop)
        return Clicks(self.intensities[chosen], self.photons[chosen], self.random[chosen])


@dataclass(frozen=True)
class ClickModel:
    """Weights of the classes of clicks, per pulse that finds the detectors awake; arrays of one shape (classes,)."""

    weights: NDArray[np.float64]
    intensities: Bits
    photons: Bits
    random: NDArray[np.bool_]
    dead_time_pulses: int = 0

    @property
    def gain(self) -> float:
        """Probability that a pulse clicks that finds the detectors awake."""
        return min(1.0, float(self.weights.sum()))

    def _count(self, pulses: int, world: np.random.Generator) -> int:
        """Draw the number of clicks: binomial, or with a dead time that of a renewal process."""
        if not self.dead_time_pulses or not self.gain:
            return int(world.binomial(pulses, self.gain))
        clicks, passed = 0, 0
        while True:
            # The pulse of each click, counted from the first; and once more where they do not reach the end
            several = max(64, int(1.01 * (pulses - passed) / (1 / self.gain + self.dead_time_pulses)))
            # What is longer than the session is as long as it: sums of such waits are no numbers of 64 bits
            waits = np.minimum(world.geometric(self.gain, min(several, 1 << 20)), pulses + 1)
            waits += self.dead_time_pulses
            at = passed + np.cumsum(waits) - self.dead_time_pulses
            if at[-1] > pulses:
                return clicks + int(np.searchsorted(at, pulses, side="right"))
            clicks, passed = clicks + at.size, int(at[-1]) + self.dead_time_pulses

    def draw(self, pulses: int, world: np.random.Generator) -> Clicks:
        """Draw the clicks of so many pulses, in random order."""
        detected = self._count(pulses, world)
        if not detected:
            nothing = np.zeros(0, np.uint8)
            return Clicks(nothing, nothing, nothing.astype(np.bool_))
        classes = np.repeat(
            np.arange(self.weights.size, dtype=np.uint8),
            world.multinomial(detected, self.weights / self.weights.sum()),
        )
        if self.weights.size > 1:
            world.shuffle(classes)
        return Clicks(self.intensities[classes], self.photons[classes], self.random[classes])


def poisson(intensity: float, photons: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the probability of so many photons at a mean photon number, of the shape of ``photons``."""
    factorials = np.array([math.factorial(int(number)) for number in photons], np.float64)
    probabilities: NDArray[np.float64] = (
        math.exp(-intensity) * intensity ** photons.astype(np.float64) / factorials
    )
    return probabilities


def _emission(intensity: float | None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if intensity is None:
        return np.array([1]), np.array([1.0])
    numbers = np.arange(MAX_PHOTONS + 1)
    probabilities = poisson(intensity, numbers)
    probabilities[-1] += max(0.0, 1 - float(probabilities.sum()))
    return numbers, probabilities


def click_model(link: Channel, detection: Detection) -> ClickModel:
    """Build the classes of clicks of a link on which pulses of n photons are detected with ``detection(n)``."""
    weights, intensities, photons, random = [], [], [], []
    for index, (chance, intensity) in enumerate(link.emissions):
        numbers, probabilities = _emission(intensity)
        seen = detection(numbers)
        background = (1 - seen) * link.dark_count_probability
        clicked = float(probabilities @ (seen + background))
        after = (1 - seen - background) * link.after_pulse_probability * clicked
        for is_random, conditional in ((False, seen), (True, background + after)):
            weights.append(chance * probabilities * conditional)
            intensities.append(np.full(numbers.size, index, np.uint8))
            photons.append(numbers.astype(np.uint8))
            random.append(np.full(numbers.size, is_random))
    every = np.concatenate(weights)
    used = every > 0
    return ClickModel(
        every[used],
        np.concatenate(intensities)[used],
        np.concatenate(photons)[used],
        np.concatenate(random)[used],
        link.dead_time_pulses,
    )
