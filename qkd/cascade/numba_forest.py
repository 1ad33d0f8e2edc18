"""Bob's side of Cascade compiled by numba: the same questions in the same order as ``numpy_forest``.

Optional: the package works without numba. One call of ``advance`` takes Alice's answers and goes on to the next
questions, so that Python is entered once a round trip. A node of the layout is one byte of flags.
"""

from collections.abc import Generator

import numba
import numpy as np
from numpy.typing import NDArray

from qkd.bits import Bits
from qkd.cascade.layout import PASSES, Batch, Indices, Layout, Schedule
from qkd.cascade.memory import Memory
from qkd.cascade.parties import CONTRADICTION
from qkd.classical import ProtocolError

# Difference of Alice's and Bob's parities at known nodes whose halves are not, Bob's parity at unknown nodes; parity
# known; in the front.
_ODD, _KNOWN, _LISTED = 1, 2, 4

# Entries of the front: pass, level, node, and its frame, since a division costs more than the rest of a look.
_PASS, _LEVEL, _NODE, FRAME = 0, 1, 2, 3

# The batch's shape and the state of the search in one record, since every argument of a compiled call costs time.
_STATE = np.dtype(
    [
        ("length", np.int64),  # bits per frame
        ("passes", np.int64),  # opened
        ("front", np.int64),  # entries
        ("asked", np.int64),  # questions waiting for answers
        ("together", np.int64),  # ask for all passes at once
        ("width", np.int64, (PASSES,)),
        ("start", np.int64, (PASSES, 32)),
    ]
)


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
        self._state = np.zeros(1, _STATE)
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
        self._flags[start:stop] |= _KNOWN
        self._flags[start + odd] |= _LISTED
        state = self._state[0]
        first = int(state["front"])
        self._front[_PASS, first : first + odd.size] = index
        self._front[_LEVEL, first : first + odd.size] = self._layout.batch.levels[index]
        self._front[_NODE, first : first + odd.size] = odd
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
        from qkd.cascade import numba_beside  # noqa: PLC0415 - it costs its compiled code, and is built on this module

        self._state["together"] = together
        trips, blocks = numba_beside.settle(
            alice, self._bits, self._flags, self._orders, self._front, self._best, self._state
        )
        if trips < 0:
            raise ProtocolError(CONTRADICTION)
        return int(trips), int(blocks)

    def flip(self, wrong: NDArray[np.int64]) -> None:
        """Correct bits, and carry the change into every pass."""
        for bit in wrong:
            if not _flip(bit, self._bits, self._flags, self._orders, self._front, self._state[0]):
                raise ProtocolError(CONTRADICTION)


@numba.njit(cache=True, nogil=True)
def _flip(bit, bits, flags, orders, front, state):  # type: ignore[no-untyped-def] # compiled
    """Correct a bit, and toggle in each pass the nodes above it up to the lowest that is known."""
    if bits[0, bit] != bits[1, bit]:
        return False
    bits[0, bit] ^= 1
    frame = bit // state.length
    within = bit - frame * state.length
    for index in range(state.passes):
        node = frame * state.width[index] + orders[1, index, within]
        level = 0
        at = state.start[index, 0] + node
        flags[at] ^= _ODD
        while not flags[at] & _KNOWN:
            node >>= 1
            level += 1
            at = state.start[index, level] + node
            flags[at] ^= _ODD
        if flags[at] & (_ODD | _LISTED) == _ODD:
            flags[at] |= _LISTED
            entry = state.front
            front[_PASS, entry], front[_LEVEL, entry] = index, level
            front[_NODE, entry], front[FRAME, entry] = node, frame
            state.front += 1
    return True


@numba.njit(cache=True, nogil=True)
def _learn(answers, flags, front, questions, state):  # type: ignore[no-untyped-def] # compiled
    """Take the answers to the last questions: each node asked about gives way to its odd half."""
    for i in range(state.asked):
        at, entry = questions[i] >> 32, questions[i] & 0xFFFFFFFF
        odd = (flags[at] ^ answers[i]) & _ODD
        flags[at] = odd | _KNOWN
        flags[at + 1] = (1 - odd) | _KNOWN
        flags[at + 1 - odd] |= _LISTED
        front[_LEVEL, entry] -= 1
        front[_NODE, entry] = 2 * front[_NODE, entry] + 1 - odd
    state.asked = 0


@numba.njit(cache=True, nogil=True)
def _move_freely(bits, flags, orders, front, questions, state):  # type: ignore[no-untyped-def] # compiled
    """Do all that needs no question: drop what became even, descend where one half is padding, correct bits."""
    while True:
        kept = wrong = 0
        for entry in range(state.front):
            index, level, node = front[_PASS, entry], front[_LEVEL, entry], np.int64(front[_NODE, entry])
            at = state.start[index, level] + node
            if not flags[at] & _ODD:
                flags[at] &= ~np.uint8(_LISTED)
                continue
            while level > 0 and state.width[index] != state.length:
                left = 2 * node
                if (left % (state.width[index] >> (level - 1)) + 1) << (level - 1) < state.length:
                    break
                level -= 1
                node = left
                at = state.start[index, level] + node
                flags[at], flags[at + 1] = _ODD | _KNOWN | _LISTED, _KNOWN
            if level == 0:
                flags[at] &= ~np.uint8(_LISTED)
                frame = np.int64(front[FRAME, entry])
                bit = frame * state.length + orders[0, index, node - frame * state.width[index]]
                questions[wrong] = at << 32 | bit
                wrong += 1
                continue
            front[_PASS, kept], front[_LEVEL, kept] = index, level
            front[_NODE, kept], front[FRAME, kept] = node, front[FRAME, entry]
            kept += 1
        state.front = kept
        if not wrong:
            return True
        for i in range(wrong):
            # Found in two passes at once, it is corrected by now.
            if flags[questions[i] >> 32] & _ODD and not _flip(
                questions[i] & 0xFFFFFFFF, bits, flags, orders, front, state
            ):
                return False


@numba.njit(cache=True, nogil=True)
def _sort(questions, count):  # type: ignore[no-untyped-def] # compiled
    # As long as a pass goes down for the first time its questions are in order already.
    for i in range(1, count):
        if questions[i] < questions[i - 1]:
            questions[:count].sort()
            return


@numba.njit(cache=True, nogil=True)
def advance(answers, bits, flags, orders, front, questions, best, states):  # type: ignore[no-untyped-def] # compiled
    """Take the answers to the last questions and go on.

    Returns:
        The number of new questions, 0 at the end, -1 if the answers contradict each other.
    """
    state = states[0]
    _learn(answers, flags, front, questions, state)
    if not _move_freely(bits, flags, orders, front, questions, state):
        return -1
    if not state.together:
        best[:] = 1 << 30
        for entry in range(state.front):
            frame = front[FRAME, entry]
            best[frame] = min(best[frame], front[_LEVEL, entry] << 2 | front[_PASS, entry])
    asked = 0
    for entry in range(state.front):
        index = front[_PASS, entry]
        if state.together or best[front[FRAME, entry]] & 3 == index:
            below = state.start[index, front[_LEVEL, entry] - 1] + 2 * np.int64(front[_NODE, entry])
            questions[asked] = below << 32 | entry
            asked += 1
    _sort(questions, asked)
    state.asked = asked
    return asked
