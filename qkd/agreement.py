"""What Alice and Bob agree on before a session, and the statistics that both know. Nothing here is secret."""

import hashlib
import json
import math
import struct
from dataclasses import asdict, dataclass

from qkd import authentication, reconciliation
from qkd.classical import ProtocolError
from qkd.estimation import BasisCounts
from qkd.finite_key import (
    IDEAL,
    DecoyCounts,
    Devices,
    OneDecoyCounts,
    SinglePhotons,
    binary_entropy,
    lim2014_bounds,
    lim2014_length,
    rusca2018_bounds,
    rusca2018_length,
    single_photon_length,
)
from qkd.vocabulary import MAX_KEY_LENGTH

PROTOCOL_VERSION = 3
"""Of the messages between Alice and Bob and of what each does with them."""

ANNOUNCEMENT = struct.Struct(">H32s")
"""First message of each side: protocol version, SHA-256 of the agreement."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Public parameters of a session.

    Attributes:
        key_length: bits of the final key; the fewest where ``variable_length``.
        variable_length: the final key takes all that the bound gives, up to the longest key.
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
        devices: imperfections for which the key is bounded.
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
    variable_length: bool = False
    devices: Devices = IDEAL

    @property
    def authentication_bits(self) -> int:
        """Bits of the yield that replace the authentication key used up."""
        return authentication.consumption(self.epsilon_auth)

    @property
    def counts_key_errors(self) -> bool:
        """Return whether the bound takes the errors of the key bits, too: with a single decoy."""
        return len(self.intensities) == 2

    @property
    def least_length(self) -> int:
        """Secret bits without which there is no key: the key, and the next session's authentication key."""
        return self.key_length + self.authentication_bits

    def extracted_length(self, bound: int) -> int:
        """Return the secret bits to extract where the bound allows so many, at least ``least_length``.

        No key is longer than the longest that may be asked for, so that whoever keeps keys knows how much room they take.
        """
        longest = MAX_KEY_LENGTH + self.authentication_bits
        return min(bound, longest) if self.variable_length else self.least_length

    def announcement(self) -> bytes:
        """Return version and digest of everything agreed: with another value of any parameter it is another one."""
        values = {name: _exact(value) for name, value in asdict(self).items()}
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).digest()
        return ANNOUNCEMENT.pack(PROTOCOL_VERSION, digest)

    def check(self, announced: bytes) -> None:
        """Check the other side's announcement.

        Raises:
            ProtocolError: it speaks another version of the protocol, or agreed to other parameters.
        """
        version, _ = ANNOUNCEMENT.unpack(announced)
        if version != PROTOCOL_VERSION:
            raise ProtocolError(
                f"the other side speaks version {version} of the protocol, this one {PROTOCOL_VERSION}"
            )
        if announced != self.announcement():
            raise ProtocolError("the two sides agreed to different parameters of the session")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The statistics that both parties know once bits are compared.

    Attributes:
        key_bits: sifted bits kept for the key.
        compared: errors per basis of the compared bits.
        decoys: clicks and errors per intensity, strongest first; empty for single photons.
        key_errors: errors of the key bits by intensity, of two, once they are corrected; those of frames that failed
            verification are all among them.
    """

    key_bits: int
    compared: BasisCounts
    decoys: tuple[DecoyCounts, ...] = ()
    key_errors: tuple[int, ...] = ()

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
            "devices": agreement.devices,
        }
        if len(self.decoys) == 2:
            return rusca2018_length(self.one_decoy, **costs)  # type: ignore[arg-type] # counts are integers
        if self.decoys:
            return lim2014_length(self.decoys, **costs)  # type: ignore[arg-type] # counts are integers
        return single_photon_length(
            key_bits=self.key_bits - discarded_bits,
            sample_bits=self.compared.total,
            errors=self.compared.errors,
            **costs,  # type: ignore[arg-type] # counts are integers
        )

    @property
    def one_decoy(self) -> tuple[OneDecoyCounts, ...]:
        """Counts of two intensities; before the key bits are corrected, as many are taken to be wrong as of the others."""
        guessed = [count.key_clicks * count.test_errors // max(1, count.test_clicks) for count in self.decoys]
        return tuple(
            OneDecoyCounts(**asdict(count), key_errors=errors)
            for count, errors in zip(self.decoys, self.key_errors or guessed, strict=True)
        )

    def single_photons(self, agreement: Agreement) -> SinglePhotons:
        """Return what the decoys tell of the clicks of single photons; there must be decoys."""
        epsilon, devices = agreement.epsilon_sec, agreement.devices
        if len(self.decoys) == 2:
            return rusca2018_bounds(self.one_decoy, epsilon_sec=epsilon, devices=devices)
        return lim2014_bounds(self.decoys, epsilon_sec=epsilon, devices=devices)

    def best_length(self, agreement: Agreement) -> int:
        """Return the secret bits that a perfect code, which discloses the Shannon limit, would leave."""
        limit = math.ceil(self.key_bits * binary_entropy(min(0.5, self.compared.qber)))
        return self.length(agreement, leaked_bits=limit, verification_bits=0)


def _exact(value: object) -> object:
    """Return a value as JSON shows it without rounding; a whole number counts as the same number with a point."""
    if isinstance(value, dict):
        return {name: _exact(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_exact(float(item)) for item in value]
    return value.hex() if isinstance(value, float) else value
