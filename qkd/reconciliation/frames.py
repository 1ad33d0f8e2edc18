"""How a string is cut into frames, and how a batch of them is announced."""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkd import universal
from qkd.bits import Bits

DEFAULT_FRAME_BITS = 1 << 16
MAX_FRAME_BITS = 1 << 20

_BATCH_BITS = 1 << 22  # corrected at once: working memory is about 50 bytes per bit

BATCH = struct.Struct("<II3B32s")
"""Announcement of a batch: first frame and end, levels of the passes, seed of the schedule."""

NODE_BYTES, PART_BYTES = 4, 16
"""Of a block in a question, and of an interval of a subset."""


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
        """Cut a string into as few frames as ``frame_bits`` allows, of nearly that length."""
        count = -(-size // frame_bits)
        return cls(size, count, -(-size // count))

    def to_rows(self, bits: Bits) -> Bits:
        """Return the frames as rows, shape (count, length); the string's own bits where nothing is padded."""
        if self.size == self.count * self.length:
            return bits.reshape(self.count, self.length)
        whole = np.zeros(self.count * self.length, np.uint8)
        whole[: self.size] = bits
        return whole.reshape(self.count, self.length)

    def batches(self) -> list[tuple[int, int]]:
        """Return first frame and end of each batch."""
        step = max(1, _BATCH_BITS // self.length)
        return [(first, min(first + step, self.count)) for first in range(0, self.count, step)]

    def mask(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which bits are in the chosen frames, shape (size,)."""
        return np.repeat(chosen, self.length)[: self.size]

    def tag_bits(self, epsilon_cor: float) -> int:
        """Return the length of a frame's tag with which all frames together meet ``epsilon_cor``."""
        return universal.tag_length(self.length, epsilon_cor / self.count)
