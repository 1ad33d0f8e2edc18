"""What Alice and Bob agree on before a session, and the statistics that both know. Nothing here is secret."""

import math
from dataclasses import dataclass

from qkd import authentication, reconciliation
from qkd.estimation import BasisCounts
from qkd.finite_key import DecoyCounts, binary_entropy, lim2014_length, tomamichel2012_length


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Public parameters of a session.

    Attributes:
        key_length: bits of the final key.
        measure_only: estimate the error rate and stop.
        sample_bits: sifted bits to compare, where the sample is random.
        by_basis: the rectilinear basis makes the key, the diagonal one is compared, whole.
        intensities: mean photon numbers of the pulses, strongest first; empty for single photons.
        intensity_probabilities: with which Alice picks them.
        epsilon_sec: secrecy.
        epsilon_cor: correctness.
        epsilon_auth: probability that a changed transcript passes.
        frame_bits: longest frame of the reconciliation.
        low_latency: reconcile with fewer round trips and a few more disclosed parities.
    """

    key_length: int
    measure_only: bool
    sample_bits: int
    by_basis: bool
    intensities: tuple[float, ...]
    intensity_probabilities: tuple[float, ...]
    epsilon_sec: float
    epsilon_cor: float
    epsilon_auth: float
    frame_bits: int = reconciliation.DEFAULT_FRAME_BITS
    low_latency: bool = False

    @property
    def authentication_bits(self) -> int:
        """Bits of the yield that replace the authentication key used up."""
        return authentication.consumption(self.epsilon_auth)

    @property
    def extracted_length(self) -> int:
        """Secret bits to extract: the key, and the next session's authentication key."""
        return self.key_length + self.authentication_bits


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The statistics that both parties know once bits are compared.

    Attributes:
        key_bits: sifted bits kept for the key.
        compared: errors per basis of the compared bits.
        decoys: clicks and errors per intensity, strongest first; empty for single photons.
    """

    key_bits: int
    compared: BasisCounts
    decoys: tuple[DecoyCounts, ...] = ()

    def length(
        self, agreement: Agreement, *, leaked_bits: int, verification_bits: int, discarded_bits: int = 0
    ) -> int:
        """Return the secret bits that the finite-key bound leaves; ``discarded_bits`` of ``key_bits`` failed verification."""
        costs = {
            "leaked_bits": leaked_bits,
            "verification_bits": verification_bits,
            "discarded_bits": discarded_bits,
            "epsilon_sec": agreement.epsilon_sec,
            "epsilon_cor": agreement.epsilon_cor,
        }
        if self.decoys:
            return lim2014_length(self.decoys, **costs)  # type: ignore[arg-type] # counts are integers
        return tomamichel2012_length(
            key_bits=self.key_bits - discarded_bits,
            sample_bits=self.compared.total,
            qber=self.compared.qber,
            **costs,  # type: ignore[arg-type] # counts are integers
        )

    def best_length(self, agreement: Agreement) -> int:
        """Return the secret bits that a perfect code, which discloses the Shannon limit, would leave."""
        limit = math.ceil(self.key_bits * binary_entropy(min(0.5, self.compared.qber)))
        return self.length(agreement, leaked_bits=limit, verification_bits=0)
