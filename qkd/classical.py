"""The classical channel: public, and authenticated at the end of a session. It counts every bit that crosses it.

Bob asks, Alice answers: each exchange is one round trip. The parties may share a process (``LocalChannel``) or be
at the two ends of a stream socket (``SocketChannel`` and ``serve``); what crosses is the same bytes.
"""

import socket
import struct
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import numpy as np

from qkd.bits import Bits


class Purpose(StrEnum):
    """Why bits cross the channel. The first three, from Alice, depend on her raw key."""

    SAMPLE = "sample"
    PARITY = "parity"
    VERIFICATION = "verification"
    SIFTING = "sifting"
    CONTROL = "control"
    AUTHENTICATION = "authentication"


class Kind(IntEnum):
    """What an exchange is about."""

    SIFT = 1
    SAMPLE = 2
    COUNTS = 3
    BATCH = 4
    PASS = 5
    SUBSETS = 6
    BLOCKS = 7
    PARTS = 8
    TAGS = 9
    AMPLIFY = 10
    AUTHENTICATE = 11


_ANSWER_PURPOSE = {
    Kind.SIFT: Purpose.SIFTING,
    Kind.SAMPLE: Purpose.SAMPLE,
    Kind.PASS: Purpose.PARITY,
    Kind.SUBSETS: Purpose.PARITY,
    Kind.BLOCKS: Purpose.PARITY,
    Kind.PARTS: Purpose.PARITY,
    Kind.TAGS: Purpose.VERIFICATION,
    Kind.AUTHENTICATE: Purpose.AUTHENTICATION,
}
_QUESTION_PURPOSE = {Kind.SIFT: Purpose.SIFTING, Kind.AUTHENTICATE: Purpose.AUTHENTICATION}

_HEADER = struct.Struct("<BI")
MAX_MESSAGE_BITS = 1 << 31
"""Longer messages are refused: a peer cannot make the other run out of memory."""


class ProtocolError(Exception):
    """The other side breaks the protocol or is gone."""


@dataclass(frozen=True, repr=False)
class Message:
    """One message.

    Attributes:
        kind: what it is about.
        body: ``bits`` bits, packed most significant first; what is left of the last byte is 0.
        bits: length of the information.
    """

    kind: Kind
    body: bytes
    bits: int

    @classmethod
    def of_bytes(cls, kind: Kind, body: bytes = b"") -> "Message":
        """Make a message of whole bytes."""
        return cls(kind, body, 8 * len(body))

    @classmethod
    def of_bits(cls, kind: Kind, bits: Bits) -> "Message":
        """Make a message of single bits."""
        return cls(kind, np.packbits(bits).tobytes(), bits.size)

    def to_bits(self) -> Bits:
        """Return the body as bits, shape (bits,)."""
        return np.unpackbits(np.frombuffer(self.body, np.uint8), count=self.bits)

    def encode(self) -> bytes:
        """Return the message as it goes over the wire."""
        return _HEADER.pack(self.kind, self.bits) + self.body


class ClassicalChannel(ABC):
    """Bob's end of the channel.

    Attributes:
        to_alice: bits sent to Alice, by purpose.
        to_bob: bits sent to Bob, by purpose.
        round_trips: questions that were answered.
    """

    def __init__(self) -> None:
        """Open an unused channel."""
        self.to_alice: Counter[Purpose] = Counter()
        self.to_bob: Counter[Purpose] = Counter()
        self.round_trips = 0

    @property
    def disclosed(self) -> dict[Purpose, int]:
        """Bits about Alice's raw key, by purpose."""
        return {
            purpose: self.to_bob[purpose]
            for purpose in (Purpose.SAMPLE, Purpose.PARITY, Purpose.VERIFICATION)
        }

    @property
    def traffic(self) -> int:
        """All bits of information that crossed, both ways."""
        return self.to_alice.total() + self.to_bob.total()

    def ask(self, question: Message) -> Message:
        """Send a question and wait for the answer, counting both.

        Raises:
            ProtocolError: the answer is not one to this question, or there is none.
        """
        self.to_alice[_QUESTION_PURPOSE.get(question.kind, Purpose.CONTROL)] += question.bits
        answer = self._exchange(question)
        if answer.kind != question.kind or len(answer.body) != (answer.bits + 7) // 8:
            raise ProtocolError(f"the answer to {question.kind.name} is malformed")
        self.to_bob[_ANSWER_PURPOSE.get(answer.kind, Purpose.CONTROL)] += answer.bits
        self.round_trips += 1
        return answer

    @abstractmethod
    def _exchange(self, question: Message) -> Message: ...


class LocalChannel(ClassicalChannel):
    """A channel to an Alice in the same process."""

    def __init__(self, answer: Callable[[Message], Message]) -> None:
        """Connect to what answers for Alice."""
        super().__init__()
        self._answer = answer

    def _exchange(self, question: Message) -> Message:
        return self._answer(question)


class SocketChannel(ClassicalChannel):
    """A channel over a connected stream socket, whose timeout is the caller's to set."""

    def __init__(self, connection: socket.socket) -> None:
        """Use a connection; it stays the caller's to close."""
        super().__init__()
        self._connection = connection

    def _exchange(self, question: Message) -> Message:
        self._connection.sendall(question.encode())
        answer = receive(self._connection)
        if answer is None:
            raise ProtocolError("Alice hung up")
        return answer


def receive(connection: socket.socket) -> Message | None:
    """Read the next message of a connection; None at its end.

    Raises:
        ProtocolError: malformed, longer than ``MAX_MESSAGE_BITS``, or cut off.
    """
    header = _read(connection, _HEADER.size)
    if not header:
        return None
    number, bits = _HEADER.unpack(header)
    if number not in list(Kind) or bits > MAX_MESSAGE_BITS:
        raise ProtocolError("a message has an unknown kind or an impossible length")
    return Message(Kind(number), _read(connection, (bits + 7) // 8, all_of_it=True), bits)


def serve(connection: socket.socket, answer: Callable[[Message], Message]) -> None:
    """Answer the questions of a connection, as Alice, until Bob hangs up.

    Raises:
        ProtocolError: Bob's messages are malformed, or ask what the protocol does not allow.
    """
    while (question := receive(connection)) is not None:
        connection.sendall(answer(question).encode())


def _read(connection: socket.socket, size: int, *, all_of_it: bool = False) -> bytes:
    parts: list[bytes] = []
    missing = size
    while missing and (part := connection.recv(min(missing, 1 << 20))):
        parts.append(part)
        missing -= len(part)
    if missing and (all_of_it or parts):
        raise ProtocolError("the connection ended within a message")
    return b"".join(parts)
