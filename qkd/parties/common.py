"""Steps that both parties do alike: sample, count, extract."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qkd import amplification
from qkd.agreement import Agreement, Evidence
from qkd.bits import Bits
from qkd.classical import ProtocolError
from qkd.estimation import BasisCounts, choose_sample
from qkd.finite_key import DecoyCounts

COUNTS = struct.Struct("<5Q")
"""Announcement of errors: rectilinear, diagonal; diagonal by intensity."""

KEY_ERRORS = struct.Struct("<2Q")
"""Announcement of the errors of the verified key bits, of signal and decoy; where there are two intensities."""

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

    def with_key_errors(
        self,
        evidence: Evidence,
        sample: NDArray[np.bool_],
        errors: Sequence[int],
        discarded: NDArray[np.bool_],
    ) -> Evidence:
        """Return the statistics with the errors of the key bits by intensity, those discarded counted as errors.

        Raises:
            ProtocolError: more errors than bits.
        """
        kept = self.intensities[np.flatnonzero(~sample)]
        lost, whole = (np.bincount(part, minlength=2).tolist() for part in (kept[discarded], kept))
        for wrong, gone, all_of_them in zip(errors, lost, whole, strict=True):
            if wrong + gone > all_of_them:
                raise ProtocolError("there are more errors than bits of the key")
        return replace(
            evidence,
            key_errors=tuple(wrong + gone for wrong, gone in zip(errors, lost, strict=True)),
        )

    def evidence(
        self, agreement: Agreement, sample: NDArray[np.bool_], compared: BasisCounts, errors: list[int]
    ) -> Evidence:
        """Return the statistics, given the errors of the compared diagonal bits by intensity.

        Raises:
            ProtocolError: more errors of an intensity than bits.
        """
        kept = int(np.count_nonzero(~sample))
        if not agreement.intensities:
            return Evidence(key_bits=kept, compared=compared)
        number = len(agreement.intensities)
        clicks = [
            np.bincount(self.intensities[np.flatnonzero(part)], minlength=number).tolist()
            for part in (~sample, sample)
        ]
        if any(wrong > bits for wrong, bits in zip(errors[:number], clicks[1], strict=True)):
            raise ProtocolError("the counts of errors are impossible: more of an intensity than bits")
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


def extract(bits: Bits, agreement: Agreement, bound: int, seed: bytes) -> Secrets:
    """Extract key and pad from verified bits of which the bound calls so many secret."""
    extracted = amplification.amplify(bits, agreement.extracted_length(bound), seed=seed)
    key_length = extracted.size - agreement.authentication_bits
    return Secrets(extracted[:key_length], extracted[key_length:])
