"""Reconciliation of two strings in one process."""

from qkd import universal
from qkd.bits import Bits, as_bits, as_integer, as_number
from qkd.classical import LocalChannel
from qkd.reconciliation.alice import AliceReconciliation
from qkd.reconciliation.bob import DEFAULT_EPSILON_COR, ReconciliationResult, reconcile_as_bob
from qkd.reconciliation.frames import DEFAULT_FRAME_BITS, MAX_FRAME_BITS, Frames


def reconcile(
    alice_bits: Bits,
    bob_bits: Bits,
    qber: float,
    *,
    seed: int,
    kernel: str = "auto",
    epsilon_cor: float = DEFAULT_EPSILON_COR,
    verification_key: bytes | None = None,
    frame_bits: int = DEFAULT_FRAME_BITS,
    low_latency: bool = False,
) -> ReconciliationResult:
    """Correct Bob's bits by Cascade and verify them, both parties in this process.

    Args:
        alice_bits: Alice's bits, shape (n,), n > 0. They are read on Alice's side only.
        bob_bits: Bob's bits, shape (n,).
        qber: expected error rate, [0, 0.5]: chooses block sizes. A wrong one costs disclosed bits, not correctness.
        seed: public randomness of the passes, a non-negative integer below 2**256, drawn after detection.
        kernel: ``"numpy"``, ``"numba"``, or ``"auto"`` for numba where it is installed and the
            strings are long; both ask the same questions.
        epsilon_cor: probability that different strings are called verified, (0, 1).
        verification_key: uniformly random bytes of ``universal.key_size``; derived from the seed if not given.
        frame_bits: longest frame, 1 to ``MAX_FRAME_BITS``.
        low_latency: fewer round trips, a few more disclosed parities.

    Raises:
        ValueError: an argument outside these ranges, empty or unequal strings.
    """
    alice_bits, bob_bits = as_bits("alice_bits", alice_bits), as_bits("bob_bits", bob_bits)
    if alice_bits.size != bob_bits.size or not alice_bits.size:
        raise ValueError(
            f"alice_bits and bob_bits must be of one length > 0, not {alice_bits.size} and {bob_bits.size}"
        )
    as_number("qber", qber, 0, 0.5)
    as_integer("seed", seed, 0, 2**256 - 1)
    as_number("epsilon_cor", epsilon_cor, 0, 1, open_low=True)
    as_integer("frame_bits", frame_bits, 1, MAX_FRAME_BITS)
    frames = Frames.of(bob_bits.size, frame_bits)
    if verification_key is not None:
        wanted = universal.key_size(frames.tag_bits(epsilon_cor))
        if len(verification_key) != wanted:
            raise ValueError(f"verification_key must be {wanted} bytes, not {len(verification_key)}")
    alice = AliceReconciliation(alice_bits, frame_bits=frame_bits, epsilon_cor=epsilon_cor)
    return reconcile_as_bob(
        bob_bits,
        LocalChannel(alice.answer),
        qber,
        seed=seed,
        verification_key=verification_key,
        kernel=kernel,
        frame_bits=frame_bits,
        epsilon_cor=epsilon_cor,
        low_latency=low_latency,
    )
