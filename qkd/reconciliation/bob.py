"""Bob's side: he asks, corrects, and has the result verified."""

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from qkd import cascade, verification
from qkd.bits import Bits
from qkd.cascade import Batch, Forest, Schedule
from qkd.cascade.layout import Indices
from qkd.cascade.numpy_forest import NumpyForest
from qkd.classical import ClassicalChannel, Kind, Message, ProtocolError, Purpose
from qkd.reconciliation.frames import BATCH, DEFAULT_FRAME_BITS, Frames

KERNELS = ("auto", "numpy", "numba")

# numba's start takes a second, in which numpy corrects more than this.
_WORTH_NUMBA = 1 << 21

DEFAULT_EPSILON_COR = 1e-15


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
        """Return everything but the bits."""
        return (
            f"ReconciliationResult({self.bits.size} bits, leaked_bits={self.leaked_bits}, "
            f"round_trips={self.round_trips}, verified={self.verified})"
        )


class _RemoteAlice:
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
    """Return the kernel that a name stands for: ``auto`` is numba where it is installed and worth its start.

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
    """Correct Bob's bits by asking whoever answers at the other end of the channel.

    Arguments and errors are those of ``reconcile``.

    Raises:
        ProtocolError: the other side does not follow the protocol.
    """
    kernel = kernel_name(kernel, bits.size)
    frames = Frames.of(bits.size, frame_bits)
    corrected = frames.to_rows(bits)
    leaked_before, trips_before = channel.disclosed[Purpose.PARITY], channel.round_trips
    levels = cascade.block_levels(frames.length, qber, together=low_latency)
    seeds = np.random.SeedSequence(seed).spawn(len(frames.batches()))
    for (first, stop), root in zip(frames.batches(), seeds, strict=True):
        packed = root.generate_state(4, np.uint64).tobytes()
        channel.ask(Message.of_bytes(Kind.BATCH, BATCH.pack(first, stop, *levels, packed)))
        batch = Batch(stop - first, frames.length, levels, int.from_bytes(packed, "little"))
        schedule = Schedule(batch)
        forest = _forest(kernel, corrected[first:stop].reshape(-1), batch, schedule)
        bob = cascade.Bob(forest, batch, _RemoteAlice(channel), together=low_latency)
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
