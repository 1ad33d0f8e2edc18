"""Alice and Bob after the quantum phase: two objects that share nothing but the classical channel.

Bob asks and Alice answers (``qkd.classical``); what each holds of the other's bits came over that channel. They may
share a process or be two processes at the ends of a socket. Both work out every public decision by themselves from
their own counts, so that neither has to believe the other.
"""

import struct
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkd import amplification, verification
from qkd.agreement import Agreement, Evidence
from qkd.authentication import AuthenticationKey, Transcript, same
from qkd.bb84 import DIAGONAL, AliceRecord, BobRecord, sift
from qkd.bits import Bits
from qkd.classical import ClassicalChannel, Kind, Message, ProtocolError
from qkd.estimation import BasisCounts, choose_sample, count_errors
from qkd.finite_key import DecoyCounts
from qkd.randomness import Randomness
from qkd.reconciliation import AliceReconciliation, Frames, ReconciliationResult, reconcile_as_bob

_COUNTS = struct.Struct("<5Q")  # errors: rectilinear, diagonal; diagonal by intensity
_SEED_BYTES = 32


@dataclass(frozen=True, repr=False)
class _Sifted:
    """What both know of the sifted bits, and one party's bits. Each array has shape (sifted,)."""

    bits: Bits
    bases: Bits
    intensities: Bits

    def sampled(self, agreement: Agreement, seed: bytes) -> NDArray[np.bool_]:
        """Which of them are compared."""
        return choose_sample(
            self.bases,
            min(agreement.sample_bits, max(0, self.bases.size - 1)),
            by_basis=agreement.by_basis,
            rng=np.random.default_rng(int.from_bytes(seed, "little")),
        )

    def evidence(
        self, agreement: Agreement, sample: NDArray[np.bool_], compared: BasisCounts, errors: list[int]
    ) -> Evidence:
        """The statistics, given the errors of the compared diagonal bits by intensity."""
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


def _extract(bits: Bits, agreement: Agreement, seed: bytes) -> Secrets:
    extracted = amplification.amplify(bits, agreement.extracted_length, seed=seed)
    return Secrets(extracted[: agreement.key_length], extracted[agreement.key_length :])


class Alice:
    """Alice: answers Bob's questions in the order of the protocol, and no others.

    Args:
        record: her notes of the pulses that clicked.
        agreement: public parameters.
        authentication: key shared with Bob.

    Attributes:
        secrets: hers, once Bob's tag of the transcript was right; None before, and for good where it was not.
    """

    def __init__(self, record: AliceRecord, agreement: Agreement, authentication: AuthenticationKey) -> None:
        """Wait for Bob's first question."""
        self.secrets: Secrets | None = None
        self._record = record
        self._agreement = agreement
        self._transcript = Transcript(authentication)
        self._expected = {Kind.SIFT}
        self._sifted: _Sifted | None = None
        self._sample: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._evidence: Evidence | None = None
        self._reconciliation: AliceReconciliation | None = None
        self._unauthenticated: Secrets | None = None

    def answer(self, question: Message) -> Message:
        """Answer one question.

        Raises:
            ProtocolError: a question that is malformed or not its turn.
        """
        if question.kind not in self._expected:
            raise ProtocolError(f"{question.kind.name} is not the next question of the protocol")
        if question.kind is Kind.AUTHENTICATE:
            return self._authenticate(question)
        self._transcript.add(question)
        match question.kind:
            case Kind.SIFT:
                answer = self._sift(question)
            case Kind.SAMPLE:
                answer = self._disclose_sample(question.body)
            case Kind.COUNTS:
                answer = self._take_counts(question.body)
            case Kind.AMPLIFY:
                answer = self._amplify(question.body)
            case _:
                answer = self._reconcile(question)
        self._transcript.add(answer)
        return answer

    def _sift(self, question: Message) -> Message:
        record = self._record
        if question.bits != record.bases.size:
            raise ProtocolError(f"Bob has {question.bits} clicks where Alice has {record.bases.size}")
        kept = sift(record.bases, question.to_bits())
        self._sifted = _Sifted(record.bits[kept], record.bases[kept], record.intensities[kept])
        self._expected = {Kind.SAMPLE}
        answer = kept.astype(np.uint8)
        if self._agreement.intensities:
            two_bits = np.unpackbits(self._sifted.intensities[:, None], axis=1)[:, 6:]
            answer = np.concatenate((answer, two_bits.reshape(-1)))
        return Message.of_bits(Kind.SIFT, answer)

    def _disclose_sample(self, seed: bytes) -> Message:
        if self._sifted is None or len(seed) != _SEED_BYTES:
            raise ProtocolError("the sample takes sifted bits and a seed")
        self._sample = self._sifted.sampled(self._agreement, seed)
        self._expected = {Kind.COUNTS}
        return Message.of_bits(Kind.SAMPLE, self._sifted.bits[self._sample])

    def _take_counts(self, body: bytes) -> Message:
        if self._sifted is None or len(body) != _COUNTS.size:
            raise ProtocolError("the counts of errors are malformed")
        errors_rect, errors_diag, *by_intensity = _COUNTS.unpack(body)
        diagonal = int(np.count_nonzero(self._sifted.bases[self._sample] == DIAGONAL))
        total = int(np.count_nonzero(self._sample))
        try:
            compared = BasisCounts(total - diagonal, errors_rect, diagonal, errors_diag)
        except ValueError as error:
            raise ProtocolError(f"the counts of errors are impossible: {error}") from None
        self._evidence = self._sifted.evidence(self._agreement, self._sample, compared, by_intensity)
        self._expected = set()
        bits = self._sifted.bits[~self._sample]
        if not self._agreement.measure_only and bits.size and self._evidence.best_length(self._agreement):
            self._reconciliation = AliceReconciliation(
                bits, frame_bits=self._agreement.frame_bits, epsilon_cor=self._agreement.epsilon_cor
            )
            self._expected = {Kind.BATCH}
        return Message.of_bytes(Kind.COUNTS)

    def _reconcile(self, question: Message) -> Message:
        if self._reconciliation is None:
            raise ProtocolError("nothing is to be reconciled")
        answer = self._reconciliation.answer(question)
        questions = {Kind.BATCH, Kind.PASS, Kind.SUBSETS, Kind.BLOCKS, Kind.PARTS, Kind.TAGS}
        self._expected = {Kind.AMPLIFY} if question.kind is Kind.TAGS else questions
        return answer

    def _amplify(self, body: bytes) -> Message:
        reconciliation, evidence, sifted = self._reconciliation, self._evidence, self._sifted
        if reconciliation is None or evidence is None or sifted is None:
            raise ProtocolError("nothing is to be amplified")
        frames = reconciliation.frames
        mask, seed = body[: (frames.count + 7) // 8], body[(frames.count + 7) // 8 :]
        good = np.unpackbits(np.frombuffer(mask, np.uint8), count=frames.count).astype(np.bool_)
        kept = frames.mask(good)
        bound = evidence.length(
            self._agreement,
            leaked_bits=reconciliation.leaked_bits,
            verification_bits=reconciliation.verification_bits,
            discarded_bits=int(np.count_nonzero(~kept)),
        )
        size = int(np.count_nonzero(kept))
        if bound < self._agreement.extracted_length:
            raise ProtocolError(f"the bound allows {bound} bits, not {self._agreement.extracted_length}")
        if len(seed) != amplification.seed_size(size, self._agreement.extracted_length):
            raise ProtocolError("the seed of privacy amplification is not of the size that the lengths need")
        self._unauthenticated = _extract(sifted.bits[~self._sample][kept], self._agreement, seed)
        self._expected = {Kind.AUTHENTICATE}
        return Message.of_bytes(Kind.AMPLIFY)

    def _authenticate(self, question: Message) -> Message:
        self._expected = set()
        if not same(question.to_bits(), self._transcript.bob_tag()):
            raise ProtocolError("Bob's tag of the transcript is wrong: the channel was tampered with")
        self._transcript.add(question)
        self.secrets = self._unauthenticated
        return Message.of_bits(Kind.AUTHENTICATE, self._transcript.alice_tag())


@dataclass(repr=False)
class BobState:
    """What Bob knows of a session, as far as it came."""

    sifted_length: int = 0
    bases: Bits = field(default_factory=lambda: np.zeros(0, np.uint8))
    compared: BasisCounts = field(default_factory=BasisCounts)
    corrected: BasisCounts = field(default_factory=BasisCounts)
    evidence: Evidence | None = None
    reconciled: ReconciliationResult | None = None
    discarded_bits: int = 0
    bound: int = 0
    authenticated: bool = False
    secrets: Secrets | None = None


class _Transcribing(ClassicalChannel):
    """A channel that notes what crosses another."""

    def __init__(self, channel: ClassicalChannel, transcript: Transcript) -> None:
        super().__init__()
        self._channel = channel
        self._transcript = transcript

    def _exchange(self, question: Message) -> Message:
        answer = self._channel.ask(question)
        if question.kind is not Kind.AUTHENTICATE:
            self._transcript.add(question)
            self._transcript.add(answer)
        return answer


class Bob:
    """Bob: leads the protocol. Each step may be the last; what it found is in ``state``.

    Args:
        record: his notes of his clicks.
        agreement: public parameters.
        authentication: key shared with Alice.
        channel: to Alice.
        randomness: of his public seeds.
        kernel: of the reconciliation.

    Raises:
        ProtocolError: from every step, where Alice does not follow the protocol.
    """

    def __init__(
        self,
        record: BobRecord,
        agreement: Agreement,
        authentication: AuthenticationKey,
        channel: ClassicalChannel,
        randomness: Randomness,
        *,
        kernel: str = "auto",
    ) -> None:
        """Start with nothing asked."""
        self.state = BobState()
        self._record = record
        self._agreement = agreement
        self._transcript = Transcript(authentication)
        self._channel = _Transcribing(channel, self._transcript)
        self._randomness = randomness
        self._kernel = kernel
        self._sifted: _Sifted | None = None
        self._kept: Bits = np.zeros(0, np.uint8)
        self._kept_bases: Bits = np.zeros(0, np.uint8)

    def sift(self) -> None:
        """Announce bases and learn which agree, and which intensities Alice used."""
        record = self._record
        answer = self._channel.ask(Message.of_bits(Kind.SIFT, record.bases)).to_bits()
        matches, rest = answer[: record.bases.size].astype(np.bool_), answer[record.bases.size :]
        sifted = int(np.count_nonzero(matches))
        if matches.size != record.bases.size or rest.size != (
            2 * sifted if self._agreement.intensities else 0
        ):
            raise ProtocolError("Alice's answer to the bases is not of the length agreed")
        intensities = np.zeros(sifted, np.uint8)
        if rest.size:
            intensities = rest[0::2] << np.uint8(1) | rest[1::2]
        if intensities.max(initial=0) >= max(1, len(self._agreement.intensities)):
            raise ProtocolError("Alice announced an intensity that there is not")
        self._sifted = _Sifted(record.bits[matches], record.bases[matches], intensities)
        self.state.sifted_length, self.state.bases = sifted, self._sifted.bases

    def estimate(self) -> Evidence:
        """Compare a sample, and announce its errors."""
        sifted = self._sifted_bits()
        seed = self._randomness.token(_SEED_BYTES)
        sample = sifted.sampled(self._agreement, seed)
        theirs = self._channel.ask(Message.of_bytes(Kind.SAMPLE, seed)).to_bits()
        mine, bases = sifted.bits[sample], sifted.bases[sample]
        if theirs.size != mine.size:
            raise ProtocolError("the sample is not of the size agreed")
        compared = count_errors(theirs, mine, bases)
        wrong = sifted.intensities[sample][(theirs != mine) & (bases == DIAGONAL)]
        errors = np.bincount(wrong, minlength=3).tolist()
        body = _COUNTS.pack(compared.errors_rect, compared.errors_diag, *errors)
        self._channel.ask(Message.of_bytes(Kind.COUNTS, body))
        self._kept, self._kept_bases = sifted.bits[~sample], sifted.bases[~sample]
        self.state.compared = compared
        self.state.evidence = sifted.evidence(self._agreement, sample, compared, errors)
        return self.state.evidence

    def reconcile(self) -> ReconciliationResult:
        """Correct the kept bits and verify them, frame by frame."""
        agreement, evidence = self._agreement, self._evidence()
        tag_bits = Frames.of(self._kept.size, agreement.frame_bits).tag_bits(agreement.epsilon_cor)
        result = reconcile_as_bob(
            self._kept,
            self._channel,
            min(0.5, evidence.compared.qber),
            seed=self._randomness.integer(128),
            verification_key=self._randomness.token(verification.key_size(tag_bits)),
            kernel=self._kernel,
            frame_bits=agreement.frame_bits,
            epsilon_cor=agreement.epsilon_cor,
            low_latency=agreement.low_latency,
        )
        good = result.verified_bits
        self.state.reconciled = result
        self.state.discarded_bits = int(np.count_nonzero(~good))
        self.state.corrected = count_errors(result.bits[good], self._kept[good], self._kept_bases[good])
        self.state.bound = evidence.length(
            agreement,
            leaked_bits=result.leaked_bits,
            verification_bits=result.verification_bits,
            discarded_bits=self.state.discarded_bits,
        )
        return result

    def amplify(self) -> None:
        """Extract the secrets of both from the verified frames, then have the transcript authenticated."""
        result = self.state.reconciled
        if result is None:
            raise ProtocolError("reconcile before amplifying")
        bits = result.bits[result.verified_bits]
        seed = self._randomness.token(amplification.seed_size(bits.size, self._agreement.extracted_length))
        mask = np.packbits(result.verified_frames).tobytes()
        self._channel.ask(Message.of_bytes(Kind.AMPLIFY, mask + seed))
        secrets = _extract(bits, self._agreement, seed)
        question = Message.of_bits(Kind.AUTHENTICATE, self._transcript.bob_tag())
        answer = self._channel.ask(question)
        self._transcript.add(question)
        if not same(answer.to_bits(), self._transcript.alice_tag()):
            raise ProtocolError("Alice's tag of the transcript is wrong: the channel was tampered with")
        self.state.authenticated = True
        self.state.secrets = secrets

    def _sifted_bits(self) -> _Sifted:
        if self._sifted is None:
            raise ProtocolError("sift before estimating")
        return self._sifted

    def _evidence(self) -> Evidence:
        if self.state.evidence is None:
            raise ProtocolError("estimate before reconciling")
        return self.state.evidence
