"""A BB84 session from the first photon to the final key.

``plan`` says how many pulses the wanted key takes; ``run`` sends them, and lets Alice and Bob (``qkd.parties``)
sift, estimate, reconcile, verify, amplify and authenticate over a classical channel that counts what crosses it.
It gives exactly the wanted key or none, with the reason.
"""

import time
from collections.abc import Callable

from qkd import amplification, eve, planning, reconciliation, universal, verification, worst_case
from qkd.agreement import Agreement, Evidence
from qkd.authentication import AuthenticationKey, consumption
from qkd.bb84 import transmit
from qkd.channel import Channel
from qkd.classical import LocalChannel, Message, ProtocolError, Purpose
from qkd.estimation import qber_interval
from qkd.parties import Alice, Bob
from qkd.planning import Plan
from qkd.randomness import Randomness
from qkd.records import SessionParameters
from qkd.results import Abort, AbortCode, SessionResult

__all__ = ["Abort", "AbortCode", "Plan", "SessionParameters", "SessionResult", "plan", "run"]

FAMILIES = {
    "source": "single-photon",
    "bound": "tomamichel2012-exact-tails",
    "reconciliation": reconciliation.FAMILY,
    "verification": verification.FAMILY,
    "amplification": amplification.FAMILY,
    "authentication": "wegman-carter",
}
"""Names of the methods, recorded with every session; with weak pulses source and bound are others."""

_SOURCE_FAMILIES: dict[int, dict[str, str]] = {
    0: {},
    1: {"source": "entangled-pairs"},
    2: {"source": "weak-coherent-one-decoy", "bound": "rusca2018-exact-tails"},
    3: {"source": "weak-coherent-decoy", "bound": "lim2014-exact-tails"},
}

# Fewer single photons than this part of what the link explains are not bad luck: five deviations are planned for.
_MISSING = 0.5


def _kind_of_source(link: Channel) -> int:
    return 1 if link.entangled else len(link.intensities)


def _go_on() -> None:
    """Let a session run to its end."""


def plan(parameters: SessionParameters) -> Plan:
    """Plan pulses and sample for the wanted key over the channel without Eve, or say why there can be no key."""
    return planning.plan(
        key_length=parameters.key_length,
        channel=parameters.link,
        epsilon_sec=parameters.epsilon_sec,
        epsilon_cor=parameters.epsilon_cor,
        verification_bits=universal.tag_length(worst_case.MAX_SIFTED_BITS, parameters.epsilon_cor),
        authentication_bits=consumption(parameters.epsilon_auth),
        sample_fraction=parameters.sample_fraction,
        optimise=parameters.optimise,
    )


def run(parameters: SessionParameters, *, check: Callable[[], object] = _go_on) -> SessionResult:
    """Run a session.

    An infeasible session is run too, on a small block: its error rate is measured, and it ends without a key.

    Args:
        parameters: what is asked for.
        check: called before each block of pulses and each exchange; what it raises ends the session.
    """
    started = time.perf_counter()
    session = _Session(parameters, check)
    try:
        abort = session.estimate() or session.reconcile() or session.amplify()
    except ProtocolError as error:
        abort = Abort(AbortCode.AUTHENTICATION_FAILED, str(error))
    return session.result(abort, time.perf_counter() - started)


def _checked(
    answer: Callable[[Message], Message], check: Callable[[], object]
) -> Callable[[Message], Message]:
    def answered(question: Message) -> Message:
        check()
        return answer(question)

    return answered


def agree(parameters: SessionParameters, planned: Plan) -> Agreement:
    """Return what Alice and Bob agree on for a session."""
    link = planned.channel
    return Agreement(
        key_length=parameters.key_length,
        measure_only=not planned.feasible,
        sample_bits=planned.sample_bits,
        by_basis=link.compares_a_basis,
        intensities=tuple(link.intensities),
        intensity_probabilities=tuple(link.intensity_probabilities),
        epsilon_sec=parameters.epsilon_sec,
        epsilon_cor=parameters.epsilon_cor,
        epsilon_auth=parameters.epsilon_auth,
        frame_bits=parameters.frame_bits,
        low_latency=_low_latency(parameters, planned),
        variable_length=parameters.variable_length,
        devices=worst_case.devices_of(link, planned.pulses),
    )


def _low_latency(parameters: SessionParameters, planned: Plan) -> bool:
    """Return what was asked for, or what takes less time: numpy corrects a frame in fewer, larger steps."""
    if parameters.low_latency is not None:
        return parameters.low_latency
    return reconciliation.kernel_name(parameters.kernel, planned.expected_sifted) == "numpy"


class _Session:
    """A session in progress. Each step gives the reason for which the session ends there, or None."""

    def __init__(self, parameters: SessionParameters, check: Callable[[], object]) -> None:
        self.parameters = parameters
        self.plan = plan(parameters)
        self.link = self.plan.channel
        self.randomness = Randomness(parameters.seed)
        self.agreement = agree(parameters, self.plan)
        self.transmission = transmit(
            self.plan.pulses, self.link, parameters.eavesdropper, self.randomness, check=check
        )
        self.shared = AuthenticationKey.draw(parameters.epsilon_auth, self.randomness)
        self.alice = Alice(self.transmission.alice, self.agreement, self.shared)
        self.classical = LocalChannel(_checked(self.alice.answer, check))
        self.bob = Bob(
            self.transmission.bob,
            self.agreement,
            self.shared.twin(),
            self.classical,
            self.randomness,
            kernel=parameters.kernel,
        )

    def estimate(self) -> Abort | None:
        """Compare a sample, and stop where it leaves nothing even for a perfect code."""
        self.bob.agree()
        self.bob.sift()
        if self.bob.state.sifted_length < 2:
            return Abort(
                AbortCode.NO_DETECTIONS, f"{self.plan.pulses:,} pulses gave fewer than two sifted bits"
            )
        evidence = self.bob.estimate()
        if not self.plan.feasible:
            return Abort(AbortCode.INFEASIBLE, self.plan.reason or "no key can be reached")
        if evidence.best_length(self.agreement) == 0:
            return self._nothing_left(evidence)
        return None

    def _nothing_left(self, evidence: Evidence) -> Abort:
        if evidence.decoys:
            single = evidence.single_photons(self.agreement).single
            explained = worst_case.expected_single_photons(
                self.link, self.plan.pulses, self.agreement.epsilon_sec
            )
            if single < _MISSING * explained:
                return Abort(
                    AbortCode.SINGLE_PHOTONS_MISSING,
                    f"the decoy states show at least {single:,.0f} single-photon clicks where the link explains "
                    f"{explained:,.0f}: the bits may come from split multi-photon pulses",
                )
        compared = evidence.compared
        return Abort(
            AbortCode.QBER_ABOVE_BOUND,
            f"the QBER of {compared.qber:.2%} ({compared.errors:,} of {compared.total:,} "
            f"compared bits) leaves no secret bit in {evidence.key_bits:,} bits",
        )

    def reconcile(self) -> Abort | None:
        """Correct Bob's bits and verify them."""
        if not self.bob.reconcile().verified_frames.any():
            return Abort(
                AbortCode.VERIFICATION_FAILED, "errors remained after reconciliation; the block is discarded"
            )
        return None

    def amplify(self) -> Abort | None:
        """Extract the wanted length, or all there is, if the bound allows it; authenticate what led to it."""
        state, wanted = self.bob.state, self.agreement.key_length
        if state.bound < self.agreement.least_length:
            return Abort(
                AbortCode.KEY_LENGTH_NOT_REACHED,
                f"the QBER of {state.compared.qber:.2%} and {self.classical.disclosed[Purpose.PARITY]:,} leaked "
                f"bits leave {state.bound:,} secret bits of the {wanted:,} wanted and the "
                f"{self.agreement.authentication_bits:,} that authentication takes",
            )
        self.bob.amplify()
        self.bob.confirm()
        return None

    def result(self, abort: Abort | None, duration_seconds: float) -> SessionResult:
        """Return the result, which keeps no raw bit."""
        parameters, state, disclosed = self.parameters, self.bob.state, self.classical.disclosed
        compared, confidence = state.compared, parameters.confidence
        interval = (
            qber_interval(compared.errors, compared.total, confidence=confidence) if compared.total else None
        )
        # Alice's key: Bob's is the same up to epsilon_cor.
        key = self.alice.secrets.key if self.alice.secrets is not None and state.authenticated else None
        knowledge = eve.knowledge(self.transmission)
        return SessionResult(
            key=key,
            bob_key=state.secrets.key if state.secrets is not None else None,
            aborted=abort,
            secret=self.randomness.secret,
            plan=self.plan,
            key_length=parameters.key_length,
            attack=parameters.eavesdropper.describe(),
            channel=self.link.name,
            raw_length=self.transmission.pulses,
            detected_length=self.transmission.detected,
            sifted_length=state.sifted_length,
            sampled_length=compared.total,
            leaked_bits=disclosed[Purpose.PARITY],
            verification_bits=disclosed[Purpose.VERIFICATION],
            authentication_bits=self.shared.pad.spent,
            corrected_length=state.corrected.total,
            discarded_length=state.discarded_bits,
            bound_length=state.bound,
            final_length=0 if key is None else key.size,
            qber=compared.qber,
            qber_interval=interval,
            confidence=confidence,
            compared=compared,
            corrected=state.corrected,
            decoys=state.evidence.decoys if state.evidence is not None else (),
            key_errors=state.key_errors,
            round_trips=self.classical.round_trips,
            traffic_bits=self.classical.traffic,
            epsilon_sec=parameters.epsilon_sec,
            epsilon_cor=parameters.epsilon_cor,
            epsilon_auth=parameters.epsilon_auth,
            eve_known_bits=knowledge.known_bits,
            eve_guess_rate=knowledge.guess_rate,
            eve_information_bits=knowledge.information_bits,
            kernel=state.reconciled.kernel if state.reconciled is not None else "",
            families=FAMILIES | _SOURCE_FAMILIES[_kind_of_source(self.link)],
            duration_seconds=duration_seconds,
        )
