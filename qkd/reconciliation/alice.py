"""Alice's side: she answers for the parities and tags of her bits."""

import struct
from collections import Counter
from copy import copy

import numpy as np

from qkd import cascade, universal, verification
from qkd.bits import Bits
from qkd.cascade import Batch
from qkd.classical import MAX_MESSAGE_BITS, ClassicalChannel, Kind, Message, ProtocolError, Purpose
from qkd.reconciliation.frames import BATCH, NODE_BYTES, PART_BYTES, Frames


class AliceReconciliation:
    """Alice's side: answers for the parities and tags of her bits.

    Args:
        bits: hers, shape (n,), n > 0.
        frame_bits: as agreed.
        epsilon_cor: as agreed.
        most_parities: at which she stops, since no key can be left; None where she goes on for the sake of a study.

    Attributes:
        leaked_bits: parities that she has disclosed, by her own count.
        verification_bits: tag bits that she has disclosed.
    """

    def __init__(
        self, bits: Bits, *, frame_bits: int, epsilon_cor: float, most_parities: int | None = None
    ) -> None:
        """Hold her bits."""
        self.frames = Frames.of(bits.size, frame_bits)
        self.leaked_bits = self.verification_bits = 0
        self._most = MAX_MESSAGE_BITS if most_parities is None else most_parities
        self._bits = self.frames.to_rows(bits)
        self._tag_bits = self.frames.tag_bits(epsilon_cor)
        self._waiting = self.frames.batches()
        self._batch: cascade.Alice | None = None
        self._memory: cascade.Memory | None = None

    @property
    def memory(self) -> "cascade.Memory | None":
        """Working memory that Bob, in the same process, shares with her."""
        return self._memory

    def use(self, memory: cascade.Memory) -> None:
        """Work in memory that was used for another batch, whose Bob is in this process."""
        self._memory = memory

    def apart(self) -> "list[AliceReconciliation]":
        """Return an Alice for each batch to come, who answers for that one alone; they share her bits."""
        others = []
        for batch in self._waiting:
            other = copy(self)
            other.leaked_bits = 0
            other._waiting, other._most = [batch], self._most - self.leaked_bits  # noqa: SLF001 - her like
            others.append(other)
        return others

    def include(self, parities: int) -> None:
        """Take over what those that ``apart`` returned have disclosed; all batches are over."""
        self._waiting, self._batch = [], None
        self._disclose(parities)

    def _disclose(self, parities: int) -> None:
        self.leaked_bits += parities
        if self.leaked_bits >= self._most:
            raise ProtocolError(
                f"reconciliation has asked for {self.leaked_bits} parities: no key can be left"
            )

    def answer(self, question: Message) -> Message:
        """Answer one question.

        Raises:
            ProtocolError: a question that the protocol does not allow now.
        """
        kind, body = question.kind, question.body
        if question.bits % 8 or question.bits > self.longest(kind):
            raise ProtocolError(f"{kind.name} is not of a length that the protocol allows")
        try:
            if kind is Kind.BATCH:
                self._open(body)
                return Message.of_bytes(kind)
            if kind is Kind.TAGS:
                return self._tags(body)
            if self._batch is None:
                raise ProtocolError("no batch is open")
            parities = self._parities(self._batch, kind, body)
        except (ValueError, struct.error) as error:
            raise ProtocolError(f"{kind.name} is not a question of the protocol: {error}") from None
        self._disclose(parities.size)
        return Message.of_bits(kind, parities)

    def settle(self, forest: cascade.Forest, channel: ClassicalChannel, *, together: bool) -> None:
        """Answer all that a forest in the same process asks until it is settled, and count it as messages would be.

        Raises:
            ProtocolError: no batch is open, or no key can be left.
        """
        if self._batch is None:
            raise ProtocolError("no batch is open")
        trips, blocks = self._batch.settle(forest, together=together)
        asked, answered = (
            Counter({Purpose.CONTROL: 8 * NODE_BYTES * blocks}),
            Counter({Purpose.PARITY: blocks}),
        )
        channel.include(asked, answered, trips)
        self._disclose(blocks)

    def longest(self, kind: Kind) -> int:
        """Return the bits of the longest question of a kind that may come now."""
        left = self._most - self.leaked_bits
        match kind:
            case Kind.BATCH:
                return 8 * BATCH.size
            case Kind.PASS:
                return 8
            case Kind.BLOCKS:
                return 8 * NODE_BYTES * left
            case Kind.PARTS:
                return 8 * PART_BYTES * min(left, self.frames.count)
            case Kind.TAGS:
                return 8 * universal.key_size(self._tag_bits)
        return 0

    @staticmethod
    def _parities(batch: cascade.Alice, kind: Kind, body: bytes) -> Bits:
        match kind:
            case Kind.PASS if len(body) == 1:
                return batch.open_pass(body[0])
            case Kind.SUBSETS if not body:
                return batch.open_subsets()
            case Kind.BLOCKS:
                return batch.blocks(np.frombuffer(body, np.int32))
            case Kind.PARTS:
                return batch.parts(np.frombuffer(body, np.int32).reshape(-1, 4))
        raise ProtocolError(f"{kind.name} is not a question of reconciliation, or malformed")

    def _open(self, body: bytes) -> None:
        first, stop, *levels, seed = BATCH.unpack(body)
        if not self._waiting or (first, stop) != self._waiting.pop(0):
            raise ProtocolError("the batches are not those agreed")
        largest = max(cascade.block_levels(self.frames.length, 0))
        if max(levels) > largest:
            raise ProtocolError("the blocks are larger than the frame")
        batch = Batch(
            stop - first,
            self.frames.length,
            (levels[0], levels[1], levels[2]),
            int.from_bytes(seed, "little"),
        )
        self._batch = cascade.Alice(self._bits[first:stop].reshape(-1), batch, self._memory)

    def _tags(self, key: bytes) -> Message:
        if self._waiting or self.verification_bits:
            raise ProtocolError("tags are asked for once, after the last batch")
        tags = verification.tags(self._bits, bits=self._tag_bits, key=key)
        self.verification_bits = tags.size
        return Message.of_bits(Kind.TAGS, tags)
