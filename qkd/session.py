"""A BB84 session from the first photon to the final key.

``plan`` says how many pulses the wanted key takes; ``run`` sends them, sifts, estimates, reconciles, verifies and
amplifies, and gives exactly the wanted key or none, with the reason. Both parties and the world are simulated in
one process; the classical channel is taken to be authenticated.
"""

import math
import time

import numpy as np

from qkd import amplification, planning, reconciliation, verification
from qkd.bb84 import transmit
from qkd.bits import Bits
from qkd.classical import ClassicalChannel, Purpose
from qkd.estimation import BasisCounts, choose_sample, count_errors, qber_interval
from qkd.finite_key import binary_entropy, tomamichel2012_length
from qkd.planning import Plan
from qkd.randomness import Randomness
from qkd.reconciliation import ReconciliationResult
from qkd.records import Abort, AbortCode, SessionParameters, SessionResult

__all__ = ["Abort", "AbortCode", "Plan", "SessionParameters", "SessionResult", "plan", "run"]

FAMILIES = {
    "source": "single-photon",
    "bound": "tomamichel2012",
    "reconciliation": reconciliation.FAMILY,
    "verification": verification.FAMILY,
    "amplification": amplification.FAMILY,
}
"""Names of the methods, recorded with every session."""


def plan(parameters: SessionParameters) -> Plan:
    """Pulses and sample for the wanted key over the channel as it is without Eve, or why there can be none."""
    return planning.plan(
        key_length=parameters.key_length,
        channel=parameters.link,
        epsilon_sec=parameters.epsilon_sec,
        epsilon_cor=parameters.epsilon_cor,
        verification_bits=verification.tag_length(planning.MAX_SIFTED_BITS, parameters.epsilon_cor),
        sample_fraction=parameters.sample_fraction,
    )


def run(parameters: SessionParameters) -> SessionResult:
    """Run a session.

    An infeasible session is run too, on a small block: its error rate is measured, and it ends without a key.
    """
    started = time.perf_counter()
    session = _Session(parameters)
    abort = session.estimate() or session.reconcile() or session.amplify()
    return session.result(abort, time.perf_counter() - started)


class _Session:
    """A session in progress. Each step gives the reason for which the session ends there, or None."""

    def __init__(self, parameters: SessionParameters) -> None:
        self.parameters = parameters
        self.plan = plan(parameters)
        self.randomness = Randomness(parameters.seed)
        self.classical = ClassicalChannel()
        self.sifted = transmit(self.plan.pulses, parameters.link, parameters.attack, self.randomness)
        self.kept = np.ones(self.sifted.bases.size, np.bool_)
        self.compared = self.corrected = BasisCounts()
        self.reconciled: ReconciliationResult | None = None
        self.bound = 0
        self.key: Bits | None = None

    def estimate(self) -> Abort | None:
        """Compare a sample, and stop where it leaves nothing even for a perfect code."""
        bases = self.sifted.bases
        if bases.size < 2:
            return Abort(
                AbortCode.NO_DETECTIONS, f"{self.plan.pulses:,} pulses gave fewer than two sifted bits"
            )
        sample = choose_sample(
            bases,
            min(self.plan.sample_bits, bases.size - 1),
            by_basis=self.parameters.link.rectilinear_probability != 0.5,
            rng=np.random.default_rng(self.randomness.integer(256)),
        )
        self.kept = ~sample
        disclosed = self.classical.answer(Purpose.SAMPLE, self.sifted.alice[sample])
        self.compared = count_errors(disclosed, self.sifted.bob[sample], bases[sample])
        if not self.plan.feasible:
            return Abort(AbortCode.INFEASIBLE, self.plan.reason or "no key can be reached")
        kept = int(np.count_nonzero(self.kept))
        shannon_limit = math.ceil(kept * binary_entropy(min(0.5, self.compared.qber)))
        if self._bound(leaked_bits=shannon_limit, verification_bits=0) == 0:
            return Abort(
                AbortCode.QBER_ABOVE_BOUND,
                f"the QBER of {self.compared.qber:.2%} ({self.compared.errors:,} of {self.compared.total:,} "
                f"compared bits) leaves no secret bit in {kept:,} bits",
            )
        return None

    def reconcile(self) -> Abort | None:
        """Correct Bob's bits and verify them."""
        alice, bob, bases = (
            part[self.kept] for part in (self.sifted.alice, self.sifted.bob, self.sifted.bases)
        )
        tag_bits = verification.tag_length(alice.size, self.parameters.epsilon_cor)
        self.reconciled = reconciliation.reconcile(
            alice,
            bob,
            min(0.5, self.compared.qber),
            seed=self.randomness.integer(128),
            epsilon_cor=self.parameters.epsilon_cor,
            verification_key=self.randomness.token(verification.key_size(tag_bits)),
            channel=self.classical,
        )
        if not self.reconciled.verified:
            return Abort(
                AbortCode.VERIFICATION_FAILED, "errors remained after reconciliation; the block is discarded"
            )
        self.corrected = count_errors(self.reconciled.bits, bob, bases)
        return None

    def amplify(self) -> Abort | None:
        """Shorten to the wanted length, if the bound allows it."""
        wanted = self.parameters.key_length
        self.bound = self._bound(
            leaked_bits=self.classical.disclosed[Purpose.PARITY],
            verification_bits=self.classical.disclosed[Purpose.VERIFICATION],
        )
        if self.bound < wanted:
            return Abort(
                AbortCode.KEY_LENGTH_NOT_REACHED,
                f"the QBER of {self.compared.qber:.2%} and {self.classical.disclosed[Purpose.PARITY]:,} leaked "
                f"bits leave {self.bound:,} secret bits of the {wanted:,} wanted",
            )
        alice = self.sifted.alice[self.kept]
        seed = self.randomness.token(amplification.seed_size(alice.size, wanted))
        self.key = amplification.amplify(alice, wanted, seed=seed)
        return None

    def _bound(self, *, leaked_bits: int, verification_bits: int) -> int:
        return tomamichel2012_length(
            key_bits=int(np.count_nonzero(self.kept)),
            sample_bits=self.compared.total,
            qber=self.compared.qber,
            leaked_bits=leaked_bits,
            epsilon_sec=self.parameters.epsilon_sec,
            epsilon_cor=self.parameters.epsilon_cor,
            verification_bits=verification_bits,
        )

    def result(self, abort: Abort | None, duration_seconds: float) -> SessionResult:
        """What is kept of the session."""
        parameters, compared, confidence = self.parameters, self.compared, self.parameters.confidence
        interval = (
            qber_interval(compared.errors, compared.total, confidence=confidence) if compared.total else None
        )
        return SessionResult(
            key=self.key,
            aborted=abort,
            secret=self.randomness.secret,
            plan=self.plan,
            key_length=parameters.key_length,
            attack=parameters.attack.describe(),
            channel=parameters.link.name,
            raw_length=self.sifted.pulses,
            detected_length=self.sifted.detected,
            sifted_length=self.sifted.bases.size,
            sampled_length=compared.total,
            leaked_bits=self.classical.disclosed[Purpose.PARITY],
            verification_bits=self.classical.disclosed[Purpose.VERIFICATION],
            corrected_length=self.corrected.total,
            bound_length=self.bound,
            final_length=0 if self.key is None else self.key.size,
            qber=compared.qber,
            qber_interval=interval,
            confidence=confidence,
            compared=compared,
            corrected=self.corrected,
            round_trips=self.classical.round_trips,
            epsilon_sec=parameters.epsilon_sec,
            epsilon_cor=parameters.epsilon_cor,
            eve_known_bits=self.sifted.eve_known,
            families=dict(FAMILIES),
            duration_seconds=duration_seconds,
        )
