"""Cascade and verification: right or not verified, and every disclosed bit counted."""

import contextlib
import math
import os
import threading
from importlib.util import find_spec
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkd import cascade, universal, verification
from qkd.classical import Kind, LocalChannel, Message, ProtocolError
from qkd.finite_key import binary_entropy
from qkd.reconciliation import MAX_FRAME_BITS, AliceReconciliation, bob, local, reconcile, reconcile_as_bob
from tests import requirement
from tests.waiting import LIMIT_SECONDS


def noisy_pair(length, qber, seed):
    rng = np.random.default_rng(seed)
    alice = rng.integers(0, 2, length, dtype=np.uint8)
    return alice, alice ^ (rng.random(length) < qber)


@requirement("A4")
@given(
    length=st.integers(1, 3000),
    qber=st.floats(0, 0.5),
    claimed=st.floats(0, 0.5),
    seed=st.integers(0, 2**32),
    frame_bits=st.integers(500, 4000),
)
@settings(max_examples=150, deadline=None)
def test_whatever_the_errors_a_wrong_string_is_never_called_verified(length, qber, claimed, seed, frame_bits):
    alice, bob = noisy_pair(length, qber, seed)
    given_bob = bob.copy()
    result = reconcile(alice, bob, claimed, seed=seed, frame_bits=frame_bits)
    assert result.verified == np.array_equal(result.bits, alice)
    good = result.verified_bits
    assert np.array_equal(result.bits[good], alice[good])
    assert np.array_equal(bob, given_bob)
    # No wrong flip: Bob only ever corrects, so what he changed are errors that he had.
    assert np.count_nonzero(result.bits != alice) + result.corrected_errors == np.count_nonzero(bob != alice)


@requirement("A4")
@pytest.mark.parametrize("qber", [0.01, 0.02, 0.03, 0.05, 0.08, 0.11])
def test_efficiency_is_that_of_option_8(qber):
    published = {0.01: 1.0431, 0.02: 1.0406, 0.03: 1.0395, 0.05: 1.0434, 0.08: 1.0548, 0.11: 1.0614}
    length, frames = 1 << 14, 64
    errors = np.zeros((frames, length), np.uint8)
    errors[:, : round(qber * length)] = 1
    wrong = np.random.default_rng(1).permuted(errors, axis=1).reshape(-1)
    alice, _ = noisy_pair(frames * length, 0, 2)
    result = reconcile(alice, alice ^ wrong, qber, seed=3, frame_bits=length)
    assert np.count_nonzero(~result.verified_frames) <= 1
    efficiency = result.leaked_bits / (frames * length * binary_entropy(qber))
    assert efficiency <= published[qber] + 0.002  # the mean's own spread over so few frames


@requirement("A4")
def test_disclosed_parities_determine_no_more_than_their_number():
    # Known answer: without errors, nothing beyond the opened blocks and the twelve subsets is asked; the last block
    # of the second and of the third pass follows from the others.
    length = 1 << 14
    alice, _ = noisy_pair(length, 0, 1)
    result = reconcile(alice, alice, 0.05, seed=1)
    assert result.leaked_bits == length // 16 + (length // 256 - 1) + (2 - 1) + 12
    # The batch is opened, three passes, the subsets together, the tag.
    assert result.round_trips == 1 + 3 + 1 + 1


@requirement("A4")
def test_the_same_seed_gives_the_same_transcript():
    alice, bob = noisy_pair(5000, 0.06, 9)
    one, two, other = (reconcile(alice, bob, 0.06, seed=seed) for seed in (4, 4, 5))
    assert (one.leaked_bits, one.round_trips) == (two.leaked_bits, two.round_trips)
    assert (one.leaked_bits, one.round_trips) != (other.leaked_bits, other.round_trips)


@requirement("A4")
def test_long_strings_are_cut_into_frames():
    alice, bob = noisy_pair(MAX_FRAME_BITS + 12345, 0.01, 2)
    result = reconcile(alice, bob, 0.01, seed=2)
    assert result.frames == 17
    assert result.verified
    assert np.array_equal(result.bits, alice)


@requirement("A4")
def test_few_frames_fail():
    alice, bob = noisy_pair(2048 * 1000, 0.03, 1)
    result = reconcile(alice, bob, 0.03, seed=1, frame_bits=2048)
    assert result.frames == 1000
    assert np.count_nonzero(~result.verified_frames) <= 4
    assert np.array_equal(result.bits[result.verified_bits], alice[result.verified_bits])


@requirement("A4")
@pytest.mark.parametrize("low_latency", [False, True])
@given(
    length=st.integers(1, 4000),
    qber=st.floats(0, 0.5),
    frame_bits=st.integers(300, 2000),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_both_kernels_ask_the_same_questions(low_latency, length, qber, frame_bits, seed):
    alice, bob = noisy_pair(length, qber, seed)
    transcripts = []
    for kernel in ("numpy", "numba"):
        answering = AliceReconciliation(alice, frame_bits=frame_bits, epsilon_cor=1e-10)
        log: list[bytes] = []

        def answer(question, log=log, answering=answering):
            log.append(question.encode())
            return answering.answer(question)

        result = reconcile_as_bob(
            bob,
            LocalChannel(answer),
            qber,
            seed=seed,
            kernel=kernel,
            frame_bits=frame_bits,
            epsilon_cor=1e-10,
            low_latency=low_latency,
        )
        assert result.kernel == kernel
        transcripts.append((log, result.bits.tolist(), result.leaked_bits))
    assert transcripts[0] == transcripts[1]


@requirement("A4")
@pytest.mark.parametrize(
    ("qber", "trips", "dearer"), [(0.01, 220, 1.03), (0.03, 180, 1.04), (0.08, 180, 1.04)]
)
def test_low_latency_takes_few_round_trips_and_costs_parities(qber, trips, dearer):
    alice, bob = noisy_pair(1 << 16, qber, 3)
    usual, quick = (reconcile(alice, bob, qber, seed=1, low_latency=low) for low in (False, True))
    assert usual.verified
    assert quick.verified
    assert quick.round_trips < trips
    assert quick.round_trips < 0.45 * usual.round_trips
    assert usual.leaked_bits < quick.leaked_bits < dearer * usual.leaked_bits


@requirement("A4")
@pytest.mark.parametrize("low_latency", [False, True])
def test_round_trips_of_a_batch_are_those_of_its_slowest_frame(low_latency):
    # Frames do not wait for each other: sixteen take little more than the worst of them would alone.
    alice, bob = noisy_pair(1 << 18, 0.05, 3)
    together = reconcile(alice, bob, 0.05, seed=1, frame_bits=1 << 14, low_latency=low_latency)
    alone = [
        reconcile(part, other, 0.05, seed=1, frame_bits=1 << 14, low_latency=low_latency).round_trips
        for part, other in zip(alice.reshape(16, -1), bob.reshape(16, -1), strict=True)
    ]
    assert together.round_trips < 2.5 * max(alone) < sum(alone) / 2


@requirement("A4")
def test_a_frame_in_which_errors_remain_is_found_and_the_others_are_kept(monkeypatch):
    alice, bob = noisy_pair(8000, 0.02, 1)
    correct = cascade.Bob.correct

    def stubborn(self, subsets):
        corrected = correct(self, subsets)
        corrected[2100] ^= 1
        return corrected

    monkeypatch.setattr(cascade.Bob, "correct", stubborn)
    result = reconcile(alice, bob, 0.02, seed=1, frame_bits=2000)
    assert result.verified_frames.tolist() == [True, False, True, True]
    assert not result.verified
    assert np.flatnonzero(~result.verified_bits).tolist() == list(range(2000, 4000))


@requirement("A4")
@pytest.mark.parametrize(
    "question",
    [
        Message.of_bytes(Kind.PASS, b"\0"),
        Message.of_bytes(Kind.BATCH, b"short"),
        Message.of_bytes(Kind.TAGS, b"key"),
        Message.of_bytes(Kind.SIFT),
    ],
)
def test_alice_answers_no_question_out_of_turn(question):
    alice = AliceReconciliation(np.zeros(3000, np.uint8), frame_bits=1000, epsilon_cor=1e-10)
    with pytest.raises(ProtocolError):
        alice.answer(question)
    assert alice.leaked_bits == 0


@requirement("A4")
@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"alice_bits": []}, "alice_bits"),
        ({"bob_bits": [0, 1]}, "bob_bits"),
        ({"bob_bits": [0, 1, 2]}, "bob_bits"),
        ({"alice_bits": [0.0, 1.0, 0.0]}, "alice_bits"),
        ({"alice_bits": [[0, 1, 0]]}, "alice_bits"),
        ({"qber": math.nan}, "qber"),
        ({"qber": 0.6}, "qber"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"kernel": "quantum"}, "kernel"),
        ({"epsilon_cor": 0}, "epsilon_cor"),
        ({"verification_key": b"short"}, "verification_key"),
        ({"frame_bits": 0}, "frame_bits"),
    ],
)
def test_bad_input_is_refused_by_name(change, name):
    arguments = {"alice_bits": [0, 1, 0], "bob_bits": [0, 1, 1], "qber": 0.1, "seed": 1} | change
    with pytest.raises(ValueError, match=name):
        reconcile(arguments.pop("alice_bits"), arguments.pop("bob_bits"), arguments.pop("qber"), **arguments)


@requirement("A8")
def test_the_results_repr_shows_no_bits():
    alice, bob = noisy_pair(64, 0.05, 3)
    text = repr(reconcile(alice, bob, 0.05, seed=3))
    assert "array" not in text
    assert "bits=" not in text.replace("leaked_bits=", "")


@requirement("A4")
@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
def test_a_process_that_has_corrected_much_goes_on_with_numba(monkeypatch):
    worker = bob._Worker
    monkeypatch.setattr(worker, "corrected", bob._WORTH_NUMBA - 2500)
    alice, received = noisy_pair(1000, 0.02, 4)
    found = [reconcile(alice, received, 0.02, seed=4) for _ in range(4)]
    assert [one.kernel for one in found] == ["numpy", "numpy", "numba", "numba"]
    assert len({one.leaked_bits for one in found}) == 1
    assert worker.corrected == bob._WORTH_NUMBA - 500
    assert reconcile(alice, received, 0.02, seed=4, kernel="numpy").kernel == "numpy"
    assert worker.corrected == bob._WORTH_NUMBA - 500, "what was asked for is no choice"


@pytest.fixture
def many_batches(monkeypatch):
    """Batches of two frames."""
    monkeypatch.setattr("qkd.reconciliation.frames._BATCH_BITS", 1 << 12)


@requirement("A4")
@pytest.mark.parametrize("low_latency", [False, True])
@pytest.mark.parametrize(
    "kernel",
    ["numpy", pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="no numba"))],
)
@pytest.mark.parametrize(("bits", "qber", "frame_bits"), [(20_000, 0.03, 1 << 11), (9_000, 0.11, 900)])
def test_without_messages_the_same_is_asked_counted_and_found(
    many_batches, kernel, low_latency, bits, qber, frame_bits
):
    """On one core and on several, as over a channel: to the bit, to the round trip."""
    whole, received = noisy_pair(bits, qber, 6)

    def figures(workers=None):
        alice = AliceReconciliation(whole, frame_bits=frame_bits, epsilon_cor=1e-15)
        channel = LocalChannel(alice.answer)
        correct_all = bob.one_after_the_other if workers is None else local.AtOnce(alice, workers)
        result = reconcile_as_bob(
            received,
            channel,
            qber,
            seed=6,
            kernel=kernel,
            frame_bits=frame_bits,
            low_latency=low_latency,
            correct_all=correct_all,
        )
        assert result.verified
        return (
            result.bits.tobytes(),
            result.corrected_errors,
            result.round_trips,
            alice.leaked_bits,
            +channel.to_alice,
            +channel.to_bob,
        )

    by_messages = figures()
    for workers in (1, 2, 20):
        assert figures(workers) == by_messages


class Spoiled(cascade.Memory):
    """Memory whose arrays hold anything at first, as if it had been another session's."""

    def array(self, name, size, dtype):
        found = super().array(name, size, dtype)
        found.view(np.uint8)[:] = np.random.default_rng(size).integers(0, 256, found.nbytes, np.uint8)
        return found


@requirement("A4")
@pytest.mark.parametrize(
    "kernel",
    ["numpy", pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="no numba"))],
)
@given(
    length=st.integers(1, 3000),
    qber=st.floats(0, 0.5),
    claimed=st.floats(0, 0.2),
    frame_bits=st.integers(50, 800),
    low_latency=st.booleans(),
    workers=st.sampled_from([1, 2]),
)
@settings(max_examples=10, deadline=None)
def test_what_memory_held_before_changes_no_bit_and_no_count(
    kernel, length, qber, claimed, frame_bits, low_latency, workers
):
    whole, received = noisy_pair(length, qber, length)

    def figures(correct_all, alice):
        channel = LocalChannel(alice.answer)
        result = reconcile_as_bob(
            received, channel, claimed, seed=6, kernel=kernel, frame_bits=frame_bits,
            low_latency=low_latency, correct_all=correct_all,
        )  # fmt: skip
        return (
            result.bits.tobytes(),
            result.verified,
            result.round_trips,
            result.leaked_bits,
            alice.leaked_bits,
        )

    def new_alice():
        return AliceReconciliation(whole, frame_bits=frame_bits, epsilon_cor=1e-15)

    with (
        mock.patch("qkd.reconciliation.frames._BATCH_BITS", 1 << 10),
        mock.patch("qkd.reconciliation.local.Memory", Spoiled),
    ):
        by_messages = figures(bob.one_after_the_other, new_alice())
        beside = new_alice()
        assert figures(local.AtOnce(beside, workers), beside) == by_messages


@requirement("A4")
@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
@pytest.mark.parametrize("workers", [2, 20])
def test_batches_are_corrected_at_once(many_batches, monkeypatch, workers):
    """The first two wait for each other: one thread alone would wait in vain."""
    both = threading.Barrier(2, timeout=LIMIT_SECONDS)

    class Meeting(LocalChannel):
        def _exchange(self, question, longest):
            if question.kind is Kind.BATCH and int.from_bytes(question.body[:4], "little") < 4:
                both.wait()
            return super()._exchange(question, longest)

    monkeypatch.setattr("qkd.reconciliation.local.LocalChannel", Meeting)
    alice, received = noisy_pair(20_000, 0.03, 6)
    result = reconcile(alice, received, 0.03, seed=6, kernel="numba", frame_bits=1 << 11, workers=workers)
    assert result.verified


@requirement("A4")
@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
def test_batches_at_once_are_held_to_the_parities_of_the_whole_string(many_batches):
    whole, received = noisy_pair(40_000, 0.1, 6)
    most = reconcile(whole, received, 0.1, seed=6, frame_bits=1 << 11, workers=1).leaked_bits
    for allowed in (most + 1, most):
        alice = AliceReconciliation(whole, frame_bits=1 << 11, epsilon_cor=1e-15, most_parities=allowed)
        enough = contextlib.nullcontext() if allowed > most else pytest.raises(ProtocolError, match="no key")
        with enough:
            reconcile_as_bob(
                received,
                LocalChannel(alice.answer),
                0.1,
                seed=6,
                kernel="numba",
                frame_bits=1 << 11,
                correct_all=local.AtOnce(alice, 2),
            )
        assert alice.leaked_bits == most


@requirement("A4")
@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
def test_a_batch_that_fails_ends_the_reconciliation(many_batches, monkeypatch):
    correct = bob.Batches.correct

    def failing(self, index, rows, channel, **named):
        if index == 3:
            raise ProtocolError("the third")
        correct(self, index, rows, channel, **named)

    monkeypatch.setattr(bob.Batches, "correct", failing)
    alice, received = noisy_pair(20_000, 0.03, 6)
    with pytest.raises(ProtocolError, match="the third"):
        reconcile(alice, received, 0.03, seed=6, kernel="numba", frame_bits=1 << 11, workers=2)


@requirement("A4")
@pytest.mark.parametrize("length", [1, 8, 1001])
def test_the_tags_of_frames_are_those_of_each_alone(length):
    rows = np.random.default_rng(length).integers(0, 2, (5, length), dtype=np.uint8)
    key = np.random.default_rng(1).bytes(universal.key_size(60))
    each = [verification.tag(row, bits=60, key=key) for row in rows]
    assert np.array_equal(verification.tags(rows, bits=60, key=key), np.concatenate(each))


@requirement("A4")
@pytest.mark.parametrize("bits", [4, 8])
def test_different_strings_collide_no_more_often_than_stated(bits):
    rng = np.random.default_rng(1)
    alice, bob = noisy_pair(500, 0.01, 1)
    assert not np.array_equal(alice, bob)
    tries = 4000
    collisions = 0
    for _ in range(tries):
        key = rng.bytes(universal.key_size(bits))
        collisions += np.array_equal(
            verification.tag(alice, bits=bits, key=key), verification.tag(bob, bits=bits, key=key)
        )
    assert collisions <= tries * 2**-bits + 5 * math.sqrt(tries * 2**-bits)


@requirement("A4")
def test_tag_is_poly1305_folded():
    bits, string = 20, np.random.default_rng(2).integers(0, 2, 300, dtype=np.uint8)
    key = np.random.default_rng(3).bytes(universal.key_size(bits))
    packed = np.packbits(string).tobytes()
    blocks = [int.from_bytes(packed[i : i + 16] + b"\1", "little") for i in range(0, len(packed), 16)]
    point = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    prime = 2**130 - 5
    value = sum(block * pow(point, len(blocks) - i, prime) for i, block in enumerate(blocks)) % prime % 2**128
    half = (len(key) - 16) // 2
    factor, summand = (int.from_bytes(key[16 + i * half : 16 + (i + 1) * half], "little") for i in (0, 1))
    expected = ((factor * value + summand) % 2 ** (128 + bits)) >> 128
    found = sum(int(bit) << i for i, bit in enumerate(verification.tag(string, bits=bits, key=key)))
    assert found == expected


@requirement("A4")
@pytest.mark.parametrize("epsilon", [1e-6, 1e-15, 1e-24])
def test_tag_length_meets_epsilon(epsilon):
    bits = universal.tag_length(10**6, epsilon)
    assert 2.0**-bits <= epsilon < 2.0 ** -(bits - 2)
    with pytest.raises(ValueError, match="epsilon"):
        universal.tag_length(10**6, 1e-38)


@requirement("A4")
def test_cores_are_counted_where_no_process_is_bound_to_some(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")  # macOS
    assert local.cores() == os.cpu_count()
