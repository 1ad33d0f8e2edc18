"""The classical channel: public, and taken to be authenticated. It counts what crosses it."""

from collections import Counter
from enum import StrEnum

from qkd.bits import Bits


class Purpose(StrEnum):
    """Why bits that depend on Alice's raw key are made public."""

    SAMPLE = "sample"
    PARITY = "parity"
    VERIFICATION = "verification"


class ClassicalChannel:
    """Carries what Alice discloses about her bits, and counts it by purpose.

    Requests, bases and seeds are public too but say nothing about the key, so they are counted as round trips only.
    What Bob's requests in Cascade tell (where his errors are) is dealt with in ``qkd.finite_key``.

    Attributes:
        disclosed: bits about Alice's raw key, by purpose.
        round_trips: requests that were answered.
    """

    def __init__(self) -> None:
        """Open an unused channel."""
        self.disclosed: Counter[Purpose] = Counter()
        self.round_trips = 0

    def answer(self, purpose: Purpose, bits: Bits) -> Bits:
        """Carry Alice's answer to one request."""
        self.disclosed[purpose] += bits.size
        self.round_trips += 1
        return bits
