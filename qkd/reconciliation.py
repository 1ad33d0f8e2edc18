"""Information reconciliation: Bob's bits become Alice's, every disclosed parity counted, the result verified.

The bits are cut into frames of one length, which are corrected in batches (``qkd.cascade``) and verified one by
one: a frame in which errors remain is found and can be discarded without the others.
"""

import struct
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from qkd import cascade, verification
from qkd.bits import Bits, as_bits, checked_integer, checked_number
from qkd.cascade import Batch, Forest, Schedule
from qkd.cascade.layout import Indices
from qkd.cascade.numpy_forest import NumpyForest
from qkd.classical import ClassicalChannel, Kind, LocalChannel, Message, ProtocolError, Purpose

FAMILY = "cascade-option8"
"""Name of the protocol, for records."""

KERNELS = ("auto", "numpy", "numba")

DEFAULT_FRAME_BITS = 1 << 16
MAX_FRAME_BITS = 1 << 20

_BATCH_BITS = 1 << 22  # corrected at once: working memory is about 50 bytes per bit

# numba's start takes a second, in which numpy corrects more than this.
_WORTH_NUMBA = 1 << 22

DEFAULT_EPSILON_COR = 1e-15

_BATCH = struct.Struct("<II3B32s")


@dataclass(frozen=True, repr=False)
class ReconciliationResult:
    """Outcome of a reconciliation.

    Attributes:
        bits: Bob's corrected bits, shape (n,); equal to Alice's except with probability ``epsilon_cor`` if verified.
        leaked_bits: parities of Alice's bits that were disclosed; the verification tags are not among them.
        round_trips: questions that Bob had to wait for, the verification's included.
        verified: the tags of all frames agreed.
        verified_frames: where they did, boolean, shape (frames,).
        verified_bits: bits in such frames, boolean, shape (n,).
        verification_bits: length of all tags that were disclosed.
        corrected_errors: bits that Bob changed.
        frames: frames that the string was cut into.
        kernel: which kernel did Bob's side.
    """

    bits: Bits
    leaked_bits: int
    round_trips: int
    verified: bool
    verified_frames: NDArray[np.bool_]
    verified_bits: NDArray[np.bool_]
    verification_bits: int
    corrected_errors: int
    frames: int
    kernel: str

    def __repr__(self) -> str:
        """Everything but the bits."""
        return (
            f"ReconciliationResult({self.bits.size} bits, leaked_bits={self.leaked_bits}, "
            f"round_trips={self.round_trips}, verified={self.verified})"
        )


@dataclass(frozen=True)
class Frames:
    """How a string is cut: frames of one length, the last one padded with zeros that both know.

    Attributes:
        size: bits of the string.
        count: frames.
        length: bits of a frame.
    """

    size: int
    count: int
    length: int

    @classmethod
    def of(cls, size: int, frame_bits: int) -> "Frames":
        """As few frames as ``frame_bits`` allows, of nearly that length."""
        count = -(-size // frame_bits)
        return cls(size, count, -(-size // count))

    def padded(self, bits: Bits) -> Bits:
        """Frames as rows, shape (count, length)."""
        whole = np.zeros(self.count * self.length, np.uint8)
        whole[: self.size] = bits
        return whole.reshape(self.count, self.length)

    def batches(self) -> list[tuple[int, int]]:
        """First frame and end of each batch."""
        step = max(1, _BATCH_BITS // self.length)
        return [(first, min(first + step, self.count)) for first in range(0, self.count, step)]

    def mask(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Bits of the chosen frames, shape (size,)."""
        return np.repeat(chosen, self.length)[: self.size]

    def tag_bits(self, epsilon_cor: float) -> int:
        """Length of a frame's tag, with which all frames together meet ``epsilon_cor``."""
        return verification.tag_length(self.length, epsilon_cor / self.count)


class AliceReconciliation:
    """Alice's side: answers for the parities and tags of her bits.

    Args:
        bits: hers, shape (n,), n > 0.
        frame_bits: as agreed.
        epsilon_cor: as agreed.

    Attributes:
        leaked_bits: parities that she has disclosed, by her own count.
        verification_bits: tag bits that she has disclosed.
    """

    def __init__(self, bits: Bits, *, frame_bits: int, epsilon_cor: float) -> None:
        """Hold her bits."""
        self.frames = Frames.of(bits.size, frame_bits)
        self.leaked_bits = self.verification_bits = 0
        self._bits = self.frames.padded(bits)
        self._tag_bits = self.frames.tag_bits(epsilon_cor)
        self._waiting = self.frames.batches()
        self._batch: cascade.Alice | None = None

    def answer(self, question: Message) -> Message:
        """Answer one question.

        Raises:
            ProtocolError: a question that the protocol does not allow now.
        """
        kind, body = question.kind, question.body
        try:
            if kind is Kind.BATCH:
                self._open(body)
                return Message.of_bytes(kind)
            if kind is Kind.TAGS:
                return self._tags(body)
            if self._batch is None:
                raise ProtocolError("no batch is open")
            parities = self._parities(self._batch, kind, body)
        except (ValueError, struct.error) as error:
            raise ProtocolError(f"{kind.name} is not a question of the protocol: {error}") from None
        self.leaked_bits += parities.size
        return Message.of_bits(kind, parities)

    @staticmethod
    def _parities(batch: cascade.Alice, kind: Kind, body: bytes) -> Bits:
        match kind:
            case Kind.PASS:
                return batch.open_pass(body[0])
            case Kind.SUBSETS:
                return batch.open_subsets()
            case Kind.BLOCKS:
                return batch.blocks(np.frombuffer(body, np.int32))
            case Kind.PARTS:
                return batch.parts(np.frombuffer(body, np.int32).reshape(-1, 4))
        raise ProtocolError(f"{kind.name} does not belong to reconciliation")

    def _open(self, body: bytes) -> None:
        first, stop, *levels, seed = _BATCH.unpack(body)
        if not self._waiting or (first, stop) != self._waiting.pop(0):
            raise ProtocolError("the batches are not those agreed")
        largest = max(cascade.block_levels(self.frames.length, 0))
        if max(levels) > largest:
            raise ProtocolError("the blocks are larger than the frame")
        batch = Batch(
            stop - first,
            self.frames.length,
            (levels[0], levels[1], levels[2]),
            int.from_bytes(seed, "little"),
        )
        self._batch = cascade.Alice(self._bits[first:stop].reshape(-1), batch)

    def _tags(self, key: bytes) -> Message:
        if self._waiting or self.verification_bits:
            raise ProtocolError("tags are asked for once, after the last batch")
        tags = np.concatenate([verification.tag(row, bits=self._tag_bits, key=key) for row in self._bits])
        self.verification_bits = tags.size
        return Message.of_bits(Kind.TAGS, tags)


class _Asking:
    """Alice, as Bob's Cascade sees her: every call is a round trip over the channel."""

    def __init__(self, channel: ClassicalChannel) -> None:
        self._channel = channel

    def _ask(self, kind: Kind, body: bytes, expected: int | None = None) -> Bits:
        parities = self._channel.ask(Message.of_bytes(kind, body)).to_bits()
        if expected is not None and parities.size != expected:
            raise ProtocolError(f"the answer to {kind.name} has {parities.size} bits instead of {expected}")
        return parities

    def open_pass(self, index: int) -> Bits:
        return self._ask(Kind.PASS, bytes([index]))

    def open_subsets(self) -> Bits:
        return self._ask(Kind.SUBSETS, b"")

    def blocks(self, nodes: Indices) -> Bits:
        return self._ask(Kind.BLOCKS, nodes.tobytes(), nodes.size)

    def parts(self, parts: Indices) -> Bits:
        return self._ask(Kind.PARTS, parts.tobytes(), len(parts))


def kernel_name(kernel: str, bits: int) -> str:
    """The kernel that a name stands for: ``auto`` is numba where it is installed and worth its start.

    Raises:
        ValueError: not one of ``KERNELS``, or numba asked for and not installed.
    """
    if kernel not in KERNELS:
        raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, not {kernel!r}")
    if kernel != "auto":
        if kernel == "numba" and find_spec("numba") is None:
            raise ValueError("kernel must be numpy or auto: numba is not installed (pip install numba)")
        return kernel
    return "numba" if bits >= _WORTH_NUMBA and find_spec("numba") is not None else "numpy"


def _forest(kernel: str, bits: Bits, batch: Batch, schedule: Schedule) -> Forest:
    if kernel == "numba":
        from qkd.cascade.numba_forest import NumbaForest  # noqa: PLC0415 - optional, and it costs its import

        return NumbaForest(bits, batch, schedule)
    return NumpyForest(bits, batch, schedule)


def reconcile_as_bob(
    bits: Bits,
    channel: ClassicalChannel,
    qber: float,
    *,
    seed: int,
    verification_key: bytes | None = None,
    kernel: str = "auto",
    frame_bits: int = DEFAULT_FRAME_BITS,
    epsilon_cor: float = DEFAULT_EPSILON_COR,
    low_latency: bool = False,
) -> ReconciliationResult:
    """Bob's side: correct his bits by asking whoever answers at the other end of the channel.

    Arguments and errors are those of ``reconcile``.

    Raises:
        ProtocolError: the other side does not follow the protocol.
    """
    kernel = kernel_name(kernel, bits.size)
    frames = Frames.of(bits.size, frame_bits)
    corrected = frames.padded(bits)
    leaked_before, trips_before = channel.disclosed[Purpose.PARITY], channel.round_trips
    levels = cascade.block_levels(frames.length, qber, together=low_latency)
    seeds = np.random.SeedSequence(seed).spawn(len(frames.batches()))
    for (first, stop), root in zip(frames.batches(), seeds, strict=True):
        packed = root.generate_state(4, np.uint64).tobytes()
        channel.ask(Message.of_bytes(Kind.BATCH, _BATCH.pack(first, stop, *levels, packed)))
        batch = Batch(stop - first, frames.length, levels, int.from_bytes(packed, "little"))
        schedule = Schedule(batch)
        forest = _forest(kernel, corrected[first:stop].reshape(-1), batch, schedule)
        bob = cascade.Bob(forest, batch, _Asking(channel), together=low_latency)
        corrected[first:stop] = bob.correct(schedule.subsets).reshape(stop - first, -1)
    tag_bits = frames.tag_bits(epsilon_cor)
    key = verification.derived_key(seed, tag_bits) if verification_key is None else verification_key
    theirs = channel.ask(Message.of_bytes(Kind.TAGS, key)).to_bits()
    mine = np.concatenate([verification.tag(row, bits=tag_bits, key=key) for row in corrected])
    if theirs.size != mine.size:
        raise ProtocolError("the tags are not of the length agreed")
    good = (theirs == mine).reshape(frames.count, tag_bits).all(axis=1)
    result = corrected.reshape(-1)[: bits.size]
    return ReconciliationResult(
        bits=result,
        leaked_bits=channel.disclosed[Purpose.PARITY] - leaked_before,
        round_trips=channel.round_trips - trips_before,
        verified=bool(good.all()),
        verified_frames=good,
        verified_bits=frames.mask(good),
        verification_bits=mine.size,
        corrected_errors=int(np.count_nonzero(result != bits)),
        frames=frames.count,
        kernel=kernel,
    )


def reconcile(
    alice_bits: Bits,
    bob_bits: Bits,
    qber: float,
    *,
    seed: int,
    kernel: str = "auto",
    epsilon_cor: float = DEFAULT_EPSILON_COR,
    verification_key: bytes | None = None,
    frame_bits: int = DEFAULT_FRAME_BITS,
    low_latency: bool = False,
) -> ReconciliationResult:
    """Correct Bob's bits by Cascade and verify them, both parties in this process.

    Args:
        alice_bits: Alice's bits, shape (n,), n > 0. They are read on Alice's side only.
        bob_bits: Bob's bits, shape (n,).
        qber: expected error rate, [0, 0.5]: chooses block sizes. A wrong one costs disclosed bits, not correctness.
        seed: public randomness of the passes, a non-negative integer below 2**256, drawn after detection.
        kernel: ``"numpy"``, ``"numba"``, or ``"auto"`` for numba where it is installed and the
            strings are long; both ask the same questions.
        epsilon_cor: probability that different strings are called verified, (0, 1).
        verification_key: uniformly random bytes of ``verification.key_size``; derived from the seed if not given.
        frame_bits: longest frame, 1 to ``MAX_FRAME_BITS``.
        low_latency: fewer round trips, a few more disclosed parities.

    Raises:
        ValueError: an argument outside these ranges, empty or unequal strings.
    """
    alice_bits, bob_bits = as_bits("alice_bits", alice_bits), as_bits("bob_bits", bob_bits)
    if alice_bits.size != bob_bits.size or not alice_bits.size:
        raise ValueError(
            f"alice_bits and bob_bits must be of one length > 0, not {alice_bits.size} and {bob_bits.size}"
        )
    checked_number("qber", qber, 0, 0.5)
    checked_integer("seed", seed, 0, 2**256 - 1)
    checked_number("epsilon_cor", epsilon_cor, 0, 1, open_low=True)
    checked_integer("frame_bits", frame_bits, 1, MAX_FRAME_BITS)
    frames = Frames.of(bob_bits.size, frame_bits)
    if verification_key is not None:
        wanted = verification.key_size(frames.tag_bits(epsilon_cor))
        if len(verification_key) != wanted:
            raise ValueError(f"verification_key must be {wanted} bytes, not {len(verification_key)}")
    alice = AliceReconciliation(alice_bits, frame_bits=frame_bits, epsilon_cor=epsilon_cor)
    return reconcile_as_bob(
        bob_bits,
        LocalChannel(alice.answer),
        qber,
        seed=seed,
        verification_key=verification_key,
        kernel=kernel,
        frame_bits=frame_bits,
        epsilon_cor=epsilon_cor,
        low_latency=low_latency,
    )
