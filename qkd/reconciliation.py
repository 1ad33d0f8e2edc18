"""Information reconciliation: Bob's bits become Alice's, every disclosed parity counted, the result verified."""

from dataclasses import dataclass

import numpy as np

from qkd import cascade, verification
from qkd.bits import Bits, as_bits, checked_integer, checked_number
from qkd.classical import ClassicalChannel, Purpose

FAMILY = "cascade-option8"
"""Name of the protocol, for records."""

KERNELS = ("auto", "numpy")

MAX_FRAME_BITS = 1 << 20
"""Longer strings are cut into frames of nearly equal length: working memory is about 30 bytes per bit."""

DEFAULT_EPSILON_COR = 1e-15


@dataclass(frozen=True, repr=False)
class ReconciliationResult:
    """Outcome of a reconciliation.

    Attributes:
        bits: Bob's corrected bits, shape (n,); equal to Alice's except with probability ``epsilon_cor`` if verified.
        leaked_bits: parities of Alice's bits that were disclosed; the verification tag is not among them.
        round_trips: requests that Bob had to wait for, the verification's included.
        verified: the tags agreed.
        verification_bits: length of the tag that was disclosed.
        corrected_errors: bits that Bob changed.
        frames: frames that the string was cut into.
    """

    bits: Bits
    leaked_bits: int
    round_trips: int
    verified: bool
    verification_bits: int
    corrected_errors: int
    frames: int

    def __repr__(self) -> str:
        """Everything but the bits."""
        return (
            f"ReconciliationResult({self.bits.size} bits, leaked_bits={self.leaked_bits}, "
            f"round_trips={self.round_trips}, verified={self.verified})"
        )


def reconcile(
    alice_bits: Bits,
    bob_bits: Bits,
    qber: float,
    *,
    seed: int,
    kernel: str = "auto",
    epsilon_cor: float = DEFAULT_EPSILON_COR,
    verification_key: bytes | None = None,
    channel: ClassicalChannel | None = None,
) -> ReconciliationResult:
    """Correct Bob's bits by Cascade and verify them.

    Args:
        alice_bits: Alice's bits, shape (n,), n > 0. They are read on Alice's side only.
        bob_bits: Bob's bits, shape (n,).
        qber: expected error rate, [0, 0.5]: chooses block sizes. A wrong one costs disclosed bits, not correctness.
        seed: public randomness of the passes, a non-negative integer below 2**256, drawn after detection.
        kernel: ``"numpy"``, or ``"auto"`` for the fastest there is.
        epsilon_cor: probability that different strings are called verified, (0, 1).
        verification_key: uniformly random bytes of ``verification.key_size``; derived from the seed if not given.
        channel: carries and counts what is disclosed; one of its own if not given.

    Raises:
        ValueError: an argument outside these ranges, empty or unequal strings.
    """
    alice_bits, bob_bits = as_bits("alice_bits", alice_bits), as_bits("bob_bits", bob_bits)
    if alice_bits.size != bob_bits.size or not alice_bits.size:
        raise ValueError(
            f"alice_bits and bob_bits must be of one length > 0, not {alice_bits.size} and {bob_bits.size}"
        )
    checked_number("qber", qber, 0, 0.5)
    checked_integer("seed", seed, 0, 2**256 - 1)
    checked_number("epsilon_cor", epsilon_cor, 0, 1, open_low=True)
    if kernel not in KERNELS:
        raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, not {kernel!r}")
    channel = ClassicalChannel() if channel is None else channel
    leaked_before, trips_before = channel.disclosed[Purpose.PARITY], channel.round_trips

    frames = -(-alice_bits.size // MAX_FRAME_BITS)
    corrected = np.concatenate(
        [
            _correct_frame(alice, bob, qber, seed=frame_seed, channel=channel)
            for alice, bob, frame_seed in zip(
                np.array_split(alice_bits, frames),
                np.array_split(bob_bits, frames),
                _frame_seeds(seed, frames),
                strict=True,
            )
        ]
    )
    tag_bits = verification.tag_length(alice_bits.size, epsilon_cor)
    key = verification.derived_key(seed, tag_bits) if verification_key is None else verification_key
    theirs = channel.answer(Purpose.VERIFICATION, verification.tag(alice_bits, bits=tag_bits, key=key))
    return ReconciliationResult(
        bits=corrected,
        leaked_bits=channel.disclosed[Purpose.PARITY] - leaked_before,
        round_trips=channel.round_trips - trips_before,
        verified=bool(np.array_equal(theirs, verification.tag(corrected, bits=tag_bits, key=key))),
        verification_bits=tag_bits,
        corrected_errors=int(np.count_nonzero(corrected != bob_bits)),
        frames=frames,
    )


def _frame_seeds(seed: int, frames: int) -> list[int]:
    words = np.random.SeedSequence(seed).generate_state(2 * frames, np.uint64)
    return [int(high) << 64 | int(low) for high, low in words.reshape(frames, 2)]


def _correct_frame(
    alice_bits: Bits, bob_bits: Bits, qber: float, *, seed: int, channel: ClassicalChannel
) -> Bits:
    alice = cascade.Alice(alice_bits, channel)
    return cascade.Bob(bob_bits, alice, cascade.Schedule(bob_bits.size, seed)).correct(qber)
