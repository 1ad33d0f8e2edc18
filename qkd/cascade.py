"""Cascade, "option 8", as two parties: Alice answers for parities, Bob finds and corrects his errors.

Martinez-Mateo, Pacher, Peev, Ciurana, Martin, *Demystifying the Information Reconciliation Protocol Cascade*,
Quantum Information & Computation 15 (2015): block sizes 2^ceil(a), 2^ceil((a+12)/2), 2^12 with
a = log2(1/Q) - 1/2 in passes 1 to 3, then random halves of the frame in passes 4 to 14; every parity ever
learned, those of sub-blocks too, is reused. All minimal odd blocks of a pass are bisected at once, which is what
makes numpy fast and round trips few.

Frames of any length: the blocks of a pass are the nodes of a binary tree over its order of the bits; the last node
of a level may cover fewer bits, and where a node has no right child its left child needs no question.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkd.bits import Bits
from qkd.classical import ClassicalChannel, Purpose

Indices = NDArray[np.int32]

SUBSET_PASSES = 11
"""Passes 4 to 14."""

_THIRD_PASS_LEVEL = 12


def block_levels(length: int, qber: float) -> tuple[int, int, int]:
    """log2 of the block sizes of passes 1 to 3; a frame always has at least two blocks, if it has two bits."""
    largest = max(0, (length - 1).bit_length() - 1)
    # Below half an error per frame a smaller rate says nothing more.
    alpha = math.log2(1 / min(0.5, max(qber, 0.5 / length))) - 0.5
    wanted = (math.ceil(alpha), math.ceil((alpha + _THIRD_PASS_LEVEL) / 2), _THIRD_PASS_LEVEL)
    return (min(wanted[0], largest), min(wanted[1], largest), min(wanted[2], largest))


def parity_tree(bits: Bits, levels: int) -> list[Bits]:
    """Parities of all blocks: entry ``l`` has shape (ceil(n / 2**l),), a zero appended where that is odd."""
    tree = []
    for _ in range(levels + 1):
        padded = np.append(bits, np.uint8(0)) if bits.size & 1 else bits.copy()
        tree.append(padded)
        bits = padded[0::2] ^ padded[1::2]
    return tree


def _size(length: int, level: int) -> int:
    return -(-length >> level)


class Schedule:
    """The public choices of a frame, which both parties make from the same seed: orders and subsets.

    Args:
        length: bits in the frame, > 0.
        seed: drawn after Bob's detection.
    """

    def __init__(self, length: int, seed: int) -> None:
        """Start from the seed."""
        self._length = length
        self._rng = np.random.Generator(np.random.PCG64(seed))

    def order(self, index: int) -> Indices:
        """Order of the bits in pass ``index``: position to bit, shape (length,). The first pass keeps theirs."""
        natural = np.arange(self._length, dtype=np.int32)
        return natural if index == 0 else self._rng.permutation(natural)

    def subset(self) -> Indices:
        """A uniformly random subset of the bits, ascending."""
        packed = np.frombuffer(self._rng.bytes((self._length + 7) // 8), np.uint8)
        return np.flatnonzero(np.unpackbits(packed, count=self._length)).astype(np.int32)


class Alice:
    """Alice's side: she knows her bits and the schedule, and answers; the channel counts each parity."""

    def __init__(self, bits: Bits, channel: ClassicalChannel) -> None:
        """Hold her bits, shape (length,)."""
        self._bits = bits
        self._channel = channel
        self._trees: list[list[Bits]] = []
        self._subsets: list[Bits] = []

    def _answer(self, parities: Bits) -> Bits:
        return self._channel.answer(Purpose.PARITY, parities)

    def open_pass(self, order: Indices, level: int) -> Bits:
        """Parities of all blocks of a new pass."""
        tree = parity_tree(self._bits[order], level)
        self._trees.append(tree)
        return self._answer(tree[level][: _size(self._bits.size, level)])

    def block_parities(self, index: int, level: int, nodes: NDArray[np.int64]) -> Bits:
        """Parities of single blocks of pass ``index``."""
        return self._answer(self._trees[index][level][nodes])

    def open_subset(self, members: Indices) -> int:
        """Parity of a new subset."""
        self._subsets.append(self._bits[members])
        return self.subset_parity(len(self._subsets) - 1, 0, members.size)

    def subset_parity(self, index: int, start: int, stop: int) -> int:
        """Parity of the members ``start`` to ``stop`` of a subset, in ascending order."""
        parity = np.bitwise_xor.reduce(self._subsets[index][start:stop], keepdims=True)
        return int(self._answer(parity)[0])


@dataclass
class _Pass:
    """Bob's view of one pass.

    ``odd[l]`` holds, where ``known[l]``, the difference of Alice's and Bob's parities, and elsewhere Bob's parity.
    ``suspects[l]`` are nodes that may have become known and odd, to be looked at.
    """

    order: Indices
    position: Indices
    odd: list[Bits]
    known: list[NDArray[np.bool_]]
    suspects: dict[int, list[NDArray[np.int64]]] = field(default_factory=dict)


class Bob:
    """Bob's side: corrects his bits by asking Alice.

    Attributes:
        bits: his bits, corrected in place, shape (length,).
    """

    def __init__(self, bits: Bits, alice: Alice, schedule: Schedule) -> None:
        """Start from his sifted bits."""
        self.bits = bits.copy()
        self._alice = alice
        self._schedule = schedule
        self._passes: list[_Pass] = []
        self._subsets: list[Indices] = []
        self._subset_member: list[NDArray[np.bool_]] = []
        self._subset_odd: list[int] = []

    def correct(self, qber: float) -> Bits:
        """Run all passes and return the corrected bits."""
        for level in block_levels(self.bits.size, qber):
            self._open_pass(level)
            self._settle()
        for _ in range(SUBSET_PASSES):
            self._open_subset()
            while 1 in self._subset_odd:
                self._flip(self._bisect_subset(self._subset_odd.index(1)))
                self._settle()
        return self.bits

    def _open_pass(self, level: int) -> None:
        index, length = len(self._passes), self.bits.size
        order = self._schedule.order(index)
        position = np.empty_like(order)
        position[order] = np.arange(length, dtype=np.int32)
        odd = parity_tree(self.bits[order], level)
        known = [np.zeros(nodes.size, np.bool_) for nodes in odd]
        blocks = _size(length, level)
        odd[level][:blocks] ^= self._alice.open_pass(order, level)
        known[level][:blocks] = True
        opened = _Pass(order, position, odd, known)
        opened.suspects[level] = [np.flatnonzero(odd[level])]
        self._passes.append(opened)

    def _settle(self) -> None:
        """Bisect until no known parity is odd: always the smallest odd blocks first, of one pass at a time."""
        while any(view.suspects for view in self._passes):
            index = min(
                (i for i, view in enumerate(self._passes) if view.suspects),
                key=lambda i: (min(self._passes[i].suspects), i),
            )
            chosen = self._minimal_odd_blocks(self._passes[index])
            if chosen:
                self._flip(self._bisect(index, chosen))

    @staticmethod
    def _minimal_odd_blocks(view: _Pass) -> dict[int, NDArray[np.int64]]:
        """Known odd blocks that contain no smaller one; the others stay suspects. They are disjoint."""
        chosen: dict[int, NDArray[np.int64]] = {}
        waiting: dict[int, list[NDArray[np.int64]]] = {}
        ancestors = np.zeros(0, np.int64)
        for level in range(max(view.suspects) + 1):
            ancestors = np.unique(ancestors >> 1) if ancestors.size else ancestors
            listed = view.suspects.get(level)
            if listed is None:
                continue
            nodes = np.unique(np.concatenate(listed)) if len(listed) > 1 else listed[0]
            nodes = nodes[view.odd[level][nodes] == 1]
            if ancestors.size and nodes.size:
                blocked = np.isin(nodes, ancestors, assume_unique=True)
                if blocked.any():
                    waiting[level] = [nodes[blocked]]
                    nodes = nodes[~blocked]
            if nodes.size:
                chosen[level] = nodes
                ancestors = np.union1d(ancestors, nodes) if ancestors.size else nodes
        view.suspects = waiting
        return chosen

    def _bisect(self, index: int, chosen: dict[int, NDArray[np.int64]]) -> Indices:
        """One wrong bit of each of the odd blocks (level to nodes)."""
        view = self._passes[index]
        level = max(chosen)
        nodes = chosen[level]
        while level > 0:
            level -= 1
            left = nodes * 2
            self._learn(index, level, left)
            nodes = left + 1 - view.odd[level][left]
            if level in chosen:
                nodes = np.concatenate((nodes, chosen[level]))
        return view.order[nodes]

    def _learn(self, index: int, level: int, left: NDArray[np.int64]) -> None:
        """Make the parities of the children of odd nodes known, asking only for what does not follow."""
        view = self._passes[index]
        odd, known = view.odd[level], view.known[level]
        fresh = left[~known[left]]
        if not fresh.size:
            return
        last = _size(self.bits.size, level) - 1
        asked = fresh[fresh < last]
        if asked.size:
            odd[asked] ^= self._alice.block_parities(index, level, asked)
        odd[fresh[fresh == last]] = 1  # an only child is as odd as its parent
        odd[fresh + 1] = 1 - odd[fresh]
        known[fresh] = True
        known[fresh + 1] = True

    def _flip(self, wrong: Indices) -> None:
        """Correct bits and carry the change through every parity that covers them."""
        self.bits[wrong] ^= 1
        for view in self._passes:
            nodes = np.sort(view.position[wrong]).astype(np.int64)
            for level, (odd, known) in enumerate(zip(view.odd, view.known, strict=True)):
                odd[nodes] ^= 1
                touched = nodes[known[nodes]]
                if touched.size:
                    view.suspects.setdefault(level, []).append(touched)
                nodes = _toggled_parents(nodes)
        for index, member in enumerate(self._subset_member):
            self._subset_odd[index] ^= int(np.count_nonzero(member[wrong])) & 1

    def _open_subset(self) -> None:
        members = self._schedule.subset()
        member = np.zeros(self.bits.size, np.bool_)
        member[members] = True
        parity = int(np.bitwise_xor.reduce(self.bits[members]))
        self._subset_odd.append(parity ^ self._alice.open_subset(members))
        self._subsets.append(members)
        self._subset_member.append(member)

    def _bisect_subset(self, index: int) -> Indices:
        """One wrong bit of an odd subset."""
        members = self._subsets[index]
        start, stop = 0, members.size
        while stop - start > 1:
            middle = (start + stop) // 2
            mine = int(np.bitwise_xor.reduce(self.bits[members[start:middle]]))
            if mine ^ self._alice.subset_parity(index, start, middle):
                stop = middle
            else:
                start = middle
        return members[start : start + 1]


def _toggled_parents(nodes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Parents that contain one of the sorted nodes; where both children are given, nothing changes."""
    parents = nodes >> 1
    twice = parents[1:] == parents[:-1]
    if not twice.any():
        return parents
    keep = np.ones(parents.size, np.bool_)
    keep[1:] &= ~twice
    keep[:-1] &= ~twice
    return parents[keep]
