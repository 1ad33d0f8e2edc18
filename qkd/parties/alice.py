"""Alice's side of a session."""

import numpy as np
from numpy.typing import NDArray

from qkd import amplification
from qkd.agreement import ANNOUNCEMENT, Agreement, Evidence
from qkd.authentication import AuthenticationKey, Tag, Transcript, same
from qkd.bb84 import DIAGONAL, AliceRecord, sift
from qkd.classical import Kind, Message, ProtocolError
from qkd.estimation import BasisCounts
from qkd.parties.common import COUNTS, KEY_ERRORS, SEED_BYTES, Secrets, Sifted, extract
from qkd.reconciliation import AliceReconciliation


class Alice:
    """Alice: answers Bob's questions in the order of the protocol, and no others. A wrong one ends the session.

    Args:
        record: her notes of the pulses that clicked.
        agreement: public parameters.
        authentication: key shared with Bob.

    Attributes:
        provisional: her secrets, once Bob's tag of the transcript was right. He may have the same by then, so she
            keeps them and the pad in them, and uses neither.
        secrets: the same, once Bob has confirmed that he has them. None before, and for good where he does not.
        ended: why she answers no more; None as long as she does.
    """

    def __init__(self, record: AliceRecord, agreement: Agreement, authentication: AuthenticationKey) -> None:
        """Wait for Bob's first question."""
        self.provisional: Secrets | None = None
        self.secrets: Secrets | None = None
        self.ended: str | None = None
        self._record = record
        self._agreement = agreement
        self._transcript = Transcript(authentication)
        self._expected = {Kind.AGREE}
        self._tag_bits = authentication.pad.tag_bits
        self._confirmation: Message | None = None
        self._sifted: Sifted | None = None
        self._sample: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._evidence: Evidence | None = None
        self._reconciliation: AliceReconciliation | None = None
        self._unauthenticated: Secrets | None = None

    @property
    def evidence(self) -> Evidence | None:
        """What both know of the channel, once Bob announced what he counted."""
        return self._evidence

    @property
    def sifted_length(self) -> int:
        """Bits that are left by sifting; 0 before it."""
        return 0 if self._sifted is None else self._sifted.bits.size

    @property
    def longest_question(self) -> int:
        """Bits of the longest question that may come now."""
        return max((self._longest(kind) for kind in self._expected), default=self._tag_bits)

    def answer(self, question: Message) -> Message:
        """Answer one question.

        Raises:
            ProtocolError: a question that is malformed or not its turn; none is answered after it, save a repeated
                confirmation, whose answer may have been lost.
        """
        if self._confirmation is not None and question == self._confirmation:
            return Message.of_bytes(Kind.CONFIRM)
        try:
            return self._answer(question)
        except ProtocolError as error:
            self._end(str(error))
            raise

    def _end(self, reason: str) -> None:
        self.ended = self.ended or reason
        self._expected = set()

    def _answer(self, question: Message) -> Message:
        if question.kind not in self._expected:
            raise ProtocolError(
                self.ended or f"{question.kind.name} is not the next question of the protocol"
            )
        if question.bits > self._longest(question.kind):
            raise ProtocolError(f"{question.kind.name} is longer than the protocol allows")
        match question.kind:
            case Kind.AUTHENTICATE:
                return self._authenticate(question)
            case Kind.CONFIRM:
                return self._confirm(question)
        self._transcript.add(question)
        match question.kind:
            case Kind.AGREE:
                answer = self._agree(question.body)
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

    def _longest(self, kind: Kind) -> int:
        fixed = {
            Kind.AGREE: 8 * ANNOUNCEMENT.size,
            Kind.SIFT: self._record.bases.size,
            Kind.SAMPLE: 8 * SEED_BYTES,
            Kind.COUNTS: 8 * COUNTS.size,
            Kind.AUTHENTICATE: self._tag_bits,
            Kind.CONFIRM: self._tag_bits,
        }
        if kind in fixed or self._reconciliation is None:
            return fixed.get(kind, 0)
        if kind is not Kind.AMPLIFY:
            return self._reconciliation.longest(kind)
        frames = self._reconciliation.frames
        return 8 * (KEY_ERRORS.size + frames.count + amplification.seed_size(frames.size, 0))

    def _agree(self, body: bytes) -> Message:
        if len(body) != ANNOUNCEMENT.size:
            raise ProtocolError("the announcement of the agreement is malformed")
        try:
            self._agreement.check(body)
        except ProtocolError as error:
            self._end(str(error))  # and let Bob compare by himself
        else:
            self._expected = {Kind.SIFT}
        return Message.of_bytes(Kind.AGREE, self._agreement.announcement())

    def _sift(self, question: Message) -> Message:
        record = self._record
        if question.bits != record.bases.size:
            raise ProtocolError(f"Bob has {question.bits} clicks where Alice has {record.bases.size}")
        kept = sift(record.bases, question.to_bits())
        places = np.flatnonzero(kept)
        self._sifted = Sifted(record.bits[places], record.bases[places], record.intensities[places])
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
        return Message.of_bits(Kind.SAMPLE, self._sifted.bits[np.flatnonzero(self._sample)])

    def _take_counts(self, body: bytes) -> Message:
        if self._sifted is None or len(body) != COUNTS.size:
            raise ProtocolError("the counts of errors are malformed")
        errors_rect, errors_diag, *by_intensity = COUNTS.unpack(body)
        diagonal = int(np.count_nonzero(self._sample & (self._sifted.bases == DIAGONAL)))
        total = int(np.count_nonzero(self._sample))
        try:
            compared = BasisCounts(total - diagonal, errors_rect, diagonal, errors_diag)
        except ValueError as error:
            raise ProtocolError(f"the counts of errors are impossible: {error}") from None
        self._evidence = self._sifted.evidence(self._agreement, self._sample, compared, by_intensity)
        self._expected = set()
        bits = self._sifted.bits[np.flatnonzero(~self._sample)]
        if not self._agreement.measure_only and bits.size and self._evidence.best_length(self._agreement):
            self._reconciliation = AliceReconciliation(
                bits,
                frame_bits=self._agreement.frame_bits,
                epsilon_cor=self._agreement.epsilon_cor,
                most_parities=bits.size,
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
        frames, announced = reconciliation.frames, KEY_ERRORS.size * self._agreement.counts_key_errors
        errors, body = body[:announced], body[announced:]
        mask, seed = body[: (frames.count + 7) // 8], body[(frames.count + 7) // 8 :]
        if len(errors) < announced or len(mask) < (frames.count + 7) // 8:
            raise ProtocolError("the announcement of the verified frames is malformed")
        good = np.unpackbits(np.frombuffer(mask, np.uint8), count=frames.count).astype(np.bool_)
        kept = frames.mask(good)
        if errors:
            counted = KEY_ERRORS.unpack(errors)
            evidence = sifted.with_key_errors(evidence, self._sample, counted, ~kept)
        bound = evidence.length(
            self._agreement,
            leaked_bits=reconciliation.leaked_bits,
            verification_bits=reconciliation.verification_bits,
            discarded_bits=int(np.count_nonzero(~kept)),
        )
        size = int(np.count_nonzero(kept))
        if bound < self._agreement.least_length:
            raise ProtocolError(f"the bound allows {bound} bits, not {self._agreement.least_length}")
        if len(seed) != amplification.seed_size(size, self._agreement.extracted_length(bound)):
            raise ProtocolError("the seed of privacy amplification is not of the size that the lengths need")
        verified = np.flatnonzero(~self._sample)[np.flatnonzero(kept)]
        self._unauthenticated = extract(sifted.bits[verified], self._agreement, bound, seed)
        self._expected = {Kind.AUTHENTICATE}
        return Message.of_bytes(Kind.AMPLIFY)

    def _authenticate(self, question: Message) -> Message:
        if not same(question.to_bits(), self._transcript.tag(Tag.BOB)):
            raise ProtocolError("Bob's tag of the transcript is wrong: the channel was tampered with")
        self._transcript.add(question)
        answer = Message.of_bits(Kind.AUTHENTICATE, self._transcript.tag(Tag.ALICE))
        self._transcript.add(answer)
        self.provisional = self._unauthenticated
        self._expected = {Kind.CONFIRM}
        return answer

    def _confirm(self, question: Message) -> Message:
        if not same(question.to_bits(), self._transcript.tag(Tag.CONFIRMATION)):
            raise ProtocolError("Bob's confirmation is wrong: the channel was tampered with")
        self._expected = set()
        self._confirmation = question
        self.secrets = self.provisional
        return Message.of_bytes(Kind.CONFIRM)
