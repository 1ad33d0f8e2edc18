"""Reconciliation of two strings in one process, on all its cores."""

import os
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from qkd import universal
from qkd.bits import Bits, as_bits, as_integer, as_number
from qkd.cascade import Memory
from qkd.classical import ClassicalChannel, LocalChannel
from qkd.reconciliation.alice import AliceReconciliation
from qkd.reconciliation.bob import (
    DEFAULT_EPSILON_COR,
    Batches,
    ReconciliationResult,
    reconcile_as_bob,
)
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
    workers: int | None = None,
) -> ReconciliationResult:
    """Correct Bob's bits by Cascade and verify them, both parties in this process.

    Args:
        alice_bits: Alice's bits, shape (n,), n > 0. They are read on Alice's side only.
        bob_bits: Bob's bits, shape (n,).
        qber: expected error rate, [0, 0.5]: chooses block sizes. A wrong one costs disclosed bits, not correctness.
        seed: public randomness of the passes, a non-negative integer below 2**256, drawn after detection.
        kernel: ``"numpy"``, ``"numba"``, or ``"auto"`` for numba where it is installed and the string, or all
            strings that this process has corrected, are long; both ask the same questions.
        epsilon_cor: probability that different strings are called verified, (0, 1).
        verification_key: uniformly random bytes of ``universal.key_size``; derived from the seed if not given.
        frame_bits: longest frame, 1 to ``MAX_FRAME_BITS``.
        low_latency: fewer round trips, a few more disclosed parities.
        workers: batches of frames corrected at once, 1 to 1024; as many as this process may use cores if not given.
            What is asked, answered and found does not depend on it. Each takes about 200 MB meanwhile.

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
    workers = cores() if workers is None else as_integer("workers", workers, 1, 1024)
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
        correct_all=AtOnce(alice, workers),
    )


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS


class AtOnce:
    """Corrects batches at once, in threads. Each asks an Alice and a channel of its own, which are counted in order after.

    Blocks are asked for without messages, which Python would make one at a time. Only the compiled kernel runs beside
    another: numpy's steps are too short for more than one thread of Python. Forked processes would run either, and were
    slower: what they touch is copied, which is half of the work again.
    """

    def __init__(self, alice: AliceReconciliation, workers: int) -> None:
        self._alice = alice
        self._workers = workers

    def __call__(self, batches: Batches, rows: Bits, channel: ClassicalChannel) -> None:
        if self._workers == 1 or len(batches.seeds) == 1 or batches.kernel == "numpy":
            self._alice.use(Memory())
            for index in range(len(batches.seeds)):
                batches.correct(index, rows, channel, beside=self._alice)
            return
        alices = self._alice.apart()
        beside = [LocalChannel(alice.answer) for alice in alices]
        memories: SimpleQueue[Memory] = (
            SimpleQueue()
        )  # of the threads: a task takes one, and gives it to the next

        def correct(index: int) -> None:
            alices[index].use(memory := memories.get())
            try:
                batches.correct(index, rows, beside[index], beside=alices[index])
            finally:
                memories.put(memory)

        for _ in range(self._workers):
            memories.put(Memory())
        with ThreadPoolExecutor(self._workers, "reconciliation") as pool:
            done = [pool.submit(correct, index) for index in range(len(alices))]
        for correction, other in zip(done, beside, strict=True):
            correction.result()
            channel.include(other.to_alice, other.to_bob, other.round_trips)
        self._alice.include(sum(alice.leaked_bits for alice in alices))
