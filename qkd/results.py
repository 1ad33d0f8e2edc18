"""Results of a session."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

import numpy as np

from qkd.bits import Bits
from qkd.channel import Channel
from qkd.estimation import BasisCounts, Interval
from qkd.finite_key import DecoyCounts
from qkd.planning import Plan


class AbortCode(StrEnum):
    """Why a session gave no key, for machines."""

    INFEASIBLE = "infeasible"
    NO_DETECTIONS = "no_detections"
    QBER_ABOVE_BOUND = "qber_above_bound"
    SINGLE_PHOTONS_MISSING = "single_photons_missing"
    VERIFICATION_FAILED = "verification_failed"
    KEY_LENGTH_NOT_REACHED = "key_length_not_reached"
    AUTHENTICATION_FAILED = "authentication_failed"


@dataclass(frozen=True)
class Abort:
    """Why a session gave no key: a code for machines and a sentence for people."""

    code: AbortCode
    reason: str

    def __str__(self) -> str:
        """Return the sentence."""
        return self.reason


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class SessionResult:
    """The outcome of a session and the account of every bit, without bases and raw bits.

    Attributes:
        key: the final key, ``uint8`` 0/1, shape (final_length,), or None; Alice's, equal to Bob's up to epsilon_cor.
        bob_key: Bob's, for studies of a simulation that knows both.
        aborted: None, or why there is no key.
        secret: made from the operating system's CSPRNG, not from a seed.
        plan: what was planned.
        key_length: bits that were asked for.
        attack: kind and parameters of the eavesdropper.
        channel: name of the channel.
        raw_length: pulses sent.
        detected_length: clicks.
        sifted_length: clicks in a common basis.
        sampled_length: sifted bits compared and discarded.
        leaked_bits: parities disclosed by reconciliation.
        verification_bits: tag bits disclosed.
        authentication_bits: authentication key used up. With a key it was made good out of the yield; a session that
            failed when its transcript was compared has lost it.
        corrected_length: bits reconciled and verified; 0 if it did not come to that.
        discarded_length: bits of frames that failed verification.
        bound_length: secret bits that the finite-key bound allows; 0 if it did not come to that.
        final_length: bits of the key: ``key_length``, more of them with a variable length, or 0.
        qber: error rate of the compared bits.
        qber_interval: its Clopper-Pearson interval; None where nothing was compared.
        confidence: of that interval.
        compared: errors per basis of the compared bits.
        corrected: errors per basis of the corrected bits, known once they are verified.
        decoys: clicks and errors per intensity, strongest first; empty for single photons.
        key_errors: errors of the corrected bits by intensity, where there are two.
        round_trips: questions answered on the classical channel.
        traffic_bits: bits of information that crossed it, both ways.
        epsilon_sec: secrecy.
        epsilon_cor: correctness.
        epsilon_auth: authentication.
        eve_known_bits: sifted bits that Eve knows for certain; the simulator knows, the parties do not.
        eve_guess_rate: part of the sifted bits that her best guess gets right.
        eve_information_bits: her information on the sifted bits, in bits.
        kernel: that reconciled; empty if it did not come to that.
        families: which reconciliation, verification, amplification and bound.
        duration_seconds: wall-clock time of the run.
    """

    key: Bits | None
    bob_key: Bits | None
    aborted: Abort | None
    secret: bool
    plan: Plan
    key_length: int
    attack: Mapping[str, str | float]
    channel: str
    raw_length: int
    detected_length: int
    sifted_length: int
    sampled_length: int
    leaked_bits: int
    verification_bits: int
    authentication_bits: int
    corrected_length: int
    discarded_length: int
    bound_length: int
    final_length: int
    qber: float
    qber_interval: Interval | None
    confidence: float
    compared: BasisCounts
    corrected: BasisCounts
    decoys: tuple[DecoyCounts, ...]
    key_errors: tuple[int, ...]
    round_trips: int
    traffic_bits: int
    epsilon_sec: float
    epsilon_cor: float
    epsilon_auth: float
    eve_known_bits: int
    eve_guess_rate: float
    eve_information_bits: float
    kernel: str
    families: Mapping[str, str]
    duration_seconds: float

    @property
    def key_bytes(self) -> bytes | None:
        """The key as bytes, most significant bit first, zero bits appended up to a whole byte; None without a key."""
        return None if self.key is None else np.packbits(self.key).tobytes()

    @property
    def epsilon_total(self) -> float:
        """By how much the session can be told from a perfect one: secrecy, correctness and authentication together.

        Failures add up (Portmann & Renner, Rev. Mod. Phys. 94, 025008 (2022), section III). Under one hash key, which
        every session uses again, those of all sessions do: n sessions stand for n times as much (Portmann 2014).
        """
        return self.epsilon_sec + self.epsilon_cor + self.epsilon_auth

    def same_key(self, other: "SessionResult") -> bool:
        """Return whether both hold the same key; compared in constant time."""
        mine, theirs = self.key_bytes, other.key_bytes
        return mine is not None and theirs is not None and secrets.compare_digest(mine, theirs)

    def ledger(self) -> dict[str, object]:
        """Return everything but the key, in plain types, ready for JSON."""
        low_high = None if self.qber_interval is None else [self.qber_interval.low, self.qber_interval.high]
        return {
            "key_length": self.key_length,
            "aborted": None if self.aborted is None else self.aborted.code.value,
            "aborted_reason": None if self.aborted is None else self.aborted.reason,
            "secret": self.secret,
            "attack": dict(self.attack),
            "channel": self.channel,
            "lengths": self.lengths(),
            "qber": self.qber,
            "qber_interval": low_high,
            "confidence": self.confidence,
            "expected_qber": self.plan.expected_qber,
            "link": link_of(self.plan.channel),
            "compared": _counts(self.compared),
            "corrected": _counts(self.corrected),
            "decoys": [asdict(count) for count in self.decoys],
            "key_errors": list(self.key_errors),
            "round_trips": self.round_trips,
            "traffic_bits": self.traffic_bits,
            "epsilon_sec": self.epsilon_sec,
            "epsilon_cor": self.epsilon_cor,
            "epsilon_auth": self.epsilon_auth,
            "epsilon_total": self.epsilon_total,
            "eve_known_bits": self.eve_known_bits,
            "eve_guess_rate": self.eve_guess_rate,
            "eve_information_bits": self.eve_information_bits,
            "kernel": self.kernel,
            "families": dict(self.families),
            "duration_seconds": self.duration_seconds,
        }

    def lengths(self) -> dict[str, int]:
        """Return where the bits went: raw > detected > sifted = sampled + kept, and what the key cost of the kept."""
        return {
            "raw": self.raw_length,
            "detected": self.detected_length,
            "sifted": self.sifted_length,
            "sampled": self.sampled_length,
            "kept": self.sifted_length - self.sampled_length,
            "leaked": self.leaked_bits,
            "verification": self.verification_bits,
            "discarded": self.discarded_length,
            "corrected": self.corrected_length,
            "bound": self.bound_length,
            "authentication": self.authentication_bits,
            "final": self.final_length,
        }

    def __repr__(self) -> str:
        """Return lengths and outcome; never key material."""
        outcome = f"aborted={self.aborted.code.value}" if self.aborted else f"key of {self.final_length} bits"
        return f"SessionResult({outcome}, qber={self.qber:.4f}, sifted={self.sifted_length}, secret={self.secret})"


def _counts(counts: BasisCounts) -> dict[str, int]:
    return {
        "n_rect": counts.n_rect,
        "errors_rect": counts.errors_rect,
        "n_diag": counts.n_diag,
        "errors_diag": counts.errors_diag,
    }


def link_of(channel: Channel) -> dict[str, object]:
    """Return what the judge needs of the link, as it can be made again from."""
    return {
        "detector_efficiency": channel.transmittance,
        "dark_count_probability": channel.dark_count_probability,
        "misalignment": channel.misalignment,
        "rectilinear_probability": channel.rectilinear_probability,
        "after_pulse_probability": channel.after_pulse_probability,
        "intensities": list(channel.intensities),
        "intensity_probabilities": list(channel.intensity_probabilities),
        "dead_time_pulses": channel.dead_time_pulses,
        "double_clicks": channel.double_clicks,
    }
