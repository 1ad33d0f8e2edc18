"""Cascade, "option 8", as two parties: Alice answers for parities, Bob finds and corrects his errors.

Martinez-Mateo, Pacher, Peev, Ciurana, Martin, *Demystifying the Information Reconciliation Protocol Cascade*,
Quantum Information & Computation 15 (2015): block sizes near 2^a, 2^((a+12)/2), 2^12 with
a = log2(1/Q) - 1/2 in passes 1 to 3 (see ``block_levels``), then random halves of the frame in passes 4 to 14; every parity ever
learned, those of sub-blocks too, is reused. The random halves are opened together: that saves ten round trips.

A batch is a number of frames of one length that are corrected at once, with one schedule. The blocks of a pass are
the nodes of binary trees over its order of the bits, one tree after the other; a node is named by its place in one
flat array (``Layout``), so a question is a list of integers. Frames are padded with zeros that both know.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qkd.bits import Bits

Indices = NDArray[np.int32]
Order = NDArray[np.int64]
"""Bit of a frame at each place of a pass, shape (length,)."""

_SUBSETS = 11  # passes 4 to 14
_SUBSETS_OF_SHORT_FRAMES = 20
_SHORT = 1 << 14

_THIRD_PASS_LEVEL = 13

# With true parities Bob only ever corrects errors, so no bit is flipped twice; without this he might never end.
CONTRADICTION = "the parities contradict each other: the channel was tampered with"


def block_levels(length: int, qber: float) -> tuple[int, int, int]:
    """log2 of the block sizes of passes 1 to 3; a frame always has at least two blocks, if it has two bits."""
    largest = max(0, (length - 1).bit_length() - 1)
    # Below half an error per frame a smaller rate says nothing more.
    alpha = math.log2(1 / min(0.5, max(qber, 0.5 / length))) - 0.5
    # The published formula with what measurement adds: blocks of 8 from 7 % on (as in their table 3), the second
    # pass rounded to the nearest, the third of 2^13. It discloses 0.1 % less than the published sizes.
    wanted = (math.ceil(alpha - 2 * qber), round((alpha + 12) / 2), _THIRD_PASS_LEVEL)
    return (min(wanted[0], largest), min(wanted[1], largest), min(wanted[2], largest))


def subset_count(length: int) -> int:
    """Random halves of a frame.

    Eleven, as published, leave errors in a few frames of ten thousand. Short frames, which are a whole session, get
    more: nine bits are less than a session lost.
    """
    return _SUBSETS_OF_SHORT_FRAMES if length < _SHORT else _SUBSETS


@dataclass(frozen=True)
class Batch:
    """Public shape of a batch.

    Attributes:
        frames: frames corrected at once, > 0.
        length: bits per frame, > 0.
        levels: log2 of the block sizes of passes 1 to 3.
        seed: of the schedule, drawn after Bob's detection.
    """

    frames: int
    length: int
    levels: tuple[int, int, int]
    seed: int

    @property
    def bits(self) -> int:
        """Bits of all frames."""
        return self.frames * self.length


class Layout:
    """Where the blocks of a batch are in a flat array of nodes.

    Level ``l`` of pass ``p`` begins at ``start[p, l]`` and has ``width[p] >> l`` nodes per frame. Node ``i`` of a
    level has the children ``2 i`` and ``2 i + 1`` of the level below.
    """

    def __init__(self, batch: Batch) -> None:
        """Lay out the passes one after the other, leaves first."""
        self.batch = batch
        self.width = [-(-batch.length >> level) << level for level in batch.levels]
        self.start = np.zeros((len(batch.levels), max(batch.levels) + 1), np.int64)
        self.size = 0
        for index, top in enumerate(batch.levels):
            for level in range(top + 1):
                self.start[index, level] = self.size
                self.size += batch.frames * (self.width[index] >> level)

    def tops(self, index: int) -> tuple[int, int]:
        """First node and end of the opened blocks of a pass; none of them is padding only."""
        start = int(self.start[index, self.batch.levels[index]])
        return start, start + self.batch.frames * (self.width[index] >> self.batch.levels[index])

    def fill(self, nodes: Bits, bits: Bits, order: Order, index: int) -> None:
        """Write the parities of all blocks of a pass of ``bits``, shape (frames * length,), into ``nodes``."""
        batch, width = self.batch, self.width[index]
        start = int(self.start[index, 0])
        below = nodes[start : start + batch.frames * width]
        leaves = below.reshape(batch.frames, width)
        np.take(bits.reshape(batch.frames, batch.length), order, 1, leaves[:, : batch.length], "clip")
        leaves[:, batch.length :] = 0
        for level in range(1, batch.levels[index] + 1):
            start = int(self.start[index, level])
            above = nodes[start : start + below.size // 2]
            pairs = below.view(np.uint16)  # twice as fast as two strided halves
            above[:] = pairs ^ (pairs >> 8)
            below = above


class Schedule:
    """The public choices of a batch, which both parties make from the same seed: orders and subsets."""

    def __init__(self, batch: Batch) -> None:
        """Draw the order of passes 2 and 3 and the subsets; the first pass keeps the order of the bits."""
        rng = np.random.Generator(np.random.PCG64(batch.seed))
        natural = np.arange(batch.length)
        self.orders: tuple[Order, Order, Order] = (
            natural,
            rng.permutation(natural),
            rng.permutation(natural),
        )
        count = subset_count(batch.length)
        packed = np.frombuffer(rng.bytes(count * ((batch.length + 7) // 8)), np.uint8).reshape(count, -1)
        self.subsets = np.unpackbits(packed, axis=1, count=batch.length)
        """Members of the random halves, ``uint8`` 0/1, shape (subset_count(length), length)."""


class Answers(Protocol):
    """Who answers Bob's questions: Alice, or what reaches her over a channel. Each call is one round trip."""

    def open_pass(self, index: int) -> Bits:
        """Parities of the opened blocks of a pass, of all frames."""
        ...

    def open_subsets(self) -> Bits:
        """Parities of all subsets, frames first."""
        ...

    def blocks(self, nodes: Indices) -> Bits:
        """Parities of blocks, by their places in the layout."""
        ...

    def parts(self, parts: Indices) -> Bits:
        """Parities of the members of subsets within intervals; rows (frame, subset, start, stop)."""
        ...


class Alice:
    """Alice's side: knows her bits and the schedule, and answers.

    Args:
        bits: of all frames, shape (frames * length,).
        batch: their shape.

    Raises:
        ValueError: a question that the protocol does not allow.
    """

    def __init__(self, bits: Bits, batch: Batch) -> None:
        """Hold her bits."""
        self._frames = bits.reshape(batch.frames, batch.length)
        self._layout, self._schedule = Layout(batch), Schedule(batch)
        self._nodes = np.zeros(self._layout.size, np.uint8)
        self._opened = 0

    def open_pass(self, index: int) -> Bits:
        """Parities of the opened blocks of a pass, of all frames."""
        if index != self._opened or index >= len(self._schedule.orders):
            raise ValueError(f"pass must be {self._opened}, not {index}")
        self._opened += 1
        self._layout.fill(self._nodes, self._frames.reshape(-1), self._schedule.orders[index], index)
        start, stop = self._layout.tops(index)
        return self._nodes[start:stop]

    def open_subsets(self) -> Bits:
        """Parities of all subsets, frames first."""
        return subset_parities(self._frames, self._schedule.subsets)

    def blocks(self, nodes: Indices) -> Bits:
        """Parities of blocks, by their places in the layout."""
        try:
            return self._nodes[nodes.view(np.uint32)]  # what is negative becomes too large
        except IndexError:
            raise ValueError("nodes must be places in the layout") from None

    def parts(self, parts: Indices) -> Bits:
        """Parities of the members of subsets within intervals; rows (frame, subset, start, stop)."""
        shape = self._layout.batch
        limits = (shape.frames - 1, len(self._schedule.subsets) - 1, shape.length, shape.length)
        if parts.size and (int(parts.min()) < 0 or (parts.max(axis=0) > limits).any()):
            raise ValueError("parts must be intervals of the subsets")
        return np.array(
            [_part_parity(self._frames, self._schedule.subsets, part) for part in parts], np.uint8
        )


def subset_parities(frames: Bits, subsets: Bits) -> Bits:
    """Parities of all subsets in all frames, frames first."""
    packed = np.packbits(frames, axis=1)[:, None, :] & np.packbits(subsets, axis=1)[None, :, :]
    ones: NDArray[np.uint64] = np.bitwise_count(packed).sum(axis=2)
    return (ones & np.uint64(1)).astype(np.uint8).reshape(-1)


def _part_parity(frames: Bits, subsets: Bits, part: Indices) -> int:
    frame, subset, start, stop = part
    return int(np.bitwise_xor.reduce(frames[frame, start:stop] & subsets[subset, start:stop]))


class Forest(Protocol):
    """Bob's bits and all block parities that he knows of; made by a kernel."""

    bits: Bits

    def open_pass(self, index: int, parities: Bits) -> None:
        """Add a pass, given Alice's parities of its opened blocks."""
        ...

    def settle(self, *, together: bool) -> Generator[Indices, Bits, None]:
        """Correct until no known block is odd; yields questions (places of blocks), takes Alice's parities."""
        ...

    def flip(self, wrong: NDArray[np.int64]) -> None:
        """Correct bits, and carry the change through every block that covers them.

        Raises:
            ProtocolError: a bit would be changed twice, which true parities never ask for.
        """
        ...


class Bob:
    """Bob's side: corrects his bits by asking Alice.

    Args:
        forest: his bits, in a kernel.
        batch: their shape.
        answers: Alice, at the other end.
        together: work on all passes at once: fewer round trips, a few more disclosed parities.
    """

    def __init__(self, forest: Forest, batch: Batch, answers: Answers, *, together: bool = False) -> None:
        """Start from his sifted bits."""
        self._forest = forest
        self._batch = batch
        self._answers = answers
        self._together = together

    def correct(self, subsets: Bits) -> Bits:
        """Run all passes and return the corrected bits, shape (frames * length,)."""
        for index in range(len(self._batch.levels)):
            self._forest.open_pass(index, self._answers.open_pass(index))
            self._settle()
        theirs = self._answers.open_subsets()
        while True:
            frames = self._forest.bits.reshape(self._batch.frames, self._batch.length)
            odd = (subset_parities(frames, subsets) ^ theirs).reshape(self._batch.frames, -1)
            if not odd.any():
                return self._forest.bits
            self._forest.flip(self._bisect_subsets(frames, subsets, odd))
            self._settle()

    def _settle(self) -> None:
        questions = self._forest.settle(together=self._together)
        nodes = next(questions, None)
        while nodes is not None:
            try:
                nodes = questions.send(self._answers.blocks(nodes))
            except StopIteration:
                return

    def _bisect_subsets(self, frames: Bits, subsets: Bits, odd: Bits) -> NDArray[np.int64]:
        """One wrong bit of the first odd subset of each frame that has one."""
        chosen = np.flatnonzero(odd.any(axis=1))
        subset = odd[chosen].argmax(axis=1)
        start = np.zeros(chosen.size, np.int64)
        stop = np.full(chosen.size, self._batch.length, np.int64)
        while (stop - start > 1).any():
            middle = (start + stop + 1) // 2
            open_ = np.flatnonzero(stop - start > 1)
            parts = np.stack((chosen, subset, start, middle), axis=1).astype(np.int32)[open_]
            mine = np.array([_part_parity(frames, subsets, part) for part in parts], np.uint8)
            left = (mine ^ self._answers.parts(parts)) == 1
            stop[open_[left]] = middle[open_[left]]
            start[open_[~left]] = middle[open_[~left]]
        return chosen * self._batch.length + start
