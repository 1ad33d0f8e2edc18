"""Bob's side of Cascade in numpy: the whole front moves at once."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkd.bits import Bits
from qkd.cascade.layout import Batch, Indices, Layout, Schedule
from qkd.cascade.parties import CONTRADICTION
from qkd.classical import ProtocolError

Nodes = NDArray[np.int64]

_NOBODY = 1 << 30


@dataclass
class _Front:
    """Known odd nodes whose halves are unknown. Each array has shape (nodes,)."""

    passes: Nodes
    levels: Nodes
    nodes: Nodes

    def of(self, chosen: NDArray[np.bool_]) -> "_Front":
        return _Front(self.passes[chosen], self.levels[chosen], self.nodes[chosen])

    def with_others(self, others: "list[_Front]") -> "_Front":
        every = [self, *others]
        return _Front(
            np.concatenate([front.passes for front in every]),
            np.concatenate([front.levels for front in every]),
            np.concatenate([front.nodes for front in every]),
        )


class NumpyForest:
    """Bob's bits and what he knows of their blocks.

    ``odd`` holds, at known nodes whose halves are not, the difference of Alice's and Bob's parities; at unknown
    nodes Bob's parity.

    Attributes:
        bits: corrected in place, shape (frames * length,).
    """

    def __init__(self, bits: Bits, batch: Batch, schedule: Schedule) -> None:
        """Start from Bob's sifted bits; they are copied."""
        self.bits = bits.copy()
        self._given = bits
        self._batch = batch
        self._layout = Layout(batch)
        self._width = np.array(self._layout.width)
        self._padded = bool((self._width != batch.length).any())
        self._schedule = schedule
        self._orders = np.stack(schedule.orders)
        self._places: list[Nodes] = []
        self._odd = np.zeros(self._layout.size, np.uint8)
        self._known = np.zeros(self._layout.size, np.bool_)
        nothing = np.zeros(0, np.int64)
        self._front = _Front(nothing, nothing, nothing)

    def open_pass(self, index: int, parities: Bits) -> None:
        """Add a pass, given Alice's parities of all its opened blocks."""
        order = self._schedule.orders[index]
        self._layout.fill(self._odd, self.bits, order, index)
        place = np.empty(self._batch.length, np.int64)
        place[order] = np.arange(self._batch.length)
        self._places.append(place)
        start, stop = self._layout.tops(index)
        self._odd[start:stop] ^= parities
        self._known[start:stop] = True
        self._add([self._new(index, self._batch.levels[index], np.flatnonzero(self._odd[start:stop]))])

    def settle(self, *, together: bool) -> Generator[Indices, Bits, None]:
        """Correct until no known block is odd; yields questions (places of blocks), takes Alice's parities."""
        while True:
            self._move_freely()
            front = self._front
            if not front.nodes.size:
                return
            asked = np.arange(front.nodes.size) if together else np.flatnonzero(self._smallest_first())
            at = self._places_of(front.passes[asked], front.levels[asked] - 1, 2 * front.nodes[asked])
            order = np.argsort(at)
            asked, at = asked[order], at[order]
            self._odd[at] ^= yield at.astype(np.int32)
            self._odd[at + 1] = 1 - self._odd[at]
            self._known[at] = self._known[at + 1] = True
            front.nodes[asked] = 2 * front.nodes[asked] + 1 - self._odd[at]
            front.levels[asked] -= 1

    def settle_beside(self, alice: Bits, *, together: bool) -> tuple[int, int]:
        """Correct until no known block is odd, with Alice's nodes at hand; return round trips, and blocks asked for."""
        trips = blocks = 0
        questions = self.settle(together=together)
        nodes = next(questions, None)
        while nodes is not None:
            trips, blocks = trips + 1, blocks + nodes.size
            try:
                nodes = questions.send(alice[nodes])
            except StopIteration:
                break
        return trips, blocks

    def flip(self, wrong: Nodes) -> None:
        """Correct bits, and carry the change into every pass, up to the lowest node that is known there."""
        if (self.bits[wrong] != self._given[wrong]).any():
            raise ProtocolError(CONTRADICTION)
        self.bits[wrong] ^= 1
        frame, bit = np.divmod(wrong, self._batch.length)
        found = []
        for index, place in enumerate(self._places):
            nodes = np.sort(frame * self._width[index] + place[bit])
            for level in range(self._batch.levels[index] + 1):
                at = nodes + self._layout.start[index, level]
                self._odd[at] ^= 1
                known = self._known[at]
                if known.any():
                    found.append(self._new(index, level, nodes[known & (self._odd[at] == 1)]))
                    nodes = nodes[~known]
                    if not nodes.size:
                        break
                nodes = _parents_to_toggle(nodes)
        self._add(found)

    def _new(self, index: int, level: int, nodes: Nodes) -> _Front:
        return _Front(np.full(nodes.size, index), np.full(nodes.size, level), nodes)

    def _add(self, found: list[_Front]) -> None:
        self._front = self._front.with_others(found)

    def _places_of(self, passes: Nodes, levels: Nodes, nodes: Nodes) -> Nodes:
        places: Nodes = self._layout.start[passes, levels] + nodes
        return places

    def _smallest_first(self) -> NDArray[np.bool_]:
        """Return which nodes of the front belong, in each frame, to the pass that has the smallest."""
        front = self._front
        frames = (front.nodes << front.levels) // self._width[front.passes]
        best = np.full(self._batch.frames, _NOBODY)
        np.minimum.at(best, frames, front.levels << 2 | front.passes)
        chosen: NDArray[np.bool_] = (best[frames] & 3) == front.passes
        return chosen

    def _move_freely(self) -> None:
        """Do all that needs no question: drop what became even, descend where one half is padding, correct bits."""
        while True:
            front = self._front
            self._front = front = front.of(
                self._odd[self._places_of(front.passes, front.levels, front.nodes)] == 1
            )
            self._descend_beside_padding()
            single = front.levels == 0
            if not single.any():
                return
            self._front = front.of(~single)
            passes = front.passes[single]
            frame, place = np.divmod(front.nodes[single], self._width[passes])
            self.flip(np.unique(frame * self._batch.length + self._orders[passes, place]))

    def _descend_beside_padding(self) -> None:
        front, length = self._front, self._batch.length
        while self._padded:
            below = np.maximum(front.levels - 1, 0)
            within = 2 * front.nodes % np.maximum(1, self._width[front.passes] >> below)
            alone = np.flatnonzero((front.levels > 0) & ((within + 1 << below) >= length))
            if not alone.size:
                return
            front.levels[alone] -= 1
            front.nodes[alone] *= 2
            at = self._places_of(front.passes[alone], front.levels[alone], front.nodes[alone])
            self._odd[at], self._odd[at + 1] = 1, 0
            self._known[at] = self._known[at + 1] = True


def _parents_to_toggle(nodes: Nodes) -> Nodes:
    """Return the parents that contain one of the sorted nodes; where both children are given, nothing changes."""
    parents = nodes >> 1
    twice = parents[1:] == parents[:-1]
    if not twice.any():
        return parents
    keep = np.ones(parents.size, np.bool_)
    keep[1:] &= ~twice
    keep[:-1] &= ~twice
    return parents[keep]
