"""Alice's side: she answers for the parities and tags of her bits."""

import struct

import numpy as np

from qkd import cascade, verification
from qkd.bits import Bits
from qkd.cascade import Batch
from qkd.classical import Kind, Message, ProtocolError
from qkd.reconciliation.frames import BATCH, Frames


class AliceReconciliation:
    """Alice's side: answers for the parities and tags of her bits.

    Args:
        bits: hers, shape (n,), n > 0.
        frame_bits: as agreed.
        epsilon_cor: as agreed.

    Attributes:
        leaked_bits: parities that she has disclosed, by her own count.
        verification_bits: tag bits that she has disclosed.
    """

    def __init__(self, bits: Bits, *, frame_bits: int, epsilon_cor: float) -> None:
        """Hold her bits."""
        self.frames = Frames.of(bits.size, frame_bits)
        self.leaked_bits = self.verification_bits = 0
        self._bits = self.frames.to_rows(bits)
        self._tag_bits = self.frames.tag_bits(epsilon_cor)
        self._waiting = self.frames.batches()
        self._batch: cascade.Alice | None = None

    def answer(self, question: Message) -> Message:
        """Answer one question.

        Raises:
            ProtocolError: a question that the protocol does not allow now.
        """
        kind, body = question.kind, question.body
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
        self.leaked_bits += parities.size
        return Message.of_bits(kind, parities)

    @staticmethod
    def _parities(batch: cascade.Alice, kind: Kind, body: bytes) -> Bits:
        match kind:
            case Kind.PASS:
                return batch.open_pass(body[0])
            case Kind.SUBSETS:
                return batch.open_subsets()
            case Kind.BLOCKS:
                return batch.blocks(np.frombuffer(body, np.int32))
            case Kind.PARTS:
                return batch.parts(np.frombuffer(body, np.int32).reshape(-1, 4))
        raise ProtocolError(f"{kind.name} does not belong to reconciliation")

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
        self._batch = cascade.Alice(self._bits[first:stop].reshape(-1), batch)

    def _tags(self, key: bytes) -> Message:
        if self._waiting or self.verification_bits:
            raise ProtocolError("tags are asked for once, after the last batch")
        tags = np.concatenate([verification.tag(row, bits=self._tag_bits, key=key) for row in self._bits])
        self.verification_bits = tags.size
        return Message.of_bits(Kind.TAGS, tags)
