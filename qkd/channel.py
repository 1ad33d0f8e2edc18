"""The quantum link between Alice and Bob: light source, fibre, receiver, detectors.

The model is the standard one of Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005): each photon arrives and is detected with
probability eta; a background click (dark counts of both detectors, stray light) happens with probability Y0 per
pulse whatever was sent, and gives a random bit; a detected photon hits the wrong detector with probability
``misalignment``. After-pulses are those of Lim et al., PRA 89, 022307 (2014): a detection is followed by another
click, of a random bit, with a given probability. The click probability depends neither on basis nor on bit.

After a click the whole receiver may be blind for a number of pulses. Where a photon and a background click come in two
detectors at once, Bob keeps a random bit, as the security proofs demand.

The source emits either exactly one photon per pulse, or weak coherent pulses with randomised phase: the photon
number of a pulse is then Poisson distributed around the intensity that Alice picked for it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qkd.bits import as_integer, as_number

MAX_INTENSITY = 2.0
"""Mean photon number above which a pulse is not weak."""


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A fibre link with its source and its receiver.

    Attributes:
        distance_km: length of the fibre, km, 0 to 10,000.
        attenuation_db_per_km: loss of the fibre, dB/km, 0 to 100.
        receiver_efficiency: transmittance of Bob's optics, (0, 1].
        detector_efficiency: probability that a photon at the detector is detected, (0, 1].
        dark_count_probability: background clicks per pulse (Y0, all detectors together), [0, 0.5].
        misalignment: probability that a detected photon hits the wrong detector, [0, 0.5].
        rectilinear_probability: probability that Alice, and that Bob, picks the rectilinear basis, [0.01, 0.99]. At 1/2
            a random sample of both bases estimates the error and the rest is key; otherwise the rectilinear basis
            makes the key and the whole diagonal basis estimates the error, as in Tomamichel et al. 2012.
        after_pulse_probability: of a random click after a detection, [0, 0.5].
        intensities: mean photon numbers of signal, decoy and weakest pulses, mu1 > mu2 + mu3 and mu2 > mu3 >= 0, or
            of signal and one decoy, mu1 > mu2 > 0; up to 2; empty for single photons.
        intensity_probabilities: with which Alice picks each, of the same length, summing to 1.
        dead_time_pulses: pulses after a click in which no detector of the receiver clicks, 0 to 10^6.
        double_clicks: a background click in the other detector (half of the background) makes a detected photon's bit
            random; otherwise it is taken to go unseen, as in the published model.
        efficiency_mismatch: by how much less efficient one detector can be made than the other, relatively, [0, 0.9]:
            it changes no click, but the key is bounded for any mismatch up to it.
        source_defect: probability that a pulse is not the one that Alice meant, but any other, [0, 0.1]: it changes no
            click either, but the key is bounded for it. A source of single photons has a second one at times; with
            weak pulses that is no defect.
        entangled: a source of pairs half-way sends to both, and a click is one on both sides (``qkd.entangled``).
        name: preset or description.
        source: where the figures come from.

    Raises:
        ValueError: a value outside its range; the message names it.
    """

    distance_km: float = 0.0
    attenuation_db_per_km: float = 0.2
    receiver_efficiency: float = 1.0
    detector_efficiency: float = 1.0
    dark_count_probability: float = 0.0
    misalignment: float = 0.0
    rectilinear_probability: float = 0.5
    after_pulse_probability: float = 0.0
    intensities: Sequence[float] = ()
    intensity_probabilities: Sequence[float] = ()
    dead_time_pulses: int = 0
    double_clicks: bool = False
    efficiency_mismatch: float = 0.0
    source_defect: float = 0.0
    entangled: bool = False
    name: str = "custom"
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse impossible physics."""
        as_number("distance_km", self.distance_km, 0, 10_000)
        as_number("attenuation_db_per_km", self.attenuation_db_per_km, 0, 100)
        as_number("receiver_efficiency", self.receiver_efficiency, 0, 1, open_low=True)
        as_number("detector_efficiency", self.detector_efficiency, 0, 1, open_low=True)
        as_number("dark_count_probability", self.dark_count_probability, 0, 0.5)
        as_number("misalignment", self.misalignment, 0, 0.5)
        # Beyond these, one basis is practically never used and its error rate cannot be known.
        as_number("rectilinear_probability", self.rectilinear_probability, 0.01, 0.99)
        as_number("after_pulse_probability", self.after_pulse_probability, 0, 0.5)
        as_integer("dead_time_pulses", self.dead_time_pulses, 0, 10**6)
        for name in ("double_clicks", "entangled"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be true or false, not {getattr(self, name)!r}")  # noqa: TRY004 - one error type
        as_number("efficiency_mismatch", self.efficiency_mismatch, 0, 0.9)
        as_number("source_defect", self.source_defect, 0, 0.1)
        self._check_intensities()

    def _check_intensities(self) -> None:
        for name in ("intensities", "intensity_probabilities"):
            given = getattr(self, name)
            if isinstance(given, str) or not isinstance(given, Sequence) or len(given) not in (0, 2, 3):
                raise ValueError(f"{name} must be a list of 2 or 3 numbers, or empty, not {given!r}")
            object.__setattr__(self, name, tuple(as_number(name, value, 0, MAX_INTENSITY) for value in given))
        light, chances = self.intensities, self.intensity_probabilities
        if len(light) != len(chances):
            raise ValueError("intensity_probabilities must be as many as intensities")
        if light and (min(chances) <= 0 or abs(sum(chances) - 1) > 1e-9):
            raise ValueError("intensity_probabilities must be above 0 and sum to 1")
        if len(light) == 3 and not (light[0] > light[1] + light[2] and light[1] > light[2]):
            raise ValueError("intensities must be mu1 > mu2 + mu3 and mu2 > mu3 >= 0")
        if light and self.entangled:
            raise ValueError("intensities must be empty where the source is entangled")
        if len(light) == 2 and not light[0] > light[1] > 0:
            raise ValueError("intensities must be mu1 > mu2 > 0")

    @classmethod
    def from_error_rate(cls, error_rate: float) -> "Channel":
        """Return a lossless channel that flips each sifted bit with the given probability, [0, 0.5].

        Raises:
            ValueError: not a number in that range.
        """
        as_number("error_rate", error_rate, 0, 0.5)
        return cls(misalignment=error_rate, name="error_rate", source="a plain error rate, no loss")

    @property
    def transmittance(self) -> float:
        """Probability that an emitted photon is detected (eta), in [0, 1]."""
        return self.fibre_transmittance * self.receiver_efficiency * self.detector_efficiency

    @property
    def fibre_transmittance(self) -> float:
        """Probability that an emitted photon leaves the fibre, in [0, 1]."""
        lost: float = 10 ** (-self.attenuation_db_per_km * self.distance_km / 10)
        return lost

    @property
    def has_decoys(self) -> bool:
        """Return whether Alice's source has two or three intensities."""
        return bool(self.intensities)

    @property
    def compares_a_basis(self) -> bool:
        """Return whether the rectilinear basis makes the key and all of the diagonal basis is compared."""
        return self.rectilinear_probability != 0.5 or self.has_decoys

    @property
    def emissions(self) -> tuple[tuple[float, float | None], ...]:
        """(probability, intensity) of each kind of pulse; the intensity is None for a single photon."""
        if not self.intensities:
            return ((1.0, None),)
        return tuple(zip(self.intensity_probabilities, self.intensities, strict=True))

    def photon_detection(self, intensity: float | None) -> float:
        """Return the probability that a photon of a pulse is detected, in [0, 1]."""
        return self.transmittance if intensity is None else -math.expm1(-self.transmittance * intensity)

    def random_clicks(self, intensity: float | None) -> float:
        """Return the probability of a click that no photon of the pulse made (background, after-pulse), in [0, 1]."""
        quiet = 1 - self.photon_detection(intensity)
        background = quiet * self.dark_count_probability
        detection = 1 - quiet + background
        return background + (1 - detection) * self.after_pulse_probability * detection

    def awake_gain_at(self, intensity: float | None) -> float:
        """Return the probability that a pulse of an intensity gives a click of detectors that are awake, in [0, 1]."""
        return self.photon_detection(intensity) + self.random_clicks(intensity)

    @property
    def awake_fraction(self) -> float:
        """Part of the pulses that find the detectors awake, in (0, 1]."""
        if not self.dead_time_pulses:
            return 1.0
        clicks = sum(chance * self.awake_gain_at(intensity) for chance, intensity in self.emissions)
        return awake(clicks, self.dead_time_pulses)

    def gain_at(self, intensity: float | None) -> float:
        """Return the probability that a pulse of an intensity gives a click, in [0, 1]."""
        return self.awake_gain_at(intensity) * self.awake_fraction

    @property
    def detected_error(self) -> float:
        """Probability that a detected photon gives the wrong bit, in [0, 0.5]: misalignment, and double clicks."""
        doubled = self.dark_count_probability / 2 if self.double_clicks else 0.0
        return self.misalignment + doubled * (0.5 - self.misalignment)

    def error_at(self, intensity: float | None, signal_error: float | None = None) -> float:
        """Return the QBER of the sifted bits of an intensity, in [0, 0.5]."""
        gain = self.awake_gain_at(intensity)
        if not gain:
            return 0.5
        error = self.detected_error if signal_error is None else signal_error
        return (self.random_clicks(intensity) / 2 + self.photon_detection(intensity) * error) / gain

    @property
    def gain(self) -> float:
        """Probability that a pulse gives a click, in [0, 1], over all intensities."""
        return sum(chance * self.gain_at(intensity) for chance, intensity in self.emissions)

    def error_rate(self, signal_error: float | None = None) -> float:
        """Return the QBER of the sifted bits, in [0, 0.5]; without Eve unless the error of detected photons is given."""
        if not self.gain:
            return 0.5
        errors = (
            chance * self.gain_at(intensity) * self.error_at(intensity, signal_error)
            for chance, intensity in self.emissions
        )
        return sum(errors) / self.gain

    @property
    def sifted_fraction(self) -> float:
        """Fraction of the clicks in which both chose the same basis."""
        return self.rectilinear_probability**2 + (1 - self.rectilinear_probability) ** 2


def awake(clicks: float, dead_time_pulses: int) -> float:
    """Return the part of the pulses that find detectors awake, given the clicks per pulse of such detectors."""
    return 1 / (1 + clicks * dead_time_pulses)


PRESETS: dict[str, Channel] = {
    preset.name: preset
    for preset in (
        Channel(name="ideal", source="no loss, no noise: the textbook's BB84"),
        Channel(
            name="lab",
            distance_km=1.0,
            receiver_efficiency=0.7,
            detector_efficiency=0.2,
            dark_count_probability=1e-5,
            misalignment=0.01,
            source="typical bench figures: InGaAs detectors at 20 %, 10 dark counts per million gates",
        ),
        Channel(
            name="metro_50km",
            distance_km=50.0,
            receiver_efficiency=0.7,
            detector_efficiency=0.2,
            dark_count_probability=1e-6,
            misalignment=0.015,
            source="typical metropolitan link: 0.2 dB/km standard fibre, cooled InGaAs detectors",
        ),
        Channel(
            name="gys2005",
            distance_km=50.0,
            attenuation_db_per_km=0.21,
            detector_efficiency=0.045,  # Bob's optics and detector together, as published
            dark_count_probability=1.7e-6,
            misalignment=0.033,
            rectilinear_probability=0.7,
            intensities=(0.48, 0.12, 0.0),
            intensity_probabilities=(0.15, 0.55, 0.3),
            source="GYS set-up as in Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005), with its signal of 0.48 and a decoy of a "
            "quarter of it; bias and probabilities near the optimum for keys of some thousand bits",
        ),
        Channel(
            name="lim2014",
            distance_km=50.0,
            attenuation_db_per_km=0.2,
            detector_efficiency=0.1,
            dark_count_probability=1.2e-6,  # two detectors at 6e-7 each
            misalignment=0.005,
            after_pulse_probability=0.04,
            rectilinear_probability=0.7,
            intensities=(0.4, 0.1, 2e-4),
            intensity_probabilities=(0.25, 0.5, 0.25),
            source="Lim, Curty, Walenta, Xu, Zbinden, PRA 89, 022307 (2014); bias, intensities and probabilities near "
            "the optimum for keys of some thousand bits",
        ),
        Channel(
            name="one_decoy",
            distance_km=50.0,
            receiver_efficiency=0.7,
            detector_efficiency=0.2,
            dark_count_probability=1e-6,
            misalignment=0.015,
            rectilinear_probability=0.8,
            intensities=(0.5, 0.15),
            intensity_probabilities=(0.4, 0.6),
            source="the link metro_50km with weak pulses of a signal and one decoy, as in Rusca, Boaron, Grünenfelder, "
            "Martin, Zbinden, APL 112, 171104 (2018); bias and intensities near the optimum for keys of some thousand "
            "bits",
        ),
        Channel(
            name="entangled_50km",
            detector_efficiency=7.968857973144238e-05,  # entangled_channel(preset("metro_50km"), 0.02)
            dark_count_probability=2.991952484772095e-06,
            misalignment=0.015,
            entangled=True,
            source="the detectors of metro_50km on both sides of a source of pairs half-way, 0.04 pairs per pulse: Ma, "
            "Fung, Lo, PRA 76, 012307 (2007)",
        ),
    )
}


def preset(name: str) -> Channel:
    """Return a preset channel by its name.

    Raises:
        ValueError: no such preset; the message lists those there are.
    """
    if name not in PRESETS:
        raise ValueError(f"channel must be one of {', '.join(sorted(PRESETS))}, not {name!r}")
    return PRESETS[name]
