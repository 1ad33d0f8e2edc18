"""The quantum channel between Alice and Bob: fibre, receiver, detectors.

The model is the standard one of Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005), for a single-photon source: a photon
arrives and is detected with probability eta; a background click (dark counts of both detectors, stray light)
happens with probability Y0 per pulse whatever was sent, and gives a random bit; a detected photon hits the wrong
detector with probability ``misalignment``. The click probability depends neither on basis nor on bit.
"""

from dataclasses import dataclass

from qkd.bits import checked_number


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A fibre link and its receiver; the source emits exactly one photon per pulse.

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
    name: str = "custom"
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse impossible physics."""
        checked_number("distance_km", self.distance_km, 0, 10_000)
        checked_number("attenuation_db_per_km", self.attenuation_db_per_km, 0, 100)
        checked_number("receiver_efficiency", self.receiver_efficiency, 0, 1, open_low=True)
        checked_number("detector_efficiency", self.detector_efficiency, 0, 1, open_low=True)
        checked_number("dark_count_probability", self.dark_count_probability, 0, 0.5)
        checked_number("misalignment", self.misalignment, 0, 0.5)
        # Beyond these, one basis is practically never used and its error rate cannot be known.
        checked_number("rectilinear_probability", self.rectilinear_probability, 0.01, 0.99)

    @classmethod
    def from_error_rate(cls, error_rate: float) -> "Channel":
        """A lossless channel that flips each sifted bit with the given probability, [0, 0.5].

        Raises:
            ValueError: not a number in that range.
        """
        checked_number("error_rate", error_rate, 0, 0.5)
        return cls(misalignment=error_rate, name="error_rate", source="a plain error rate, no loss")

    @property
    def transmittance(self) -> float:
        """Probability that an emitted photon is detected (eta), in [0, 1]."""
        fibre: float = 10 ** (-self.attenuation_db_per_km * self.distance_km / 10)
        return fibre * self.receiver_efficiency * self.detector_efficiency

    @property
    def gain(self) -> float:
        """Probability that a pulse gives a click, in [0, 1]: 1 - (1 - eta)(1 - Y0)."""
        return 1 - (1 - self.transmittance) * (1 - self.dark_count_probability)

    @property
    def dark_fraction(self) -> float:
        """Fraction of the clicks in which no photon was detected, in [0, 1]; 1 where nothing ever clicks."""
        if self.gain == 0:
            return 1.0
        return self.dark_count_probability * (1 - self.transmittance) / self.gain

    def error_rate(self, signal_error: float | None = None) -> float:
        """QBER of the sifted bits, in [0, 0.5]; without Eve unless the error of detected photons is given."""
        error = self.misalignment if signal_error is None else signal_error
        return self.dark_fraction / 2 + (1 - self.dark_fraction) * error

    @property
    def sifted_fraction(self) -> float:
        """Fraction of the clicks in which both chose the same basis."""
        return self.rectilinear_probability**2 + (1 - self.rectilinear_probability) ** 2


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
            source="GYS set-up as in Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005)",
        ),
        Channel(
            name="lim2014",
            distance_km=50.0,
            attenuation_db_per_km=0.2,
            detector_efficiency=0.1,
            dark_count_probability=1.2e-6,  # two detectors at 6e-7 each
            misalignment=0.005,
            source="Lim, Curty, Walenta, Xu, Zbinden, PRA 89, 022307 (2014); no after-pulsing",
        ),
    )
}


def preset(name: str) -> Channel:
    """A channel by its name.

    Raises:
        ValueError: no such preset; the message lists those there are.
    """
    if name not in PRESETS:
        raise ValueError(f"channel must be one of {', '.join(sorted(PRESETS))}, not {name!r}")
    return PRESETS[name]
