"""The two sides of Cascade: who answers, and who asks and corrects."""

from collections.abc import Callable, Generator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qkd.bits import Bits
from qkd.cascade.layout import PASSES, Batch, Indices, Layout, Schedule
from qkd.cascade.memory import Memory
from qkd.cascade.subsets import Subsets

# With true parities Bob only ever corrects errors, so no bit is flipped twice; without this he might never end.
CONTRADICTION = "the parities contradict each other: the channel was tampered with"


class Answers(Protocol):
    """Who answers Bob's questions: Alice, or what reaches her over a channel. Each call is one round trip."""

    def open_pass(self, index: int) -> Bits:
        """Return the parities of the opened blocks of a pass, of all frames; from the second pass on without each frame's last."""
        ...

    def open_subsets(self) -> Bits:
        """Return the parities of all subsets, frames first."""
        ...

    def blocks(self, nodes: Indices) -> Bits:
        """Return the parities of blocks, by their places in the layout."""
        ...

    def parts(self, parts: Indices) -> Bits:
        """Return the parities of subset members within intervals; rows (frame, subset, start, stop)."""
        ...


class Alice:
    """Alice's side: knows her bits and the schedule, and answers.

    Args:
        bits: of all frames, shape (frames * length,).
        batch: their shape.
        memory: for the parities of her nodes, where whoever asks is in the same process: before a pass is opened, those
            of its nodes are what was left there.

    Raises:
        ValueError: a question that the protocol does not allow.
    """

    def __init__(self, bits: Bits, batch: Batch, memory: Memory | None = None) -> None:
        """Hold her bits."""
        self._frames = bits.reshape(batch.frames, batch.length)
        self._layout, self._schedule = Layout(batch), Schedule(batch)
        self._subsets = Subsets(self._schedule.subsets)
        size = self._layout.size
        self._nodes = memory.array("nodes", size, np.uint8) if memory else np.zeros(size, np.uint8)
        self._opened = 0

    def open_pass(self, index: int) -> Bits:
        """Return the parities of the opened blocks of a pass; from the second pass on without each frame's last."""
        if index != self._opened or index >= PASSES:
            raise ValueError(f"pass must be {self._opened}, not {index}")
        self._opened += 1
        self._layout.fill(self._nodes, self._frames.reshape(-1), self._schedule.orders[index], index)
        start, stop = self._layout.tops(index)
        tops = self._nodes[start:stop].reshape(len(self._frames), -1)
        return (tops[:, :-1] if index else tops).reshape(-1)

    def settle(self, forest: "Forest", *, together: bool) -> tuple[int, int]:
        """Answer all that a forest in the same process asks until it is settled; return round trips and blocks."""
        return forest.settle_beside(self._nodes, together=together)

    def open_subsets(self) -> Bits:
        """Return the parities of all subsets, frames first."""
        return self._subsets.parities(self._frames).reshape(-1)

    def blocks(self, nodes: Indices) -> Bits:
        """Return the parities of blocks, by their places in the layout."""
        try:
            return self._nodes[nodes.view(np.uint32)]  # what is negative becomes too large
        except IndexError:
            raise ValueError("nodes must be places in the layout") from None

    def parts(self, parts: Indices) -> Bits:
        """Return the parities of subset members within intervals; rows (frame, subset, start, stop)."""
        shape = self._layout.batch
        limits = (shape.frames - 1, self._subsets.count - 1, shape.length, shape.length)
        if parts.size and (int(parts.min()) < 0 or (parts.max(axis=0) > limits).any()):
            raise ValueError("parts must be intervals of the subsets")
        return self._subsets.part_parities(self._frames, parts)


class Forest(Protocol):
    """Bob's bits and all block parities that he knows of; made by a kernel."""

    bits: Bits

    def open_pass(self, index: int, parities: Bits) -> None:
        """Add a pass, given Alice's parities of all its opened blocks."""
        ...

    def settle(self, *, together: bool) -> Generator[Indices, Bits, None]:
        """Correct until no known block is odd; yields questions (places of blocks), takes Alice's parities."""
        ...

    def settle_beside(self, alice: Bits, *, together: bool) -> tuple[int, int]:
        """Correct as ``settle`` does, with the parities of Alice's nodes at hand; return round trips and blocks asked for."""
        ...

    def flip(self, wrong: NDArray[np.int64]) -> None:
        """Correct bits, and carry the change into every pass.

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
        together: ask for all passes at once: fewer round trips, a few more disclosed parities.
        settle: settles the forest in place of questions and answers, where Alice is in the same process.
    """

    def __init__(
        self,
        forest: Forest,
        batch: Batch,
        answers: Answers,
        *,
        together: bool = False,
        settle: Callable[[], None] | None = None,
    ) -> None:
        """Start from his sifted bits."""
        self._forest = forest
        self._batch = batch
        self._answers = answers
        self._together = together
        self._settle = settle or self._ask

    def correct(self, members: Bits) -> Bits:
        """Run all passes, given the subsets' members, and return the corrected bits, shape (frames * length,)."""
        self._open_passes()
        subsets = Subsets(members)
        theirs = self._answers.open_subsets().reshape(self._batch.frames, subsets.count)
        frames = self._forest.bits.reshape(self._batch.frames, self._batch.length)
        odd = subsets.parities(frames) ^ theirs
        while (changed := np.flatnonzero(odd.any(axis=1))).size:
            self._forest.flip(self._bisect(subsets, frames, changed, odd[changed].argmax(axis=1)))
            self._settle()
            odd[changed] = subsets.parities(frames[changed]) ^ theirs[changed]
        return self._forest.bits

    def _open_passes(self) -> None:
        whole = np.zeros(self._batch.frames, np.uint8)
        for index in range(PASSES):
            parities = self._answers.open_pass(index).reshape(self._batch.frames, -1)
            if index:
                last = whole ^ np.bitwise_xor.reduce(parities, axis=1)
                parities = np.column_stack((parities, last))
            else:
                whole = np.bitwise_xor.reduce(parities, axis=1)
            self._forest.open_pass(index, parities.reshape(-1))
            self._settle()

    def _ask(self) -> None:
        questions = self._forest.settle(together=self._together)
        nodes = next(questions, None)
        while nodes is not None:
            try:
                nodes = questions.send(self._answers.blocks(nodes))
            except StopIteration:
                return

    def _bisect(
        self, subsets: Subsets, frames: Bits, chosen: NDArray[np.int64], subset: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Find one wrong bit of an odd subset in each of the chosen frames."""
        start = np.zeros(chosen.size, np.int64)
        stop = np.full(chosen.size, self._batch.length, np.int64)
        while (stop - start > 1).any():
            middle = (start + stop + 1) // 2
            open_ = np.flatnonzero(stop - start > 1)
            parts = np.stack((chosen, subset, start, middle), axis=1).astype(np.int32)[open_]
            left = (subsets.part_parities(frames, parts) ^ self._answers.parts(parts)) == 1
            stop[open_[left]] = middle[open_[left]]
            start[open_[~left]] = middle[open_[~left]]
        return chosen * self._batch.length + start
