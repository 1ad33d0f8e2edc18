"""Steps that both parties do alike: sample, count, extract."""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkd import amplification
from qkd.agreement import Agreement, Evidence
from qkd.bits import Bits
from qkd.estimation import BasisCounts, choose_sample
from qkd.finite_key import DecoyCounts

COUNTS = struct.Struct("<5Q")
"""Announcement of errors: rectilinear, diagonal; diagonal by intensity."""

SEED_BYTES = 32
"""Of the seed of the sample."""


@dataclass(frozen=True, repr=False)
class Sifted:
    """What both know of the sifted bits, and one party's bits. Each array has shape (sifted,)."""

    bits: Bits
    bases: Bits
    intensities: Bits

    def sample(self, agreement: Agreement, seed: bytes) -> NDArray[np.bool_]:
        """Choose which sifted bits are compared."""
        return choose_sample(
            self.bases,
            min(agreement.sample_bits, max(0, self.bases.size - 1)),
            by_basis=agreement.by_basis,
            rng=np.random.default_rng(int.from_bytes(seed, "little")),
        )

    def evidence(
        self, agreement: Agreement, sample: NDArray[np.bool_], compared: BasisCounts, errors: list[int]
    ) -> Evidence:
        """Return the statistics, given the errors of the compared diagonal bits by intensity."""
        kept = int(np.count_nonzero(~sample))
        if not agreement.intensities:
            return Evidence(key_bits=kept, compared=compared)
        number = len(agreement.intensities)
        clicks = [
            np.bincount(self.intensities[part], minlength=number).tolist() for part in (~sample, sample)
        ]
        decoys = tuple(
            DecoyCounts(
                intensity=agreement.intensities[i],
                probability=agreement.intensity_probabilities[i],
                key_clicks=clicks[0][i],
                test_clicks=clicks[1][i],
                test_errors=errors[i],
            )
            for i in range(number)
        )
        return Evidence(key_bits=kept, compared=compared, decoys=decoys)


@dataclass(repr=False)
class Secrets:
    """What a party has at the end: the key, and the pad of the next session's authentication."""

    key: Bits
    pad: Bits


def extract(bits: Bits, agreement: Agreement, seed: bytes) -> Secrets:
    """Extract key and pad from verified bits."""
    extracted = amplification.amplify(bits, agreement.extracted_length, seed=seed)
    return Secrets(extracted[: agreement.key_length], extracted[agreement.key_length :])
