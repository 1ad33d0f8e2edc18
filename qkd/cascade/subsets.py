"""Parities over random halves of frames: what finds the errors that the blocks of three passes left."""

import numpy as np
from numpy.typing import NDArray

from qkd.bits import Bits
from qkd.cascade.layout import Indices

_WORD = 8  # bytes


class Subsets:
    """Random halves of a frame, packed.

    Args:
        members: ``uint8`` 0/1, shape (subsets, length).
    """

    def __init__(self, members: Bits) -> None:
        """Pack the members."""
        self._members = members
        self._packed = _words(members)

    @property
    def count(self) -> int:
        """Subsets of a frame."""
        return len(self._members)

    def parities(self, frames: Bits) -> Bits:
        """Return the parities of all subsets in frames of shape (frames, length); shape (frames, subsets)."""
        found = np.empty((len(frames), self.count), np.uint8)
        packed = _words(frames)
        for index, members in enumerate(self._packed):
            folded: NDArray[np.uint64] = np.bitwise_xor.reduce(packed & members, axis=1)
            found[:, index] = np.bitwise_count(folded) & 1
        return found

    def part_parities(self, frames: Bits, parts: Indices) -> Bits:
        """Return the parities of members within intervals; rows (frame, subset, start, stop)."""
        return np.array([self._part_parity(frames, *part) for part in parts.tolist()], np.uint8)

    def _part_parity(self, frames: Bits, frame: int, subset: int, start: int, stop: int) -> int:
        return int(np.count_nonzero(frames[frame, start:stop] & self._members[subset, start:stop])) & 1


def _words(rows: Bits) -> NDArray[np.uint64]:
    packed = np.packbits(rows, axis=1)
    return np.pad(packed, ((0, 0), (0, -packed.shape[1] % _WORD))).view(np.uint64)
