"""Authentication of the classical channel by Wegman-Carter tags over the whole transcript.

Both parties note every message of both directions. At the end of a session Bob sends a tag of what he saw, Alice
compares it with her own, answers with a tag of hers, and only then is the key released: a message changed, dropped
or forged on the way is found, except with probability ``epsilon_auth``. One tag per direction instead of one per
message keeps the key consumption at some hundred bits, whatever the number of round trips.

A tag is an almost-XOR-universal hash (``qkd.universal``) of the transcript, under a secret key that is used
again and again, XORed with pad bits that are used once. Only the pad is consumed; it comes out of the session's
own yield, and the session gives it back with its key.

Sources: Wegman & Carter, J. Comput. Syst. Sci. 22, 265 (1981); Portmann, *Key recycling in authentication*, IEEE
Trans. Inf. Theory 60 (2014); for authentication after the fact, Kiktenko et al., *Lightweight authentication for
quantum key distribution*, IEEE Trans. Inf. Theory 66 (2020).
"""

from dataclasses import dataclass

import numpy as np

from qkd import universal
from qkd.bits import Bits, as_bits
from qkd.classical import Message
from qkd.randomness import Randomness

DEFAULT_EPSILON_AUTH = 1e-15
"""Probability that a changed transcript passes, both directions together."""

# Transcripts are shorter than this (8 GiB); the hash then adds 5e-23 to what a tag of its length lets pass.
_MAX_TRANSCRIPT_BITS = 1 << 36

_TAGS = 2


def tag_bits(epsilon_auth: float) -> int:
    """Return the bits of one tag."""
    return universal.tag_length(_MAX_TRANSCRIPT_BITS, epsilon_auth / _TAGS)


def consumption(epsilon_auth: float) -> int:
    """Return the pad bits that a session uses up: one tag in each direction."""
    return _TAGS * tag_bits(epsilon_auth)


@dataclass(frozen=True, repr=False)
class AuthenticationKey:
    """What both parties share before a session.

    Attributes:
        hash_key: secret and used again, ``universal.key_size(tag_bits)`` bytes.
        pad: secret and used once, ``uint8`` 0/1, shape (2 * tag_bits,); Bob's tag takes the first half.

    Raises:
        ValueError: sizes that do not fit each other.
    """

    hash_key: bytes
    pad: Bits

    def __post_init__(self) -> None:
        """Check the sizes."""
        as_bits("pad", self.pad)
        if self.pad.size % _TAGS or len(self.hash_key) != universal.key_size(self.pad.size // _TAGS):
            raise ValueError("pad and hash_key must be made for tags of one length")

    @classmethod
    def draw(cls, epsilon_auth: float, randomness: Randomness) -> "AuthenticationKey":
        """Draw a fresh key, as two parties receive it at installation."""
        bits = tag_bits(epsilon_auth)
        return cls(randomness.token(universal.key_size(bits)), randomness.bits(_TAGS * bits))

    def with_pad(self, pad: Bits) -> "AuthenticationKey":
        """Return the key of the next session, whose pad comes out of this session's yield.

        Raises:
            ValueError: a pad of another length.
        """
        if pad.size != self.pad.size:
            raise ValueError(f"pad must be {self.pad.size} bits, not {pad.size}")
        return AuthenticationKey(self.hash_key, pad)


class Transcript:
    """All messages of a session as one party saw them.

    Args:
        key: shared with the other party.
    """

    def __init__(self, key: AuthenticationKey) -> None:
        """Start with an empty transcript."""
        self._key = key
        self._messages = bytearray()
        self._bits = key.pad.size // _TAGS

    def add(self, message: Message) -> None:
        """Note a message. Directions alternate, and a header tells where each ends: no two transcripts are alike."""
        self._messages += message.encode()

    def bob_tag(self) -> Bits:
        """Return Bob's tag of the transcript so far."""
        return self._tag() ^ self._key.pad[: self._bits]

    def alice_tag(self) -> Bits:
        """Return Alice's tag of the transcript so far, which includes Bob's."""
        return self._tag() ^ self._key.pad[self._bits :]

    def _tag(self) -> Bits:
        return universal.tag(bytes(self._messages), bits=self._bits, key=self._key.hash_key)


def same(one: Bits, other: Bits) -> bool:
    """Return whether two tags agree."""
    return bool(np.array_equal(one, other))
