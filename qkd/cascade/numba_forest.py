"""Bob's side of Cascade compiled by numba: the same questions in the same order as ``numpy_forest``.

Optional: the package works without numba. One call of ``advance`` takes Alice's answers and goes on to the next
questions, so that Python is entered once a round trip.
"""

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from qkd.bits import Bits
from qkd.cascade import numba_search
from qkd.cascade.layout import Batch, Indices, Layout, Schedule
from qkd.cascade.memory import Memory
from qkd.cascade.numba_search import FRAME, KNOWN, LEVEL, LISTED, NODE, PASS, STATE, advance, flip
from qkd.cascade.parties import CONTRADICTION
from qkd.classical import ProtocolError


class NumbaForest:
    """Bob's bits and what he knows of their blocks.

    Attributes:
        bits: corrected in place, shape (frames * length,).
    """

    def __init__(self, bits: Bits, batch: Batch, schedule: Schedule, memory: Memory | None = None) -> None:
        """Start from Bob's sifted bits; they are copied, into memory that may have been used before."""
        memory = memory or Memory()
        # Second row: as they were given.
        self._bits = memory.array("bits", 2 * bits.size, np.uint8).reshape(2, bits.size)
        self._bits[:] = bits
        self.bits = self._bits[0]
        self._layout = layout = Layout(batch)
        self._schedule = schedule
        self._flags = memory.array("flags", layout.size, np.uint8)  # those of a pass are set as it is opened
        # Bit at each place of a pass, and place of each bit.
        orders = np.stack(schedule.orders)
        places = np.empty_like(orders)
        np.put_along_axis(places, orders, np.arange(batch.length)[None, :], axis=1)
        self._orders = np.stack((orders, places)).astype(np.int32)
        # Nodes of the front are disjoint within a pass; what is not used is never touched.
        capacity = batch.frames * sum(layout.width)
        self._front = memory.array("front", 4 * capacity, np.int32).reshape(4, capacity)
        self._questions = memory.array(
            "questions", capacity, np.int64
        )  # place of the node asked for, and its entry
        self._best = np.empty(batch.frames, np.int32)
        self._state = np.zeros(1, STATE)
        state = self._state[0]
        state["length"] = batch.length
        state["width"] = layout.width
        state["start"][:, : layout.start.shape[1]] = layout.start

    def open_pass(self, index: int, parities: Bits) -> None:
        """Add a pass, given Alice's parities of all its opened blocks."""
        self._layout.fill(self._flags, self.bits, self._schedule.orders[index], index)
        start, stop = self._layout.tops(index)
        self._flags[start:stop] ^= parities
        odd = np.flatnonzero(self._flags[start:stop])
        self._flags[start:stop] |= KNOWN
        self._flags[start + odd] |= LISTED
        state = self._state[0]
        first = int(state["front"])
        self._front[PASS, first : first + odd.size] = index
        self._front[LEVEL, first : first + odd.size] = self._layout.batch.levels[index]
        self._front[NODE, first : first + odd.size] = odd
        per_frame = self._layout.width[index] >> self._layout.batch.levels[index]
        self._front[FRAME, first : first + odd.size] = odd // per_frame
        state["front"] += odd.size
        state["passes"] = index + 1

    def settle(self, *, together: bool) -> Generator[Indices, Bits, None]:
        """Correct until no known block is odd; yields questions (places of blocks), takes Alice's parities."""
        self._state["together"] = together
        answers = np.zeros(0, np.uint8)
        search = (
            self._bits,
            self._flags,
            self._orders,
            self._front,
            self._questions,
            self._best,
            self._state,
        )
        while asked := advance(answers, *search):
            if asked < 0:
                raise ProtocolError(CONTRADICTION)
            answers = yield (self._questions[:asked] >> 32).astype(np.int32)

    def settle_beside(self, alice: Bits, *, together: bool) -> tuple[int, int]:
        """Correct until no known block is odd, with Alice's nodes at hand; return round trips, and blocks asked for."""
        self._state["together"] = together
        trips, blocks = numba_search.settle_beside(
            alice, self._bits, self._flags, self._orders, self._front, self._best, self._state
        )
        if trips < 0:
            raise ProtocolError(CONTRADICTION)
        return int(trips), int(blocks)

    def flip(self, wrong: NDArray[np.int64]) -> None:
        """Correct bits, and carry the change into every pass."""
        for bit in wrong:
            if not flip(bit, self._bits, self._flags, self._orders, self._front, self._state[0]):
                raise ProtocolError(CONTRADICTION)
