"""Devices that are not ideal, as the bounds allow for them: pulses and clicks that count as known to Eve.

A pulse, or a click, is *clean* where it is certainly one of ideal devices. Which ones are is decided by coins that nothing
else depends on, so what is clean is a session with ideal devices, and the rest is given to Eve.

Source: the tagging of Gottesman, Lo, Lütkenhaus, Preskill, Quant. Inf. Comput. 4, 325 (2004).
"""

import math
from dataclasses import dataclass

from qkd.bits import as_integer, as_number
from qkd.finite_key.sampling import most_of


@dataclass(frozen=True, kw_only=True)
class Devices:
    """Imperfections for which a key is bounded.

    Attributes:
        efficiency_mismatch: m, by how much less efficient one of Bob's detectors can be made than the other, relatively
            and pulse by pulse, [0, 0.9]: a click is clean with probability 1 - m.
        source_defect: q, probability that a pulse is not the one that was meant but any other, [0, 0.1].
        pulses: that were sent.
        key_chance: probability that a pulse is one of the key, should it click.
        sample_chance: likewise for the sample.

    Raises:
        ValueError: a value outside its range.
    """

    efficiency_mismatch: float = 0.0
    source_defect: float = 0.0
    pulses: int = 0
    key_chance: float = 1.0
    sample_chance: float = 1.0

    def __post_init__(self) -> None:
        """Check the values."""
        as_number("efficiency_mismatch", self.efficiency_mismatch, 0, 0.9)
        as_number("source_defect", self.source_defect, 0, 0.1)
        as_integer("pulses", self.pulses, 0, 2**62)
        as_number("key_chance", self.key_chance, 0, 1)
        as_number("sample_chance", self.sample_chance, 0, 1)

    @property
    def tails(self) -> int:
        """How many probabilities of failure they take: one for the key and one for the sample, of each imperfection."""
        return 2 * (self.efficiency_mismatch > 0) + 2 * (self.source_defect > 0)

    def tagged_of_key(self, share: float) -> int:
        """Return how many pulses of the key are not as meant at most."""
        return self._tagged(self.key_chance, share)

    def tagged_of_sample(self, share: float) -> int:
        """Return how many pulses of the sample are not as meant at most."""
        return self._tagged(self.sample_chance, share)

    def ideally_seen(self, clicks: float, share: float) -> float:
        """Return how many clicks ideal detectors would have at least, of those that there are at least."""
        if not self.efficiency_mismatch:
            return clicks
        return max(0.0, clicks - most_of(math.floor(clicks), self.efficiency_mismatch, share))

    def _tagged(self, chance: float, share: float) -> int:
        return most_of(self.pulses, self.source_defect * chance, share) if self.source_defect else 0


IDEAL = Devices()
"""Devices of which nothing has to be given to Eve."""
