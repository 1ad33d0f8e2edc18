"""The classical channel: public, and authenticated at the end of a session. It counts every bit that crosses it.

Bob asks, Alice answers: each exchange is one round trip. The parties may share a process (``LocalChannel``) or be
at the two ends of a stream socket (``SocketChannel`` and ``serve``); what crosses is the same bytes.
"""

import socket
import struct
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol

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
    AGREE = 12
    CONFIRM = 13


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
_QUESTION_PURPOSE = {
    Kind.SIFT: Purpose.SIFTING,
    Kind.AUTHENTICATE: Purpose.AUTHENTICATION,
    Kind.CONFIRM: Purpose.AUTHENTICATION,
}

_HEADER = struct.Struct("<BI")
MAX_MESSAGE_BITS = 1 << 31
"""No message is longer, whatever the protocol would allow."""


class ProtocolError(Exception):
    """The other side breaks the protocol or is gone."""


class ConnectionLostError(ProtocolError):
    """The other side is gone or silent: what was under way may be settled over a new connection."""


@dataclass(frozen=True, repr=False)
class Message:
    """One message.

    Attributes:
        kind: what it is about.
        body: ``bits`` bits, packed most significant first; what is left of the last byte is 0.
        bits: length of the information.

    Raises:
        ProtocolError: a body of another length, or one whose last byte is not padded with zeros.
    """

    kind: Kind
    body: bytes
    bits: int

    def __post_init__(self) -> None:
        """Check that the body can be written in one way only."""
        if len(self.body) != (self.bits + 7) // 8:
            raise ProtocolError(f"{self.kind.name} has {len(self.body)} bytes for {self.bits} bits")
        if self.body and self.body[-1] & ((1 << -self.bits % 8) - 1):
            raise ProtocolError(f"{self.kind.name} has padding bits that are not zero")

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

    def include(self, to_alice: Counter[Purpose], to_bob: Counter[Purpose], round_trips: int) -> None:
        """Count what crossed beside this channel."""
        self.to_alice += to_alice
        self.to_bob += to_bob
        self.round_trips += round_trips

    def ask(self, question: Message, bits: int, *, fewest: int | None = None) -> Message:
        """Send a question and wait for the answer, counting both.

        Args:
            question: to Alice.
            bits: length of the answer; its greatest length where ``fewest`` is given.
            fewest: its smallest length.

        Raises:
            ProtocolError: the answer is not one to this question, or not of the length that it must have.
            ConnectionLostError: there is no answer.
        """
        self.to_alice[_QUESTION_PURPOSE.get(question.kind, Purpose.CONTROL)] += question.bits
        answer = self._exchange(question, bits)
        if answer.kind is not question.kind:
            raise ProtocolError(f"{answer.kind.name} is no answer to {question.kind.name}")
        if not (bits if fewest is None else fewest) <= answer.bits <= bits:
            raise ProtocolError(
                f"the answer to {question.kind.name} has {answer.bits} bits instead of {bits}"
            )
        self.to_bob[_ANSWER_PURPOSE.get(answer.kind, Purpose.CONTROL)] += answer.bits
        self.round_trips += 1
        return answer

    @abstractmethod
    def _exchange(self, question: Message, longest: int) -> Message:
        """Send a question and return the answer, of which no more than ``longest`` bits need be read."""


class LocalChannel(ClassicalChannel):
    """A channel to an Alice in the same process."""

    def __init__(self, answer: Callable[[Message], Message]) -> None:
        """Connect to what answers for Alice."""
        super().__init__()
        self._answer = answer

    def _exchange(self, question: Message, longest: int) -> Message:  # noqa: ARG002 - nothing is read
        return self._answer(question)


class SocketChannel(ClassicalChannel):
    """A channel over a connected stream socket, whose timeout is the caller's to set: it ends each message too."""

    def __init__(self, connection: socket.socket) -> None:
        """Use a connection; it stays the caller's to close."""
        super().__init__()
        self._connection = connection

    def reconnect(self, connection: socket.socket) -> None:
        """Go on over another connection, after the first was lost."""
        self._connection = connection

    def _exchange(self, question: Message, longest: int) -> Message:
        send(self._connection, question)
        answer = receive(self._connection, longest)
        if answer is None:
            raise ConnectionLostError("Alice hung up")
        return answer


class Answering(Protocol):
    """Who answers at the other end: Alice."""

    @property
    def longest_question(self) -> int:
        """Bits of the longest question that may come now."""
        ...

    def answer(self, question: Message) -> Message:
        """Answer one question."""
        ...


def serve(connection: socket.socket, alice: Answering) -> None:
    """Answer the questions of a connection, as Alice, until Bob hangs up.

    Raises:
        ProtocolError: Bob's messages are malformed, or ask what the protocol does not allow.
        ConnectionLostError: Bob is silent for longer than the socket's timeout, or gone within a message.
    """
    while (question := receive(connection, alice.longest_question)) is not None:
        send(connection, alice.answer(question))


def send(connection: socket.socket, message: Message) -> None:
    """Send a message.

    Raises:
        ConnectionLostError: the other side does not take it.
    """
    try:
        connection.sendall(message.encode())
    except OSError as error:
        raise ConnectionLostError(f"{message.kind.name} could not be sent: {error}") from error


def receive(connection: socket.socket, longest: int = MAX_MESSAGE_BITS) -> Message | None:
    """Read the next message of a connection; None at its end.

    Raises:
        ProtocolError: malformed, or announced to be longer than ``longest`` bits; its body is then not read.
        ConnectionLostError: it does not come within the socket's timeout, or is cut off.
    """
    timeout = connection.gettimeout()
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        header = _read(connection, _HEADER.size, deadline)
        if not header:
            return None
        number, bits = _HEADER.unpack(header)
        if number not in list(Kind) or bits > min(longest, MAX_MESSAGE_BITS):
            raise ProtocolError("a message has an unknown kind or an impossible length")
        return Message(Kind(number), _read(connection, (bits + 7) // 8, deadline, all_of_it=True), bits)
    except OSError as error:
        raise ConnectionLostError(f"no message came: {error}") from error
    finally:
        connection.settimeout(timeout)


def _read(connection: socket.socket, size: int, deadline: float | None, *, all_of_it: bool = False) -> bytes:
    parts: list[bytes] = []
    missing = size
    while missing:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            connection.settimeout(left)
        part = connection.recv(min(missing, 1 << 20))
        if not part:
            break
        parts.append(part)
        missing -= len(part)
    if missing and (all_of_it or parts):
        raise ConnectionLostError("the connection ended within a message")
    return b"".join(parts)
