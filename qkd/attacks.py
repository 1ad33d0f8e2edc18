"""Eavesdroppers. Each says what it does to the pulses, what Bob sees of it, and what Eve learns.

Only clicks are simulated (``qkd.photons``), so an attack has two parts: with which probability a pulse of n photons
is detected (``detection``), and what happens to the photons of the pulses that Bob will click on (``intercept``).
Eve is taken to hide in the click rate as well as her method allows.

| kind | QBER | clicks | Eve learns, of an attacked sifted bit | caught by |
|---|---|---|---|---|
| intercept_resend | + fraction/4 | unchanged | all of every second bit | QBER |
| breidbart | + fraction/4 | unchanged | 0.399 bit: she guesses 85.4 % | QBER |
| photon_number_splitting | unchanged | signal kept, decoys changed | all, if it had two photons | decoy states |
| beam_splitting | unchanged | unchanged | all, if a photon was lost to her | the key length: it is tolerated loss |
| detector_blinding | falls | unchanged above 3 dB | everything | a monitor of the detectors' current; not statistics |
| noise | + fraction/2 | unchanged | nothing | QBER: noise is not told from Eve |
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qkd.bits import Bits, checked_number
from qkd.channel import Channel
from qkd.photons import poisson

BREIDBART_GUESS = math.cos(math.pi / 8) ** 2
"""Probability that a measurement half-way between the bases gives the bit: 0.854."""

_BREIDBART_BASIS = 2


@dataclass(frozen=True)
class Flight:
    """Pulses that Bob will click on. Each array has shape (clicks,).

    Attributes:
        states: polarization states 0..3 (see ``qkd.bb84``).
        photons: photons that Alice emitted.
        bob_bases: Bob's bases, which no attack but detector blinding may depend on.
    """

    states: Bits
    photons: Bits
    bob_bases: Bits


@dataclass(frozen=True)
class Interception:
    """What an attack did to a block of pulses. Each array has shape (clicks,).

    Attributes:
        states: polarization states that travel on, 0..3, or 4 and 5 for those half-way between the bases.
        known: where Eve has the bit for certain once bases are public, boolean.
        guesses: Eve's best guess of the bit; meaningless where ``touched`` is not set.
        touched: where she knows anything at all, boolean.
        forced: where Bob's detectors are hers: no misalignment, no background. None if nowhere.
    """

    states: Bits
    known: NDArray[np.bool_]
    guesses: Bits
    touched: NDArray[np.bool_]
    forced: NDArray[np.bool_] | None = None


def _bits(flight: Flight) -> Bits:
    """Alice's bits."""
    return flight.states & np.uint8(1)


def _nothing(flight: Flight) -> Interception:
    none = np.zeros(flight.states.size, np.bool_)
    return Interception(flight.states, none, np.zeros(flight.states.size, np.uint8), none)


@dataclass(frozen=True)
class Attack:
    """An eavesdropper model; this one is nobody, and the others change what differs.

    Attributes:
        fraction: of the pulses attacked, [0, 1].

    Raises:
        ValueError: fraction outside [0, 1].
    """

    fraction: float = 1.0
    kind: ClassVar[str] = "none"

    def __post_init__(self) -> None:
        """Check the fraction."""
        checked_number("fraction", self.fraction, 0, 1)

    def detection(self, link: Channel, photons: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probability that a pulse of so many photons is detected, background apart; of the shape of ``photons``."""
        return honest_detection(link, photons)

    def intercept(self, flight: Flight, link: Channel, world: np.random.Generator) -> Interception:  # noqa: ARG002 - for the others
        """Act on the pulses in flight."""
        return _nothing(flight)

    def signal_error(self, misalignment: float) -> float:
        """Error rate of detected photons under the attack, given the link's own, in [0, 0.5]."""
        return misalignment

    def information(self) -> float:
        """Eve's mean information on a sifted bit of a detected single photon, once bases are public, in bits."""
        return 0.0

    def describe(self) -> dict[str, str | float]:
        """Kind and parameters, for records."""
        return {"kind": self.kind, "fraction": self.fraction}

    def _attacked(self, flight: Flight, world: np.random.Generator) -> NDArray[np.bool_]:
        # A pulse without a photon (a background click) has nothing to attack.
        chosen: NDArray[np.bool_] = (world.random(flight.states.size) < self.fraction) & (flight.photons > 0)
        return chosen


def honest_detection(link: Channel, photons: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 - (1 - eta)^n."""
    detected: NDArray[np.float64] = 1 - (1 - link.transmittance) ** photons.astype(np.float64)
    return detected


@dataclass(frozen=True)
class NoAttack(Attack):
    """Nobody listens."""

    def describe(self) -> dict[str, str | float]:
        """Kind only."""
        return {"kind": self.kind}


@dataclass(frozen=True)
class InterceptResend(Attack):
    """Eve measures a fraction of the photons in a random one of the two bases and resends what she found.

    On an attacked photon the sifted error is 1/4, so the QBER rises by fraction/4 on a noiseless channel; she
    guesses 75 % of the attacked bits and learns fraction/2 bit per sifted bit. Caught by the QBER.
    """

    kind: ClassVar[str] = "intercept_resend"

    def intercept(self, flight: Flight, link: Channel, world: np.random.Generator) -> Interception:  # noqa: ARG002 - for the others
        """Measure and resend the attacked photons."""
        touched = self._attacked(flight, world)
        bases = world.integers(0, 2, touched.size, dtype=np.uint8)
        coins = world.integers(0, 2, touched.size, dtype=np.uint8)
        matches = (flight.states >> 1) == bases
        outcomes = np.where(matches, _bits(flight), coins)
        states = np.where(touched, bases << 1 | outcomes, flight.states)
        return Interception(states, touched & matches, outcomes, touched)

    def signal_error(self, misalignment: float) -> float:
        """fraction/4 and the link's own error, combined as independent flips."""
        return _combined(self.fraction / 4, misalignment)

    def information(self) -> float:
        """Half of the attacked bits."""
        return self.fraction / 2


@dataclass(frozen=True)
class Breidbart(Attack):
    """Eve measures half-way between the bases (22.5°) and resends what she found.

    She never knows a bit for certain but guesses cos²(22.5°) = 85.4 % of the attacked ones, which is the most
    that measuring before the bases are public can give; the QBER is that of intercept-resend.

    Source: Bennett, Bessette, Brassard, Salvail, Smolin, J. Cryptology 5, 3 (1992).
    """

    kind: ClassVar[str] = "breidbart"

    def intercept(self, flight: Flight, link: Channel, world: np.random.Generator) -> Interception:  # noqa: ARG002 - for the others
        """Measure and resend the attacked photons."""
        touched = self._attacked(flight, world)
        wrong = world.random(touched.size) >= BREIDBART_GUESS
        outcomes = _bits(flight) ^ wrong.astype(np.uint8)
        states = np.where(touched, _BREIDBART_BASIS << 1 | outcomes, flight.states)
        return Interception(states, np.zeros(touched.size, np.bool_), outcomes, touched)

    def signal_error(self, misalignment: float) -> float:
        """fraction/4 and the link's own error: 2 · 0.854 · 0.146 = 1/4."""
        return _combined(self.fraction / 4, misalignment)

    def information(self) -> float:
        """1 - h(0.854) of each attacked bit."""
        p = BREIDBART_GUESS
        return self.fraction * (1 + p * math.log2(p) + (1 - p) * math.log2(1 - p))


@dataclass(frozen=True)
class PhotonNumberSplitting(Attack):
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

    def detection(self, link: Channel, photons: NDArray[np.int64]) -> NDArray[np.float64]:
        """With blocking: what keeps the signal's click rate, from multi-photon pulses as far as they go."""
        honest = honest_detection(link, photons)
        left = np.maximum(photons - 1, 0)
        if not self.blocking or not link.intensities:
            split = np.where(photons > 1, honest_detection(link, left), honest)
        else:
            split = self._blocked(link, photons)
        return self.fraction * split + (1 - self.fraction) * honest

    @staticmethod
    def _blocked(link: Channel, photons: NDArray[np.int64]) -> NDArray[np.float64]:
        at_bob = link.receiver_efficiency * link.detector_efficiency
        numbers = np.arange(2, 40)
        multi = float(poisson(link.intensities[0], numbers) @ (1 - (1 - at_bob) ** (numbers - 1)))
        wanted = link.photon_detection(link.intensities[0])
        throttle = min(1.0, wanted / multi)
        single = max(0.0, wanted - multi) / float(poisson(link.intensities[0], np.array([1]))[0])
        left = np.maximum(photons - 1, 0).astype(np.float64)
        forwarded = throttle * (1 - (1 - at_bob) ** left)
        return np.where(photons == 1, min(single, at_bob), forwarded)

    def intercept(self, flight: Flight, link: Channel, world: np.random.Generator) -> Interception:
        """Know the bits of the multi-photon pulses."""
        several = np.array([2])
        attacked = self.fraction
        if self.fraction < 1:
            # Clicked pulses were attacked with the probability that Bayes' rule gives.
            split = PhotonNumberSplitting(1.0, self.blocking).detection(link, several)[0]
            attacked *= split / self.detection(link, several)[0]
        known = (flight.photons > 1) & (world.random(flight.states.size) < attacked)
        return Interception(flight.states, known, _bits(flight), known)

    def describe(self) -> dict[str, str | float]:
        """Kind, fraction and whether single photons are blocked."""
        return super().describe() | {"blocking": self.blocking}


@dataclass(frozen=True)
class BeamSplitting(Attack):
    """Eve replaces the fibre by a lossless one and a beam splitter, and keeps the light that would have been lost.

    Bob's statistics are exactly those of the link. Eve knows the bits of which she holds a photon; a single-photon
    source gives her none, for its photon cannot be on both sides. The decoy bound counts multi-photon pulses as
    hers anyway, so the key is safe.

    Attributes:
        fraction: of the lost light that she collects.
    """

    kind: ClassVar[str] = "beam_splitting"

    def intercept(self, flight: Flight, link: Channel, world: np.random.Generator) -> Interception:
        """Know the bits of which a photon went to her side."""
        tapped = self.fraction * (1 - link.fibre_transmittance)
        photons = flight.photons.astype(np.float64)
        # Of the ways to detect at least one of n photons, those that leave none for Eve.
        without = (1 - tapped) ** photons - np.maximum(0.0, 1 - tapped - link.transmittance) ** photons
        clicks = 1 - (1 - link.transmittance) ** photons
        missed = np.divide(without, clicks, out=np.ones_like(clicks), where=clicks > 0)
        known = world.random(photons.size) >= missed
        return Interception(flight.states, known, _bits(flight), known)


@dataclass(frozen=True)
class DetectorBlinding(Attack):
    """Eve blinds Bob's detectors with bright light and forces their clicks ("faked states").

    She measures near Alice in a random basis and sends Bob a bright pulse that clicks only if he uses her basis, and
    then gives her bit. Half of her pulses are lost, which a lossless line makes up for on any link of more than
    3 dB. Every sifted bit that she forced is hers, without an error; misalignment and background vanish with it.
    Neither QBER nor decoys show it: it takes a monitor of the detectors' current, or measurement-device-independent
    QKD. A QBER below what the link explains is the only trace in the counts.

    Source: Lydersen, Wiechers, Wittmann, Elser, Skaar, Makarov, Nature Photonics 4, 686 (2010).
    """

    kind: ClassVar[str] = "detector_blinding"

    def detection(self, link: Channel, photons: NDArray[np.int64]) -> NDArray[np.float64]:
        """That of the link, up to the half that her choice of basis costs."""
        honest = honest_detection(link, photons)
        return np.minimum(honest, self.fraction / 2 + (1 - self.fraction) * honest)

    def intercept(self, flight: Flight, link: Channel, world: np.random.Generator) -> Interception:  # noqa: ARG002 - for the others
        """Make Bob's outcomes Eve's. That he clicked means that his basis was hers."""
        forced = self._attacked(flight, world)
        coins = world.integers(0, 2, forced.size, dtype=np.uint8)
        outcomes = np.where(flight.states >> 1 == flight.bob_bases, _bits(flight), coins)
        states = np.where(forced, flight.bob_bases << 1 | outcomes, flight.states)
        return Interception(states, forced, outcomes, forced, forced)

    def signal_error(self, misalignment: float) -> float:
        """Only photons that she leaves alone err."""
        return (1 - self.fraction) * misalignment

    def information(self) -> float:
        """Every attacked bit."""
        return self.fraction


@dataclass(frozen=True)
class Noise(Attack):
    """Nobody listens, but a fraction of the photons loses its polarization: honest noise, for comparison."""

    kind: ClassVar[str] = "noise"

    def intercept(self, flight: Flight, link: Channel, world: np.random.Generator) -> Interception:  # noqa: ARG002 - for the others
        """Replace the attacked photons by completely mixed ones."""
        touched = self._attacked(flight, world)
        random = world.integers(0, 4, touched.size, dtype=np.uint8)
        quiet = _nothing(flight)
        return Interception(
            np.where(touched, random, flight.states), quiet.known, quiet.guesses, quiet.touched
        )

    def signal_error(self, misalignment: float) -> float:
        """fraction/2 and the link's own error."""
        return _combined(self.fraction / 2, misalignment)


def _combined(flipped: float, misalignment: float) -> float:
    return flipped + misalignment * (1 - 2 * flipped)


_MODELS: dict[str, type[Attack]] = {
    model.kind: model
    for model in (
        NoAttack,
        InterceptResend,
        Breidbart,
        PhotonNumberSplitting,
        BeamSplitting,
        DetectorBlinding,
        Noise,
    )
}

KINDS: tuple[str, ...] = tuple(_MODELS)


def attack(kind: str = "none", **parameters: float | bool | None) -> Attack:
    """An attack by its kind, as requests name it.

    Args:
        kind: one of ``KINDS``.
        parameters: of the kind: ``fraction`` of the pulses attacked, [0, 1], 1 if not given, for all but ``none``;
            ``blocking`` (true or false) for photon_number_splitting. None counts as not given.

    Raises:
        ValueError: unknown kind, or a parameter that is out of range or not the kind's.
    """
    if kind not in _MODELS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    given = {name: value for name, value in parameters.items() if value is not None}
    allowed = set() if kind == NoAttack.kind else {"fraction"}
    if kind == PhotonNumberSplitting.kind:
        allowed.add("blocking")
    for name in given:
        if name not in allowed:
            raise ValueError(f"{name} is not a parameter of the attack {kind!r}")
    return _MODELS[kind](**given)
