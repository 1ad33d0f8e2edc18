"""Attacks that keep photons and wait for the bases: they need pulses of several photons."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qkd.attacks.model import Part
from qkd.attacks.roles import NUMBERS, Table, Tap, honest_detection
from qkd.channel import Channel
from qkd.photons import poisson


@dataclass(frozen=True)
class PhotonNumberSplitting(Tap, Part):
    """Eve counts the photons of each pulse, keeps one of every two or more, and measures it when bases are public.

    Without blocking she lets the rest go on as it is: bits of multi-photon pulses are hers, and nothing is seen.
    With blocking she sends the rest over a lossless line and blocks as many single photons as keep the signal's
    click rate: at enough loss every bit is hers. The QBER does not change; the clicks of the decoys do.

    Attributes:
        blocking: whether single photons are blocked.

    Source: Brassard, Lütkenhaus, Mor, Sanders, PRL 85, 1330 (2000).
    """

    blocking: bool = True
    kind: ClassVar[str] = "photon_number_splitting"

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        if not isinstance(self.blocking, bool):
            raise ValueError(f"blocking must be true or false, not {self.blocking!r}")  # noqa: TRY004 - one error type

    @property
    def takes_the_line(self) -> bool:
        """Return whether single photons are blocked: the rest then needs the lossless line."""
        return self.blocking

    def detection_behind(self, link: Channel, photons: NDArray[np.int64], seen: Table) -> Table:
        """Return the detection that, with blocking, keeps the signal's click rate as far as multi-photon pulses allow."""
        return self.fraction * self._split(link, photons) + (1 - self.fraction) * seen

    def _split(self, link: Channel, photons: NDArray[np.int64]) -> Table:
        left = np.maximum(photons - 1, 0)
        if not self.blocking or not link.intensities:
            return np.where(photons > 1, honest_detection(link, left), honest_detection(link, photons))
        at_bob = link.receiver_efficiency * link.detector_efficiency
        numbers = np.arange(2, 40)
        multi = float(poisson(link.intensities[0], numbers) @ (1 - (1 - at_bob) ** (numbers - 1)))
        wanted = link.photon_detection(link.intensities[0])
        throttle = min(1.0, wanted / multi)
        single = max(0.0, wanted - multi) / float(poisson(link.intensities[0], np.array([1]))[0])
        forwarded = throttle * (1 - (1 - at_bob) ** left.astype(np.float64))
        return np.where(photons == 1, min(single, at_bob), forwarded)

    def share_held(self, link: Channel, *, random: bool) -> Table:
        """Return, by Bayes' rule, the part of the clicks that come from multi-photon pulses she attacked."""
        split, honest = self._split(link, NUMBERS), honest_detection(link, NUMBERS)
        if random:  # the pulses that were not detected
            split, honest = 1 - split, 1 - honest
        attacked = self.fraction * split
        clicked = attacked + (1 - self.fraction) * honest
        several = (NUMBERS > 1) & (clicked > 0)
        return np.divide(attacked, clicked, out=np.zeros(NUMBERS.size), where=several)

    def describe(self) -> dict[str, str | float]:
        """Return kind, fraction and whether single photons are blocked."""
        return super().describe() | {"blocking": self.blocking}

    def __str__(self) -> str:
        """Return the notation that ``qkd.attacks.attack`` reads."""
        return super().__str__() + ("" if self.blocking else ":no-blocking")


@dataclass(frozen=True)
class BeamSplitting(Tap, Part):
    """Eve replaces the fibre by a lossless one and a beam splitter, and keeps the light that would have been lost.

    Bob's statistics are exactly those of the link. Eve knows the bits of which she holds a photon; a single-photon
    source gives her none, for its photon cannot be on both sides. The decoy bound counts multi-photon pulses as
    hers anyway, so the key is safe.

    Attributes:
        fraction: of the lost light that she collects.
    """

    kind: ClassVar[str] = "beam_splitting"
    takes_lost_light: ClassVar[bool] = True

    def share_held(self, link: Channel, *, random: bool) -> Table:
        """Return the part of the ways to detect at least one of n photons, or none, that leave one for Eve."""
        tapped = self.fraction * (1 - link.fibre_transmittance)
        photons = NUMBERS.astype(np.float64)
        neither = np.maximum(0.0, 1 - tapped - link.transmittance) ** photons
        clicks = honest_detection(link, NUMBERS)
        without = neither if random else (1 - tapped) ** photons - neither
        clicks = 1 - clicks if random else clicks
        missed = np.divide(without, clicks, out=np.ones(NUMBERS.size), where=clicks > 0)
        held: Table = 1 - np.minimum(1.0, missed)
        return held
