"""Authentication of the classical channel by Wegman-Carter tags over the whole transcript.

Both parties note every message of both directions. At the end of a session Bob sends a tag of what he saw, Alice
compares it with her own and answers with a tag of hers; each now has a key that the other has too, and a last tag
of Bob's tells Alice that he knows so (``qkd.parties``). A message changed, dropped or forged on the way is found,
except with probability ``epsilon_auth``. Three tags instead of one per message keep the key consumption below two
hundred bits, whatever the number of round trips.

A tag is an almost-XOR-universal hash (``qkd.universal``) of the transcript, under a secret key that is used
again and again, XORed with pad bits that are used once. Only the pad is consumed; it comes out of the session's
own yield, and the session gives it back with its key.

Sources: Wegman & Carter, J. Comput. Syst. Sci. 22, 265 (1981); Portmann, *Key recycling in authentication*, IEEE
Trans. Inf. Theory 60 (2014); for authentication after the fact, Kiktenko et al., *Lightweight authentication for
quantum key distribution*, IEEE Trans. Inf. Theory 66 (2020).
"""

import hmac
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from qkd import universal
from qkd.bits import Bits, as_bits
from qkd.classical import Message, ProtocolError
from qkd.randomness import Randomness

DEFAULT_EPSILON_AUTH = 1e-15
"""Probability that a changed transcript passes, all tags of a session together."""

# Longer transcripts (8 GiB) are refused; the hash then adds 5e-23 to what a tag of its length lets pass.
MAX_TRANSCRIPT_BITS = 1 << 36

_HASHED_AT_ONCE = 1 << 14  # bytes: three calls a message would cost more than the hashes


class Tag(IntEnum):
    """The tags of a session, in their order; each has its part of the pad."""

    BOB = 0
    ALICE = 1
    CONFIRMATION = 2


@lru_cache(maxsize=64)
def tag_bits(epsilon_auth: float) -> int:
    """Return the bits of one tag."""
    return universal.tag_length(MAX_TRANSCRIPT_BITS, epsilon_auth / len(Tag))


def consumption(epsilon_auth: float) -> int:
    """Return the pad bits that a session uses up: those of all its tags."""
    return len(Tag) * tag_bits(epsilon_auth)


class PadUsedError(Exception):
    """A part of a pad was to hide a second tag: two tags under one pad tell the hash key."""


class Pad:
    """Secret bits that hide the tags of one session, as one party holds them. Each part can be used once.

    Args:
        bits: ``uint8`` 0/1, shape (3 * tag_bits,).

    Attributes:
        spent: bits that were used.

    Raises:
        ValueError: bits that do not divide into the tags of a session.
    """

    def __init__(self, bits: Bits) -> None:
        """Hold unused bits."""
        if as_bits("pad", bits).size % len(Tag):
            raise ValueError(f"pad must hold {len(Tag)} parts of one length, not {bits.size} bits")
        self._bits = bits
        self._used: set[Tag] = set()

    @property
    def tag_bits(self) -> int:
        """Length of a part."""
        return self._bits.size // len(Tag)

    @property
    def spent(self) -> int:
        """Bits that were used."""
        return len(self._used) * self.tag_bits

    def take(self, tag: Tag) -> Bits:
        """Return the part of a tag, shape (tag_bits,).

        Raises:
            PadUsedError: it was taken before.
        """
        if tag in self._used:
            raise PadUsedError(f"the pad of the tag {tag.name} was used: a session takes a pad of its own")
        self._used.add(tag)
        return self._bits[tag * self.tag_bits : (tag + 1) * self.tag_bits]

    def twin(self) -> "Pad":
        """Return the other party's copy.

        Raises:
            PadUsedError: a part was used.
        """
        if self._used:
            raise PadUsedError("a pad that was used cannot be given to the other party")
        return Pad(self._bits)


@dataclass(frozen=True, repr=False)
class AuthenticationKey:
    """What a party shares with the other before a session.

    Attributes:
        hash_key: secret and used again, ``universal.key_size(tag_bits)`` bytes.
        pad: secret and used for one session.

    Raises:
        ValueError: sizes that do not fit each other.
    """

    hash_key: bytes
    pad: Pad

    def __post_init__(self) -> None:
        """Check the sizes."""
        if len(self.hash_key) != universal.key_size(self.pad.tag_bits):
            raise ValueError("pad and hash_key must be made for tags of one length")

    @classmethod
    def draw(cls, epsilon_auth: float, randomness: Randomness) -> "AuthenticationKey":
        """Draw a fresh key, as two parties receive it at installation."""
        bits = tag_bits(epsilon_auth)
        return cls(randomness.token(universal.key_size(bits)), Pad(randomness.bits(len(Tag) * bits)))

    def twin(self) -> "AuthenticationKey":
        """Return the other party's copy.

        Raises:
            PadUsedError: a part of the pad was used.
        """
        return AuthenticationKey(self.hash_key, self.pad.twin())

    def with_pad(self, bits: Bits) -> "AuthenticationKey":
        """Return the key of the next session, whose pad comes out of this session's yield.

        Raises:
            ValueError: a pad of another length.
        """
        if bits.size != len(Tag) * self.pad.tag_bits:
            raise ValueError(f"pad must be {len(Tag) * self.pad.tag_bits} bits, not {bits.size}")
        return AuthenticationKey(self.hash_key, Pad(bits))


class Transcript:
    """All messages of a session as one party saw them, hashed as they come, many small ones at once.

    Args:
        key: shared with the other party.
    """

    def __init__(self, key: AuthenticationKey) -> None:
        """Start with an empty transcript."""
        self._pad = key.pad
        self._hashes = {
            tag: universal.Hash(bits=key.pad.tag_bits, key=key.hash_key) for tag in Tag
        }  # of one string each, which ends at its tag
        self._bits = 0
        self._waiting = bytearray()

    def add(self, message: Message) -> None:
        """Note a message. Directions alternate, and a header tells where each ends: no two transcripts are alike.

        Raises:
            ProtocolError: the transcript would become longer than ``MAX_TRANSCRIPT_BITS``.
        """
        encoded = message.encode()
        self._bits += 8 * len(encoded)
        if self._bits > MAX_TRANSCRIPT_BITS:
            raise ProtocolError("the transcript is too long to be authenticated")
        self._waiting += encoded
        if len(self._waiting) > _HASHED_AT_ONCE:
            self._hash()

    def _hash(self) -> None:
        data = bytes(self._waiting)
        self._waiting.clear()
        for unfinished in self._hashes.values():
            unfinished.update(data)

    def tag(self, tag: Tag) -> Bits:
        """Return a tag of the transcript so far, shape (tag_bits,).

        Raises:
            PadUsedError: the tag was made before.
        """
        hidden = self._pad.take(tag)
        self._hash()
        return self._hashes.pop(tag).finish() ^ hidden


def same(one: Bits, other: Bits) -> bool:
    """Return whether two tags agree, in a time that does not depend on where they differ."""
    return hmac.compare_digest(one.tobytes(), other.tobytes())
