"""The simulated quantum channel between two sites: it draws what becomes of the photons, and tells each end its notes.

As a simulator it knows both ends, which no channel does: it runs where either site trusts it, as a process of its own, and
forgets what it drew once both ends have theirs. An eavesdropper may sit in it; the ends are not told.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.kme.sites import wire
from apps.kme.sites.wire import Broken

if TYPE_CHECKING:
    import socket
    import ssl

    from qkd.attacks import Attack
    from qkd.bb84 import AliceRecord, BobRecord, Transmission
    from qkd.channel import Channel

ALICE, BOB = "alice", "bob"
WAITING = (
    8  # transmissions of which one end has its notes and the other has not; the oldest is forgotten first
)
MOST_PULSES = 1 << 40


class QuantumChannel:
    """Transmissions, by session; each end is told its own notes once.

    Args:
        link: the fibre, with source and receiver.
        attack: what Eve does.
        ends: by the common name of its certificate, which end somebody is.
    """

    def __init__(self, link: "Channel", attack: "Attack", ends: Mapping[str, str]) -> None:
        self._link, self._attack, self._ends = link, attack, dict(ends)
        self._waiting: OrderedDict[str, tuple[int, Transmission]] = OrderedDict()
        self._lock = threading.Lock()

    def serve(self, connection: "ssl.SSLSocket") -> None:
        """Answer one end.

        Raises:
            Broken: it is none, or asks for what there is not.
        """
        role = self._ends.get(wire.name_of(connection))
        asked = wire.receive_document(connection)
        if role is None:
            raise Broken("a stranger asked for notes")
        session_id, pulses = asked.get("session"), asked.get("pulses")
        if asked.get("version") != wire.VERSION or not isinstance(session_id, str):
            raise Broken("an end speaks another version")
        if isinstance(pulses, bool) or not isinstance(pulses, int) or not 0 <= pulses <= MOST_PULSES:
            raise Broken("an end asked for an impossible number of pulses")
        for part in self.notes(session_id, role, pulses):
            wire.send(connection, part.tobytes())

    def notes(self, session_id: str, role: str, pulses: int) -> tuple[Any, ...]:
        """What one end noted: bits and bases, and Alice the intensities too. Alice asks first.

        Raises:
            Broken: there is no such transmission, any more or yet, or it has another number of pulses.
        """
        with self._lock:
            if role == ALICE:
                if session_id in self._waiting:
                    raise Broken("Alice has her notes of this session")
                sent = self._transmit(pulses)
                self._waiting[session_id] = (pulses, sent)
                while len(self._waiting) > WAITING:
                    self._waiting.popitem(last=False)
                return sent.alice.bits, sent.alice.bases, sent.alice.intensities
            waits = self._waiting.pop(session_id, None)
            if waits is None or waits[0] != pulses:
                raise Broken("there are no notes of this session for Bob")
            return waits[1].bob.bits, waits[1].bob.bases

    def _transmit(self, pulses: int) -> "Transmission":
        from qkd.bb84 import transmit  # noqa: PLC0415 - the engine is loaded where it runs
        from qkd.randomness import Randomness  # noqa: PLC0415

        return transmit(pulses, self._link, self._attack, Randomness())


def _fetch(connection: "socket.socket", session_id: str, pulses: int, parts: int) -> list[Any]:
    wire.send_document(connection, {"version": wire.VERSION, "session": session_id, "pulses": pulses})
    found = [np.frombuffer(wire.receive(connection, wire.MOST_BYTES), np.uint8) for _ in range(parts)]
    if len({one.size for one in found}) > 1 or any(one.max(initial=0) > 1 for one in found[:2]):
        raise Broken("the quantum channel gave notes that are none")
    return found


def alice_notes(connection: "socket.socket", session_id: str, pulses: int) -> "AliceRecord":
    """Fetch Alice's notes of a session.

    Raises:
        Broken: the channel does not give them.
    """
    from qkd.bb84 import AliceRecord  # noqa: PLC0415

    bits, bases, intensities = _fetch(connection, session_id, pulses, 3)
    return AliceRecord(bits, bases, intensities)


def bob_notes(connection: "socket.socket", session_id: str, pulses: int) -> "BobRecord":
    """Fetch Bob's notes of a session.

    Raises:
        Broken: the channel does not give them.
    """
    from qkd.bb84 import BobRecord  # noqa: PLC0415

    bits, bases = _fetch(connection, session_id, pulses, 2)
    return BobRecord(bits, bases)
