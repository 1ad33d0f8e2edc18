"""The public shape of a batch: block sizes, orders and subsets, and where each block is."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkd.bits import Bits

Indices = NDArray[np.int32]
Order = NDArray[np.int64]
"""Bit of a frame at each place of a pass, shape (length,)."""

PASSES = 3

_FILLED_BITS = 1 << 18
"""Filled at once. What numpy makes on the way is so small that threads find memory for it without the kernel's help."""

# From this length on a frame is long, below the other one short.
_LONG, _SHORT = 1 << 15, 1 << 14

_THIRD_PASS_LEVEL, _THIRD_PASS_LEVEL_OF_LONG_FRAMES = 13, 14
_QUICK_THIRD_PASS_LEVEL = 12


def block_levels(length: int, qber: float, *, together: bool = False) -> tuple[int, int, int]:
    """Return log2 of the block sizes of passes 1 to 3; a frame always has at least two blocks, if it has two bits.

    With ``together`` the second pass has blocks of a quarter of the size: chains of corrections that pull each
    other then end after a third of the round trips, for two percent more of disclosed parities.
    """
    largest = max(0, (length - 1).bit_length() - 1)
    # Below half an error per frame a smaller rate says nothing more.
    alpha = math.log2(1 / min(0.5, max(qber, 0.5 / length))) - 0.5
    # The published formula with what measurement adds: blocks of 8 from 7 % on (as in their table 3), the second
    # pass rounded to the nearest, the third larger. It discloses 0.1 % less than the published sizes.
    first, second = math.ceil(alpha - 2 * qber), round((alpha + 12) / 2)
    wanted = (first, second, _THIRD_PASS_LEVEL if length < _LONG else _THIRD_PASS_LEVEL_OF_LONG_FRAMES)
    if together:
        wanted = (first, max(first + 1, second - 2), _QUICK_THIRD_PASS_LEVEL)
    return (min(wanted[0], largest), min(wanted[1], largest), min(wanted[2], largest))


def subset_count(length: int) -> int:
    """Return the number of random halves of a frame.

    Eleven, as published, leave errors in a few frames of ten thousand. Frames in which the third pass has two blocks
    only, as published lengths have, get one more. Short frames, which are a whole session, get twenty: nine bits are
    less than a session lost.
    """
    if length < _SHORT:
        return 20
    return 12 if length < _LONG else 11


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

    def opened(self, index: int) -> int:
        """Return the parities that open a pass; from the second pass on each frame's last block follows by itself."""
        blocks = -(-self.length >> self.levels[index])
        return self.frames * (blocks - 1 if index else blocks)


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
        """Return first node and end of the opened blocks of a pass; none of them is padding only."""
        start = int(self.start[index, self.batch.levels[index]])
        return start, start + self.batch.frames * (self.width[index] >> self.batch.levels[index])

    def fill(self, nodes: Bits, bits: Bits, order: Order, index: int) -> None:
        """Write the parities of all blocks of a pass of ``bits``, shape (frames * length,), into ``nodes``."""
        batch, width = self.batch, self.width[index]
        frames = bits.reshape(batch.frames, batch.length)
        at_once = max(1, _FILLED_BITS // width)
        for first in range(0, batch.frames, at_once):
            few = frames[first : first + at_once]
            below = self._level(nodes, index, 0, first, len(few))
            leaves = below.reshape(len(few), width)
            if index:
                np.take(few, order, 1, leaves[:, : batch.length], "clip")
            else:
                leaves[:, : batch.length] = few
            leaves[:, batch.length :] = 0
            for level in range(1, batch.levels[index] + 1):
                above = self._level(nodes, index, level, first, len(few))
                pairs = below.view(np.uint16)  # twice as fast as two strided halves
                above[:] = pairs ^ (pairs >> 8)
                below = above

    def _level(self, nodes: Bits, index: int, level: int, first: int, frames: int) -> Bits:
        """Return the nodes of one level of some frames."""
        start, width = int(self.start[index, level]), self.width[index] >> level
        return nodes[start + first * width : start + (first + frames) * width]


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
