"""Several attacks at once: one Eve, as far as one pulse bears it.

Taps and measurements follow each other: she may keep a photon of a pulse and measure the rest. What one pulse does
not bear is refused:

- one method twice: that is the method on more of the pulses;
- measuring and resending it twice: intercept-resend, Breidbart and blinding share the pulses among them;
- collecting light that the fibre would have lost where the lossless line is used up for something else: to forward
  what photon-number splitting with blocking left of *every* pulse, or to make up for the half that blinding of
  *every* pulse costs.

Noise is the fibre's, and goes with everything; it does not reach pulses that Eve makes in front of a blinded detector.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from qkd.attacks.model import Attack, Measurement, NoAttack, Part, named
from qkd.attacks.resending import DetectorBlinding
from qkd.attacks.tapping import BeamSplitting, PhotonNumberSplitting

# Of sums of fractions given in decimals.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Combination(Attack):
    """Two or more parts; made by ``combined``.

    Attributes:
        parts: of different kinds.

    Raises:
        ValueError: parts that exclude each other, by name.
    """

    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no Eve can do."""
        for kind in {part.kind for part in self.parts}:
            if sum(part.kind == kind for part in self.parts) > 1:
                _refuse(
                    [part for part in self.parts if part.kind == kind], "that is one, of a larger fraction"
                )
        measuring = [part for part in self.parts if isinstance(part, Measurement)]
        if sum(part.fraction for part in measuring) > 1 + _ROUNDING:
            _refuse(measuring, "a pulse is measured once, so their fractions must not exceed 1 in sum")
        for part in self.parts:
            if isinstance(part, BeamSplitting):
                for other in self.parts:
                    if _takes_the_whole_line(other):
                        _refuse([other, part], "the first of every pulse leaves the second no lost light")

    def describe(self) -> dict[str, str | float]:
        """The notation, which holds everything."""
        return {"kind": str(self)}

    def scaled(self, share: float) -> "Combination":
        """All parts scaled."""
        return Combination(tuple(part.scaled(share) for part in self.parts))

    def __str__(self) -> str:
        """In the notation of ``qkd.attacks.attack``."""
        return named(self.parts)


def _takes_the_whole_line(part: Part) -> bool:
    blocks = isinstance(part, PhotonNumberSplitting) and part.blocking
    return part.fraction == 1 and (blocks or isinstance(part, DetectorBlinding))


def _refuse(parts: Sequence[Part], why: str) -> None:
    raise ValueError(f"attacks {' and '.join(map(str, parts))} cannot be combined: {why}")


def combined(*attacks: Attack) -> Attack:
    """One attack of several, in whatever order they are given.

    Raises:
        ValueError: they exclude each other, by name.
    """
    parts = [part for attack in attacks for part in attack.parts]
    if len(parts) < 2:
        return parts[0] if parts else NoAttack()
    return Combination(tuple(parts))
