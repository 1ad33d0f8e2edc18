"""Bob's side of Cascade compiled by numba: the same questions in the same order as ``cascade_numpy``.

Optional: the package works without numba. One call of ``_advance`` takes Alice's answers and goes on to the next
questions, so that Python is entered once a round trip. A node of the layout is one byte of flags.
"""

from collections.abc import Generator

import numba
import numpy as np
from numpy.typing import NDArray

from qkd.bits import Bits
from qkd.cascade import CONTRADICTION, Batch, Indices, Layout, Schedule
from qkd.classical import ProtocolError

# Difference of Alice's and Bob's parities where known, Bob's parity elsewhere; parity known; listed as a suspect;
# has a chosen block below it.
_ODD, _KNOWN, _LISTED, _ABOVE = 1, 2, 4, 8

# The batch's shape and the state of the search in one record, since every argument of a compiled call costs time.
_STATE = np.dtype(
    [
        ("length", np.int64),  # bits per frame
        ("passes", np.int64),  # opened
        ("level", np.int64),  # of the bisection, -1 if there is none
        ("active", np.int64),  # blocks bisected
        ("asked", np.int64),  # questions waiting for answers
        ("together", np.int64),  # work on all passes at once
        ("width", np.int64, (3,)),
        ("levels", np.int64, (3,)),
        ("listed", np.int64, (3,)),  # suspects of each pass
        ("start", np.int64, (3, 32)),
        ("odd_count", np.int64, (3, 32)),  # known odd blocks of each level
    ]
)


class NumbaForest:
    """Bob's bits and what he knows of their blocks.

    Attributes:
        bits: corrected in place, shape (frames * length,).
    """

    def __init__(self, bits: Bits, batch: Batch, schedule: Schedule) -> None:
        """Start from Bob's sifted bits; they are copied."""
        # Second row: as they were given.
        self._bits = np.stack((bits, bits))
        self.bits = self._bits[0]
        self._layout = layout = Layout(batch)
        self._schedule = schedule
        self._flags = np.zeros(layout.size, np.uint8)
        # Bit at each place of a pass, and place of each bit.
        self._orders = np.stack((np.stack(schedule.orders), np.argsort(schedule.orders, axis=1))).astype(
            np.int32
        )
        blocks = batch.frames * max(layout.width)
        # A pass lists each of its nodes at most once; the blocks bisected in a pass are disjoint.
        self._suspects = np.zeros((3, 2 * blocks), np.int32)
        self._active = np.zeros(
            (4, 3 * blocks), np.int32
        )  # block, its pass, level that it joins at; questions
        self._state = np.zeros(1, _STATE)
        state = self._state[0]
        state["length"], state["level"] = batch.length, -1
        state["width"], state["levels"] = layout.width, batch.levels
        state["start"][:, : layout.start.shape[1]] = layout.start

    def open_pass(self, index: int, parities: Bits) -> None:
        """Add a pass, given Alice's parities of its opened blocks."""
        self._layout.fill(self._flags, self.bits, self._schedule.orders[index], index)
        start, stop = self._layout.tops(index)
        self._flags[start:stop] ^= parities
        odd = np.flatnonzero(self._flags[start:stop])
        self._flags[start:stop] |= _KNOWN
        self._flags[start + odd] |= _LISTED
        self._suspects[index, : odd.size] = start + odd
        state = self._state[0]
        state["listed"][index] = state["odd_count"][index, self._layout.batch.levels[index]] = odd.size
        state["passes"] = index + 1

    def settle(self, *, together: bool) -> Generator[Indices, Bits, None]:
        """Correct until no known block is odd; yields questions (places of blocks), takes Alice's parities."""
        self._state["together"] = together
        answers = np.zeros(0, np.uint8)
        bits, flags, orders, suspects, active, state = (
            self._bits,
            self._flags,
            self._orders,
            self._suspects,
            self._active,
            self._state,
        )
        while asked := _advance(answers, bits, flags, orders, suspects, active, state):
            if asked < 0:
                raise ProtocolError(CONTRADICTION)
            answers = yield active[3, :asked].copy()

    def flip(self, wrong: NDArray[np.int64]) -> None:
        """Correct bits, and carry the change through every block that covers them."""
        if not _flip(wrong, self._bits, self._flags, self._orders, self._suspects, self._state):
            raise ProtocolError(CONTRADICTION)


@numba.njit(cache=True)
def _list(index, node, flags, suspects, state):  # type: ignore[no-untyped-def] # compiled
    if not flags[node] & _LISTED:
        flags[node] |= _LISTED
        suspects[index, state.listed[index]] = node
        state.listed[index] += 1


@numba.njit(cache=True)
def _flip(wrong, bits, flags, orders, suspects, states):  # type: ignore[no-untyped-def] # compiled
    state = states[0]
    for bit in wrong:
        if bits[0, bit] != bits[1, bit]:
            return False
        bits[0, bit] ^= 1
        frame = bit // state.length
        within = bit - frame * state.length
        for index in range(state.passes):
            node = frame * state.width[index] + orders[1, index, within]
            for level in range(state.levels[index] + 1):
                at = state.start[index, level] + (node >> level)
                flags[at] ^= _ODD
                if flags[at] & _KNOWN:
                    if flags[at] & _ODD:
                        state.odd_count[index, level] += 1
                        _list(index, at, flags, suspects, state)
                    else:
                        state.odd_count[index, level] -= 1
    return True


@numba.njit(cache=True)
def _high_levels_first(first, count, active):  # type: ignore[no-untyped-def] # compiled
    """Reorder blocks that lie in ascending order of level; within a level they keep theirs."""
    ordered = np.empty((3, count - first), np.int32)
    filled, stop = 0, count
    while stop > first:
        begin = stop - 1
        while begin > first and active[2, begin - 1] == active[2, begin]:
            begin -= 1
        ordered[:, filled : filled + stop - begin] = active[:3, begin:stop]
        filled += stop - begin
        stop = begin
    active[:3, first:count] = ordered


@numba.njit(cache=True)
def _choose(index, count, flags, suspects, active, state):  # type: ignore[no-untyped-def] # compiled
    """Append the minimal odd blocks of a pass to the active ones, highest level first; return their number."""
    odd = 0
    for i in range(state.listed[index]):
        node = suspects[index, i]
        if flags[node] & _ODD:
            suspects[index, odd] = node
            odd += 1
        else:
            flags[node] &= ~np.uint8(_LISTED)
    state.listed[index] = odd
    # Levels lie one after the other: in ascending order all smaller blocks come first.
    suspects[index, :odd].sort()
    level = 0
    first = count
    for i in range(odd):
        node = suspects[index, i]
        if flags[node] & _ABOVE:
            continue
        while level < state.levels[index] and node >= state.start[index, level + 1]:
            level += 1
        active[0, count], active[1, count], active[2, count] = node - state.start[index, level], index, level
        count += 1
        above = node - state.start[index, level]
        for upper in range(level + 1, state.levels[index] + 1):
            above >>= 1
            flags[state.start[index, upper] + above] |= _ABOVE
    for i in range(first, count):
        above = active[0, i]
        for upper in range(active[2, i] + 1, state.levels[index] + 1):
            above >>= 1
            flags[state.start[index, upper] + above] &= ~np.uint8(_ABOVE)
    _high_levels_first(first, count, active)
    return count


@numba.njit(cache=True)
def _start(flags, suspects, active, state):  # type: ignore[no-untyped-def] # compiled
    """Choose what to bisect next; False if no known block is odd."""
    best, best_level = -1, 1 << 30
    state.active = 0
    for index in range(state.passes):
        for level in range(state.levels[index] + 1):
            if state.odd_count[index, level] > 0:
                if state.together:
                    best = index
                    state.active = _choose(index, state.active, flags, suspects, active, state)
                elif level < best_level:
                    best, best_level = index, level
                break
    if best >= 0 and not state.together:
        state.active = _choose(best, 0, flags, suspects, active, state)
    state.level = -1
    for i in range(state.active):
        state.level = max(state.level, active[2, i])
    return best >= 0


@numba.njit(cache=True)
def _ask(flags, active, state):  # type: ignore[no-untyped-def] # compiled
    """Questions of the level below the current one; what follows from the parent is filled in."""
    level, asked = state.level - 1, 0
    for i in range(state.active):
        if active[2, i] <= level:
            continue
        index = active[1, i]
        left = 2 * np.int64(active[0, i])
        at = state.start[index, level] + left
        if flags[at] & _KNOWN:
            continue
        state.odd_count[index, level] += 1
        if (left % (state.width[index] >> level) + 1) << level >= state.length:
            flags[at] |= _ODD | _KNOWN
            flags[at + 1] |= _KNOWN
        else:
            active[3, asked] = at
            asked += 1
    return asked


@numba.njit(cache=True)
def _descend(flags, suspects, active, state):  # type: ignore[no-untyped-def] # compiled
    """Go down one level, all parities of which are known."""
    state.level -= 1
    level = state.level
    for i in range(state.active):
        if active[2, i] > level:
            index = active[1, i]
            left = 2 * np.int64(active[0, i])
            at = state.start[index, level] + left
            if not flags[at] & _ODD:
                left, at = left + 1, at + 1
            active[0, i] = left
            _list(index, at, flags, suspects, state)


@numba.njit(cache=True)
def _advance(answers, bits, flags, orders, suspects, active, states):  # type: ignore[no-untyped-def] # compiled
    """Take the answers to the last questions and go on.

    Returns:
        The number of new questions, 0 at the end, -1 if the answers contradict each other.
    """
    state = states[0]
    for i in range(state.asked):
        at = active[3, i]
        flags[at] = (flags[at] ^ answers[i]) | _KNOWN
        flags[at + 1] = (flags[at + 1] & ~np.uint8(_ODD)) | _KNOWN | (1 - (flags[at] & _ODD))
    state.asked = 0
    if state.level > 0:
        _descend(flags, suspects, active, state)
    while True:
        if state.level < 0 and not _start(flags, suspects, active, state):
            return 0
        while state.level > 0:
            asked = _ask(flags, active, state)
            if asked:
                state.asked = asked
                return asked
            _descend(flags, suspects, active, state)
        wrong = np.empty(state.active, np.int64)
        for i in range(state.active):
            index = active[1, i]
            frame = active[0, i] // state.width[index]
            wrong[i] = frame * state.length + orders[0, index, active[0, i] - frame * state.width[index]]
        if not _flip(np.unique(wrong), bits, flags, orders, suspects, states):
            return -1
        state.level = -1
