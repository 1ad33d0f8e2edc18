"""Bob's side of Cascade in numpy: all minimal odd blocks of a pass are bisected at once."""

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from qkd.bits import Bits
from qkd.cascade import CONTRADICTION, Batch, Indices, Layout, Schedule
from qkd.classical import ProtocolError

Nodes = NDArray[np.int64]


class NumpyForest:
    """Bob's bits and what he knows of their blocks.

    ``odd`` holds, where ``known``, the difference of Alice's and Bob's parities, and elsewhere Bob's parity.
    ``suspects`` are nodes, by pass and level, that may have become known and odd; ``odd_count`` says how many
    nodes of a level are.

    Attributes:
        bits: corrected in place, shape (frames * length,).
    """

    def __init__(self, bits: Bits, batch: Batch, schedule: Schedule) -> None:
        """Start from Bob's sifted bits; they are copied."""
        self.bits = bits.copy()
        self._given = bits
        self._batch = batch
        self._layout = Layout(batch)
        self._schedule = schedule
        self._odd = np.zeros(self._layout.size, np.uint8)
        self._known = np.zeros(self._layout.size, np.bool_)
        self._odd_count = np.zeros(self._layout.start.shape, np.int64)
        self._suspects: list[dict[int, list[Nodes]]] = []
        self._places: list[Nodes] = []

    def open_pass(self, index: int, parities: Bits) -> None:
        """Add a pass, given Alice's parities of its opened blocks."""
        batch, order, top = self._batch, self._schedule.orders[index], self._batch.levels[index]
        self._layout.fill(self._odd, self.bits, order, index)
        place = np.empty(batch.length, np.int64)
        place[order] = np.arange(batch.length)
        self._places.append(place)
        start, stop = self._layout.tops(index)
        self._odd[start:stop] ^= parities
        self._known[start:stop] = True
        odd = np.flatnonzero(self._odd[start:stop])
        self._suspects.append({top: [odd]})
        self._odd_count[index, top] = odd.size

    def settle(self, *, together: bool) -> Generator[Indices, Bits, None]:
        """Correct until no known block is odd; yields questions (places of blocks), takes Alice's parities."""
        while True:
            lowest = [int(np.argmax(counts > 0)) if counts.any() else -1 for counts in self._odd_count]
            passes = [index for index, level in enumerate(lowest) if level >= 0]
            if not passes:
                return
            if not together:
                passes = [min(passes, key=lambda index: lowest[index])]
            wrong = yield from self._bisect({index: self._minimal_odd_blocks(index) for index in passes})
            self.flip(wrong)

    def _minimal_odd_blocks(self, index: int) -> dict[int, Nodes]:
        """Known odd blocks of a pass that contain no smaller one; the others stay suspects. They are disjoint."""
        suspects = self._suspects[index]
        chosen: dict[int, Nodes] = {}
        waiting: dict[int, list[Nodes]] = {}
        ancestors = np.zeros(0, np.int64)
        for level in range(max(suspects) + 1):
            ancestors = np.unique(ancestors >> 1) if ancestors.size else ancestors
            listed = suspects.get(level)
            if listed is None:
                continue
            nodes = np.unique(np.concatenate(listed)) if len(listed) > 1 else listed[0]
            nodes = nodes[self._odd[nodes + self._layout.start[index, level]] == 1]
            if ancestors.size and nodes.size:
                blocked = np.isin(nodes, ancestors, assume_unique=True)
                if blocked.any():
                    waiting[level] = [nodes[blocked]]
                    nodes = nodes[~blocked]
            if nodes.size:
                chosen[level] = nodes
                ancestors = np.union1d(ancestors, nodes) if ancestors.size else nodes
        # Chosen blocks stay suspects: corrections found through other passes may leave one odd.
        self._suspects[index] = waiting
        for level, nodes in chosen.items():
            waiting.setdefault(level, []).append(nodes)
        return chosen

    def _bisect(self, chosen: dict[int, dict[int, Nodes]]) -> Generator[Indices, Bits, Nodes]:
        """One wrong bit of each of the odd blocks (by pass, then level)."""
        level = max(max(levels) for levels in chosen.values())
        nodes = {index: levels.get(level, np.zeros(0, np.int64)) for index, levels in chosen.items()}
        while level > 0:
            level -= 1
            yield from self._learn(level, nodes)
            for index, parents in nodes.items():
                left = parents * 2
                below = left + 1 - self._odd[left + self._layout.start[index, level]]
                nodes[index] = (
                    np.concatenate((below, chosen[index][level])) if level in chosen[index] else below
                )
        return np.unique(np.concatenate([self._bits_of(index, leaves) for index, leaves in nodes.items()]))

    def _learn(self, level: int, parents: dict[int, Nodes]) -> Generator[Indices, Bits, None]:
        """Make the parities of the children of odd nodes known, asking only for what does not follow."""
        fresh: list[Nodes] = []
        asked: list[Nodes] = []
        for index, nodes in parents.items():
            start, per_frame = int(self._layout.start[index, level]), self._layout.width[index] >> level
            left = nodes * 2
            unknown = left[~self._known[left + start]]
            # The right child is padding only: the left one is as odd as its parent.
            alone = (unknown % per_frame + 1) << level >= self._batch.length
            self._odd[unknown[alone] + start] = 1
            fresh.append(unknown + start)
            asked.append(unknown[~alone] + start)
            self._odd_count[index, level] += unknown.size
        questions = np.concatenate(asked)
        if questions.size:
            self._odd[questions] ^= yield questions.astype(np.int32)
        every = np.concatenate(fresh)
        self._odd[every + 1] = 1 - self._odd[every]
        self._known[every] = True
        self._known[every + 1] = True
        for index, nodes in parents.items():
            left = nodes * 2
            odd_child = left + 1 - self._odd[left + self._layout.start[index, level]]
            if odd_child.size:
                self._suspects[index].setdefault(level, []).append(odd_child)

    def _bits_of(self, index: int, leaves: Nodes) -> Nodes:
        frame, place = np.divmod(leaves, self._layout.width[index])
        bits: Nodes = frame * self._batch.length + self._schedule.orders[index][place]
        return bits

    def flip(self, wrong: Nodes) -> None:
        """Correct bits, and carry the change through every block that covers them."""
        if (self.bits[wrong] != self._given[wrong]).any():
            raise ProtocolError(CONTRADICTION)
        self.bits[wrong] ^= 1
        frame, bit = np.divmod(wrong, self._batch.length)
        for index, place in enumerate(self._places):
            nodes = np.sort(frame * self._layout.width[index] + place[bit])
            for level in range(self._batch.levels[index] + 1):
                at = nodes + self._layout.start[index, level]
                self._odd[at] ^= 1
                known = self._known[at]
                touched = nodes[known]
                if touched.size:
                    now_odd = int(np.count_nonzero(self._odd[at[known]]))
                    self._odd_count[index, level] += 2 * now_odd - touched.size
                    if now_odd:
                        self._suspects[index].setdefault(level, []).append(touched)
                nodes = _toggled_parents(nodes)


def _toggled_parents(nodes: Nodes) -> Nodes:
    """Parents that contain one of the sorted nodes; where both children are given, nothing changes."""
    parents = nodes >> 1
    twice = parents[1:] == parents[:-1]
    if not twice.any():
        return parents
    keep = np.ones(parents.size, np.bool_)
    keep[1:] &= ~twice
    keep[:-1] &= ~twice
    return parents[keep]
