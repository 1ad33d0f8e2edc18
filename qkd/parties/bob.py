"""Bob's side of a session."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkd import amplification, universal
from qkd.agreement import ANNOUNCEMENT, Agreement, Evidence
from qkd.authentication import AuthenticationKey, Tag, Transcript, same
from qkd.bb84 import DIAGONAL, BobRecord
from qkd.bits import Bits
from qkd.classical import ClassicalChannel, Kind, Message, ProtocolError
from qkd.estimation import BasisCounts, error_counts
from qkd.parties.common import COUNTS, KEY_ERRORS, SEED_BYTES, Secrets, Sifted, extract
from qkd.randomness import Randomness
from qkd.reconciliation import Frames, ReconciliationResult, reconcile_as_bob


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
    key_errors: tuple[int, ...] = ()
    bound: int = 0
    authenticated: bool = False
    secrets: Secrets | None = None
    confirmed: bool = False


class _Transcribing(ClassicalChannel):
    """A channel that notes what crosses another."""

    def __init__(self, channel: ClassicalChannel, transcript: Transcript) -> None:
        super().__init__()
        self._channel = channel
        self._transcript = transcript

    def _exchange(self, question: Message, longest: int) -> Message:
        answer = self._channel.ask(question, longest, fewest=0)
        if question.kind not in (Kind.AUTHENTICATE, Kind.CONFIRM):
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
        self._sifted: Sifted | None = None
        self._kept: Bits = np.zeros(0, np.uint8)
        self._kept_bases: Bits = np.zeros(0, np.uint8)
        self._sample: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._confirmation: Message | None = None

    def agree(self) -> None:
        """Compare version and agreement with Alice's; every later step stands on it."""
        question = Message.of_bytes(Kind.AGREE, self._agreement.announcement())
        self._agreement.check(self._channel.ask(question, 8 * ANNOUNCEMENT.size).body)

    def sift(self) -> None:
        """Announce bases and learn which agree, and which intensities Alice used."""
        record = self._record
        clicks, announced = record.bases.size, 2 if self._agreement.intensities else 0
        question = Message.of_bits(Kind.SIFT, record.bases)
        answer = self._channel.ask(question, clicks * (1 + announced), fewest=clicks).to_bits()
        matches, rest = answer[: record.bases.size].astype(np.bool_), answer[record.bases.size :]
        sifted = int(np.count_nonzero(matches))
        if rest.size != announced * sifted:
            raise ProtocolError("Alice's answer to the bases is not of the length agreed")
        intensities = np.zeros(sifted, np.uint8)
        if rest.size:
            intensities = rest[0::2] << np.uint8(1) | rest[1::2]
        if intensities.max(initial=0) >= max(1, len(self._agreement.intensities)):
            raise ProtocolError("Alice announced an intensity that there is not")
        places = np.flatnonzero(matches)
        self._sifted = Sifted(record.bits[places], record.bases[places], intensities)
        self.state.sifted_length, self.state.bases = sifted, self._sifted.bases

    def estimate(self) -> Evidence:
        """Compare a sample, and announce its errors."""
        sifted = self._sifted_bits()
        seed = self._randomness.token(SEED_BYTES)
        sample = sifted.sample(self._agreement, seed)
        shown, kept = np.flatnonzero(sample), np.flatnonzero(~sample)
        mine, bases = sifted.bits[shown], sifted.bases[shown]
        theirs = self._channel.ask(Message.of_bytes(Kind.SAMPLE, seed), mine.size).to_bits()
        compared = error_counts(theirs, mine, bases)
        wrong = sifted.intensities[shown][(theirs != mine) & (bases == DIAGONAL)]
        errors = np.bincount(wrong, minlength=3).tolist()
        body = COUNTS.pack(compared.errors_rect, compared.errors_diag, *errors)
        self._channel.ask(Message.of_bytes(Kind.COUNTS, body), 0)
        self._kept, self._kept_bases, self._sample = sifted.bits[kept], sifted.bases[kept], sample
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
            verification_key=self._randomness.token(universal.key_size(tag_bits)),
            kernel=self._kernel,
            frame_bits=agreement.frame_bits,
            epsilon_cor=agreement.epsilon_cor,
            low_latency=agreement.low_latency,
        )
        good = np.flatnonzero(result.verified_bits)
        self.state.reconciled = result
        self.state.discarded_bits = result.bits.size - good.size
        self.state.corrected = error_counts(result.bits[good], self._kept[good], self._kept_bases[good])
        if agreement.counts_key_errors:
            evidence = self._count_key_errors(evidence, result)
        self.state.bound = evidence.length(
            agreement,
            leaked_bits=result.leaked_bits,
            verification_bits=result.verification_bits,
            discarded_bits=self.state.discarded_bits,
        )
        return result

    def _count_key_errors(self, evidence: Evidence, result: ReconciliationResult) -> Evidence:
        sifted = self._sifted_bits()
        wrong = (result.bits != self._kept) & result.verified_bits
        intensities = sifted.intensities[np.flatnonzero(~self._sample)]
        self.state.key_errors = tuple(np.bincount(intensities[wrong], minlength=2).tolist())
        return sifted.with_key_errors(evidence, self._sample, self.state.key_errors, ~result.verified_bits)

    def amplify(self) -> None:
        """Extract the secrets of both from the verified frames, then have the transcript authenticated."""
        result = self.state.reconciled
        if result is None:
            raise ProtocolError("reconcile before amplifying")
        bits = result.bits[np.flatnonzero(result.verified_bits)]
        bound = self.state.bound
        length = self._agreement.extracted_length(bound)
        seed = self._randomness.token(amplification.seed_size(bits.size, length))
        errors = KEY_ERRORS.pack(*self.state.key_errors) if self.state.key_errors else b""
        mask = np.packbits(result.verified_frames).tobytes()
        self._channel.ask(Message.of_bytes(Kind.AMPLIFY, errors + mask + seed), 0)
        secrets = extract(bits, self._agreement, bound, seed)
        question = Message.of_bits(Kind.AUTHENTICATE, self._transcript.tag(Tag.BOB))
        self._transcript.add(question)
        answer = self._channel.ask(question, question.bits)
        if not same(answer.to_bits(), self._transcript.tag(Tag.ALICE)):
            raise ProtocolError("Alice's tag of the transcript is wrong: the channel was tampered with")
        self._transcript.add(answer)
        self.state.authenticated = True
        self.state.secrets = secrets
        self._confirmation = Message.of_bits(Kind.CONFIRM, self._transcript.tag(Tag.CONFIRMATION))

    def confirm(self) -> None:
        """Tell Alice that both have the secrets. It may be repeated until she answers: she may use hers only then."""
        if self._confirmation is None:
            raise ProtocolError("amplify before confirming")
        self._channel.ask(self._confirmation, 0)
        self.state.confirmed = True

    def _sifted_bits(self) -> Sifted:
        if self._sifted is None:
            raise ProtocolError("sift before estimating")
        return self._sifted

    def _evidence(self) -> Evidence:
        if self.state.evidence is None:
            raise ProtocolError("estimate before reconciling")
        return self.state.evidence
