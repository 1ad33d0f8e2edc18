"""Bob's side: he asks, corrects, and has the result verified."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qkd import cascade, verification
from qkd.bits import Bits
from qkd.cascade import Batch, Forest, Schedule
from qkd.cascade.layout import Indices
from qkd.cascade.numpy_forest import NumpyForest
from qkd.classical import ClassicalChannel, Kind, Message, Purpose
from qkd.reconciliation.frames import BATCH, DEFAULT_FRAME_BITS, Frames

KERNELS = ("auto", "numpy", "numba")

# numba's start takes a second, in which numpy corrects more than this.
_WORTH_NUMBA = 1 << 21


class _Worker:
    """What this process has corrected with numpy where numba was a choice: as soon as its start is worth it, it comes.

    A start that costs as much as was spent without it is regretted by twice at most, whatever comes later.
    """

    corrected = 0

    @classmethod
    def kernel(cls, kernel: str, bits: int) -> str:
        """Return the kernel for a string of this process, and count the string."""
        chosen = kernel_name(kernel, bits + cls.corrected)
        if kernel == "auto" and chosen == "numpy":
            cls.corrected += bits
        return chosen


DEFAULT_EPSILON_COR = 1e-15
_COMPARED = 1 << 18


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

    def __init__(self, channel: ClassicalChannel, batch: Batch) -> None:
        self._channel = channel
        self._batch = batch

    def _ask(self, kind: Kind, body: bytes, expected: int) -> Bits:
        return self._channel.ask(Message.of_bytes(kind, body), expected).to_bits()

    def open_pass(self, index: int) -> Bits:
        return self._ask(Kind.PASS, bytes([index]), self._batch.opened(index))

    def open_subsets(self) -> Bits:
        return self._ask(Kind.SUBSETS, b"", self._batch.frames * cascade.subset_count(self._batch.length))

    def blocks(self, nodes: Indices) -> Bits:
        return self._ask(Kind.BLOCKS, nodes.tobytes(), nodes.size)

    def parts(self, parts: Indices) -> Bits:
        return self._ask(Kind.PARTS, parts.tobytes(), len(parts))


def kernel_name(kernel: str, bits: int) -> str:
    """Return the kernel that a name stands for: ``auto`` is numba where it is installed and so many bits are worth it.

    Raises:
        ValueError: not one of ``KERNELS``, or numba asked for and not installed.
    """
    if kernel not in KERNELS:
        raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, not {kernel!r}")
    if kernel != "auto":
        if kernel == "numba" and find_spec("numba") is None:
            raise ValueError("kernel must be numpy or auto: numba is not installed (pip install numba)")
        return kernel
    return "numba" if bits >= _WORTH_NUMBA and _has_numba() else "numpy"


@cache
def _has_numba() -> bool:
    return find_spec("numba") is not None


def _forest(
    kernel: str, bits: Bits, batch: Batch, schedule: Schedule, memory: cascade.Memory | None
) -> Forest:
    if kernel == "numba":
        from qkd.cascade.numba_forest import NumbaForest  # noqa: PLC0415 - optional, and it costs its import

        return NumbaForest(bits, batch, schedule, memory)
    return NumpyForest(bits, batch, schedule)


class Beside(Protocol):
    """An Alice in the same process."""

    @property
    def memory(self) -> cascade.Memory | None:
        """Working memory of both, which is of no batch after this one."""
        ...

    def settle(self, forest: Forest, channel: ClassicalChannel, *, together: bool) -> None:
        """Answer all that a forest asks until it is settled, and count it on the channel."""
        ...


@dataclass(frozen=True, repr=False)
class Batches:
    """How Bob corrects the batches of a string, none of which asks anything about another.

    Attributes:
        frames: of the string.
        given: its bits as frames, shape (frames, length).
        levels: log2 of the block sizes of the passes.
        seeds: of the batches' schedules.
        kernel: ``numpy`` or ``numba``.
        low_latency: ask for all passes at once.
    """

    frames: Frames
    given: Bits
    levels: tuple[int, int, int]
    seeds: tuple[bytes, ...]
    kernel: str
    low_latency: bool

    def correct(
        self, index: int, rows: Bits, channel: ClassicalChannel, *, beside: Beside | None = None
    ) -> None:
        """Correct the frames of a batch.

        Args:
            index: of the batch.
            rows: of all frames, shape (frames, length): where the corrected ones are written.
            channel: to Alice.
            beside: the same Alice, where blocks may be asked for without messages.
        """
        (first, stop), seed = self.frames.batches()[index], self.seeds[index]
        channel.ask(Message.of_bytes(Kind.BATCH, BATCH.pack(first, stop, *self.levels, seed)), 0)
        batch = Batch(stop - first, self.frames.length, self.levels, int.from_bytes(seed, "little"))
        schedule = Schedule(batch)
        memory = beside.memory if beside else None
        forest = _forest(self.kernel, self.given[first:stop].reshape(-1), batch, schedule, memory)
        bob = cascade.Bob(
            forest,
            batch,
            _RemoteAlice(channel, batch),
            together=self.low_latency,
            settle=None
            if beside is None
            else partial(beside.settle, forest, channel, together=self.low_latency),
        )
        rows[first:stop] = bob.correct(schedule.subsets).reshape(stop - first, -1)


CorrectAll = Callable[[Batches, Bits, ClassicalChannel], None]
"""Writes every batch, corrected, into the rows, and leaves on the channel what was counted."""


def one_after_the_other(batches: Batches, rows: Bits, channel: ClassicalChannel) -> None:
    """Correct the batches in order, over the channel."""
    for index in range(len(batches.seeds)):
        batches.correct(index, rows, channel)


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
    correct_all: CorrectAll = one_after_the_other,
) -> ReconciliationResult:
    """Correct Bob's bits by asking whoever answers at the other end of the channel.

    Arguments and errors are those of ``reconcile``.

    Raises:
        ProtocolError: the other side does not follow the protocol.
    """
    kernel = _Worker.kernel(kernel, bits.size)
    frames = Frames.of(bits.size, frame_bits)
    given = frames.to_rows(bits)
    corrected = np.empty_like(given)
    leaked_before, trips_before = channel.disclosed[Purpose.PARITY], channel.round_trips
    levels = cascade.block_levels(frames.length, qber, together=low_latency)
    roots = np.random.SeedSequence(seed).spawn(len(frames.batches()))
    seeds = tuple(root.generate_state(4, np.uint64).tobytes() for root in roots)
    correct_all(Batches(frames, given, levels, seeds, kernel, low_latency), corrected, channel)
    tag_bits = frames.tag_bits(epsilon_cor)
    key = verification.derived_key(seed, tag_bits) if verification_key is None else verification_key
    theirs = channel.ask(Message.of_bytes(Kind.TAGS, key), frames.count * tag_bits).to_bits()
    mine = verification.tags(corrected, bits=tag_bits, key=key)
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
        corrected_errors=_differences(result, bits),
        frames=frames.count,
        kernel=kernel,
    )


def _differences(one: Bits, other: Bits) -> int:
    """Return in how many places they differ; a part at a time, which the cache holds."""
    parts = range(0, one.size, _COMPARED)
    return sum(int(np.count_nonzero(one[at : at + _COMPARED] != other[at : at + _COMPARED])) for at in parts)
