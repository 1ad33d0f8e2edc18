"""Parameter estimation: the QBER from compared bits, with its confidence interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkd.bb84 import DIAGONAL
from qkd.bits import Bits, as_integer, as_number


@dataclass(frozen=True)
class Interval:
    """A confidence interval; both ends in [0, 1]."""

    low: float
    high: float


@dataclass(frozen=True)
class BasisCounts:
    """Bits of known error, per basis.

    Attributes:
        n_rect: bits in the rectilinear basis.
        errors_rect: of these, those where Bob differed from Alice.
        n_diag: bits in the diagonal basis.
        errors_diag: of these, those where Bob differed from Alice.

    Raises:
        ValueError: negative counts, or more errors than bits.
    """

    n_rect: int = 0
    errors_rect: int = 0
    n_diag: int = 0
    errors_diag: int = 0

    def __post_init__(self) -> None:
        """Refuse impossible counts."""
        for basis in ("rect", "diag"):
            compared = as_integer(f"n_{basis}", getattr(self, f"n_{basis}"), 0, 2**62)
            as_integer(f"errors_{basis}", getattr(self, f"errors_{basis}"), 0, compared)

    @property
    def total(self) -> int:
        """Bits in both bases."""
        return self.n_rect + self.n_diag

    @property
    def errors(self) -> int:
        """Errors in both bases."""
        return self.errors_rect + self.errors_diag

    @property
    def qber(self) -> float:
        """Error rate over both bases; 0 where nothing was compared."""
        return self.errors / self.total if self.total else 0.0


def error_counts(alice: Bits, bob: Bits, bases: Bits) -> BasisCounts:
    """Count the errors per basis; all arrays of one shape."""
    wrong = alice != bob
    diagonal = bases == DIAGONAL
    n_diag, errors_diag = int(np.count_nonzero(diagonal)), int(np.count_nonzero(wrong & diagonal))
    return BasisCounts(bases.size - n_diag, int(np.count_nonzero(wrong)) - errors_diag, n_diag, errors_diag)


def qber_interval(errors: int, sample: int, *, confidence: float = 0.99) -> Interval:
    """Return the Clopper-Pearson interval of the quantum bit error rate.

    Args:
        errors: mismatching bits among those compared, 0 to ``sample``.
        sample: bits compared, > 0.
        confidence: two-sided coverage, in (0, 1).

    Returns:
        Interval(low, high), both in [0, 1]; covers the true rate with at least ``confidence``.

    Raises:
        ValueError: an argument outside its range.

    Source: Clopper & Pearson, Biometrika 26 (1934).
    """
    from scipy.special import betaincinv  # noqa: PLC0415 - scipy costs a cold start more than the rest of the package

    as_integer("sample", sample, 1, 2**62)
    as_integer("errors", errors, 0, sample)
    as_number("confidence", confidence, 1e-9, 1 - 1e-12)
    tail = (1 - confidence) / 2
    low = float(betaincinv(errors, sample - errors + 1, tail)) if errors else 0.0
    high = float(betaincinv(errors + 1, sample - errors, 1 - tail)) if errors < sample else 1.0
    return Interval(low, high)


def choose_sample(bases: Bits, size: int, *, by_basis: bool, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose which sifted bits are compared and discarded.

    Args:
        bases: bases of the sifted bits, shape (sifted,).
        size: bits to compare, 0 to sifted; not used with ``by_basis``.
        by_basis: compare the whole diagonal basis instead of a random sample of both.
        rng: public randomness, drawn after detection.

    Returns:
        Boolean mask of the shape of ``bases``.
    """
    if by_basis:
        return np.equal(bases, DIAGONAL)
    mask = np.zeros(bases.size, np.bool_)
    mask[rng.choice(bases.size, size, replace=False, shuffle=False)] = True
    return mask
