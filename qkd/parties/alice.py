"""Alice's side of a session."""

import numpy as np
from numpy.typing import NDArray

from qkd import amplification
from qkd.agreement import Agreement, Evidence
from qkd.authentication import AuthenticationKey, Transcript, same
from qkd.bb84 import DIAGONAL, AliceRecord, sift
from qkd.classical import Kind, Message, ProtocolError
from qkd.estimation import BasisCounts
from qkd.parties.common import COUNTS, SEED_BYTES, Secrets, Sifted, extract
from qkd.reconciliation import AliceReconciliation


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
        self._sifted: Sifted | None = None
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
        self._sifted = Sifted(record.bits[kept], record.bases[kept], record.intensities[kept])
        self._expected = {Kind.SAMPLE}
        answer = kept.astype(np.uint8)
        if self._agreement.intensities:
            two_bits = np.unpackbits(self._sifted.intensities[:, None], axis=1)[:, 6:]
            answer = np.concatenate((answer, two_bits.reshape(-1)))
        return Message.of_bits(Kind.SIFT, answer)

    def _disclose_sample(self, seed: bytes) -> Message:
        if self._sifted is None or len(seed) != SEED_BYTES:
            raise ProtocolError("the sample takes sifted bits and a seed")
        self._sample = self._sifted.sample(self._agreement, seed)
        self._expected = {Kind.COUNTS}
        return Message.of_bits(Kind.SAMPLE, self._sifted.bits[self._sample])

    def _take_counts(self, body: bytes) -> Message:
        if self._sifted is None or len(body) != COUNTS.size:
            raise ProtocolError("the counts of errors are malformed")
        errors_rect, errors_diag, *by_intensity = COUNTS.unpack(body)
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
        self._unauthenticated = extract(sifted.bits[~self._sample][kept], self._agreement, seed)
        self._expected = {Kind.AUTHENTICATE}
        return Message.of_bytes(Kind.AMPLIFY)

    def _authenticate(self, question: Message) -> Message:
        self._expected = set()
        if not same(question.to_bits(), self._transcript.bob_tag()):
            raise ProtocolError("Bob's tag of the transcript is wrong: the channel was tampered with")
        self._transcript.add(question)
        self.secrets = self._unauthenticated
        return Message.of_bits(Kind.AUTHENTICATE, self._transcript.alice_tag())
