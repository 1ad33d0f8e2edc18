"""Whatever a peer or the channel does: no key on one side that the other does not have, and no unexpected error."""

import contextlib
import multiprocessing
import socket
import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qkd.agreement import PROTOCOL_VERSION, Agreement
from qkd.authentication import AuthenticationKey, Pad, PadUsedError, Tag, Transcript, tag_bits
from qkd.cascade import Batch
from qkd.classical import (
    ConnectionLostError,
    Kind,
    LocalChannel,
    Message,
    ProtocolError,
    SocketChannel,
    receive,
    send,
    serve,
)
from qkd.parties import Bob
from qkd.randomness import Randomness
from qkd.reconciliation import AliceReconciliation
from qkd.reconciliation.frames import BATCH
from qkd.session import AbortCode, SessionParameters, run
from tests import requirement
from tests.qkd.test_parties import LINK, agreement, flip_bit, lead, reach_reconciled, tampering, two_parties
from tests.waiting import LIMIT_SECONDS

FAULTS = ("dropped", "repeated", "cut", "altered", "lengthened", "delayed", "emptied", "replaced")


def damage(fault, message, before):
    """The messages that arrive instead of one; of these the last is taken for the answer."""
    kind, body = message.kind, message.body
    return {
        "dropped": list,
        "repeated": lambda: [message, message],
        "cut": lambda: [Message.of_bytes(kind, body[: len(body) // 2])],
        "altered": lambda: [flip_bit(message) if body else Message.of_bytes(kind, b"x")],
        "lengthened": lambda: [Message.of_bytes(kind, body + bytes(4))],
        "delayed": lambda: [before],
        "emptied": lambda: [Message.of_bytes(kind)],
        "replaced": lambda: [Message.of_bytes(Kind.BLOCKS, bytes(8))],
    }[fault]()


class Faulty(LocalChannel):
    """A channel that damages one message: the ``index``-th question or answer."""

    def __init__(self, answer, fault, index):
        super().__init__(answer)
        self.fault, self.index, self.count, self.before = fault, index, 0, Message.of_bytes(Kind.AGREE)

    def _damaged(self, message):
        self.count += 1
        before, self.before = self.before, message
        return damage(self.fault, message, before) if self.count - 1 == self.index else [message]

    def _exchange(self, question, longest):
        answers = [super(Faulty, self)._exchange(one, longest) for one in self._damaged(question)]
        arrived = [one for answer in answers[-1:] for one in self._damaged(answer)]
        if not arrived:
            raise ConnectionLostError("dropped")
        return arrived[-1]


def check_agreement(alice, bob):
    """The property: who uses a key knows that the other has the same; nobody has another one."""
    state = bob.state
    if state.secrets is not None:
        assert alice.provisional is not None
        assert np.array_equal(alice.provisional.key, state.secrets.key)
        assert np.array_equal(alice.provisional.pad, state.secrets.pad)
    if alice.secrets is not None:
        assert alice.secrets is alice.provisional
        assert state.secrets is not None
    assert alice._transcript._pad.spent <= 3 * alice._tag_bits


@requirement("A4")
@pytest.mark.parametrize("fault", FAULTS)
def test_each_message_damaged_in_turn_leaves_no_key_on_one_side_only(fault):
    # In few round trips: all kinds of messages, and less of the same.
    _, bob, whole = two_parties(lambda answer: Faulty(answer, fault, -1), low_latency=True)
    lead(bob)
    ended = 0
    for index in range(whole.count):
        alice, bob, channel = two_parties(lambda answer, i=index: Faulty(answer, fault, i), low_latency=True)
        with contextlib.suppress(ProtocolError):
            lead(bob)
        assert channel.count > index
        check_agreement(alice, bob)
        ended += bob.state.secrets is None
    assert ended > whole.count / 3


@requirement("A4")
def test_a_lost_confirmation_is_settled_by_repeating_it():
    for lost in ("question", "answer"):
        dropped: list[Message] = []

        class Lossy(LocalChannel):
            def _exchange(self, question, longest, lost=lost, dropped=dropped):
                if question.kind is Kind.CONFIRM and not dropped:
                    dropped.append(question)
                    if lost == "answer":
                        super()._exchange(question, longest)
                    raise ConnectionLostError("lost")
                return super()._exchange(question, longest)

        alice, bob, _ = two_parties(Lossy)
        reach_reconciled(bob)
        bob.amplify()
        with pytest.raises(ConnectionLostError):
            bob.confirm()
        assert not bob.state.confirmed
        assert (alice.secrets is None) == (lost == "question")
        bob.confirm()
        bob.confirm()  # once more does no harm
        assert bob.state.confirmed
        assert np.array_equal(alice.secrets.key, bob.state.secrets.key)


@requirement("A4")
def test_alice_uses_no_key_that_a_forged_confirmation_names():
    alice, bob, channel = two_parties()
    reach_reconciled(bob)
    bob.amplify()
    forged = Message.of_bits(Kind.CONFIRM, np.zeros(tag_bits(1e-15), np.uint8))
    with pytest.raises(ProtocolError, match="confirmation is wrong"):
        channel.ask(forged, 0)
    with pytest.raises(ProtocolError, match="confirmation is wrong"):
        bob.confirm()
    assert alice.secrets is None
    assert alice.ended


@requirement("A4")
@pytest.mark.parametrize(
    "other",
    [
        {"epsilon_sec": 1e-9},
        {"epsilon_cor": 1e-14},
        {"key_length": 64},
        {"sample_bits": 1499},
        {"frame_bits": 1 << 15},
        {"low_latency": True},
        {"intensities": (0.5, 0.1, 0.0)},
        {"intensity_probabilities": (0.5, 0.25, 0.25)},
    ],
)
def test_sides_that_agreed_to_different_things_part_at_once(other):
    alice, bob, channel = two_parties()
    elsewhere = Bob(
        bob._record,
        agreement(LINK, **other),
        AuthenticationKey.draw(1e-15, Randomness(5)),
        channel,
        Randomness(5),
    )
    with pytest.raises(ProtocolError, match="agreed to different parameters"):
        elsewhere.agree()
    assert "agreed to different parameters" in alice.ended
    with pytest.raises(ProtocolError, match="agreed to different parameters"):
        elsewhere.sift()


@requirement("A4")
def test_the_protocols_version_is_part_of_the_agreement(monkeypatch):
    _, bob, _ = two_parties()
    announced = Agreement.announcement
    monkeypatch.setattr(Agreement, "announcement", lambda self: b"\0\7" + announced(self)[2:])
    with pytest.raises(ProtocolError, match=f"version 7 of the protocol, this one {PROTOCOL_VERSION}"):
        bob.agree()


@requirement("A4")
def test_a_pad_hides_one_tag_of_each_kind_and_says_so():
    key = AuthenticationKey.draw(1e-15, Randomness(1))
    pad = key.pad
    assert pad.spent == 0
    Transcript(key).tag(Tag.BOB)
    assert pad.spent == tag_bits(1e-15)
    with pytest.raises(PadUsedError, match="pad of its own"):
        Transcript(key).tag(Tag.BOB)
    with pytest.raises(PadUsedError, match="other party"):
        key.twin()
    with pytest.raises(ValueError, match="3 parts"):
        Pad(np.zeros(100, np.uint8))


@requirement("A4")
def test_a_session_that_fails_at_authentication_records_what_it_spent(monkeypatch):
    monkeypatch.setattr("qkd.session.LocalChannel", tampering(Kind.AUTHENTICATE, "to_bob", flip_bit))
    result = run(SessionParameters(error_rate=0.02, seed=1))
    assert result.aborted is not None
    assert result.aborted.code is AbortCode.AUTHENTICATION_FAILED
    assert result.key is None
    assert result.authentication_bits == 2 * tag_bits(1e-15)
    assert result.lengths()["authentication"] == result.authentication_bits


@requirement("A4")
def test_a_message_can_be_written_in_one_way_only():
    with pytest.raises(ProtocolError, match="padding"):
        Message(Kind.AUTHENTICATE, b"\xff", 7)
    with pytest.raises(ProtocolError, match="2 bytes for 7 bits"):
        Message(Kind.AUTHENTICATE, b"\xfe\0", 7)


@requirement("A4")
def test_alice_gives_no_more_parities_than_there_are_bits():
    alice = AliceReconciliation(
        np.zeros(4096, np.uint8), frame_bits=4096, epsilon_cor=1e-15, most_parities=4096
    )
    batch = Batch(1, 4096, (3, 7, 11), 1)
    alice.answer(Message.of_bytes(Kind.BATCH, _announced(batch)))
    alice.answer(Message.of_bytes(Kind.PASS, b"\0"))
    question = Message.of_bytes(Kind.BLOCKS, bytes(4 * 1024))
    for _ in range(3):
        alice.answer(question)
    with pytest.raises(ProtocolError, match="not of a length"):
        alice.answer(question)
    with pytest.raises(ProtocolError, match="4096 parities: no key can be left"):
        alice.answer(Message.of_bytes(Kind.BLOCKS, bytes(4 * 512)))


def _announced(batch):
    return BATCH.pack(0, batch.frames, *batch.levels, batch.seed.to_bytes(32, "little"))


KINDS = st.sampled_from(list(Kind))
BODIES = st.one_of(st.binary(max_size=80), st.integers(0, 4096).map(bytes))


@requirement("A4")
@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(stop=st.integers(0, 40), questions=st.lists(st.tuples(KINDS, BODIES), min_size=1, max_size=4))
def test_alice_answers_or_refuses_whatever_she_is_asked(stop, questions):
    asked: list[Message] = []

    class Stopped(Exception):
        pass

    class Until(LocalChannel):
        def _exchange(self, question, longest):
            if len(asked) == stop:
                raise Stopped
            asked.append(question)
            return super()._exchange(question, longest)

    alice, bob, _ = two_parties(Until, pulses=9000, sample_bits=500)
    with contextlib.suppress(Stopped, ProtocolError):
        lead(bob)
    for kind, body in questions:
        with contextlib.suppress(ProtocolError):
            assert alice.answer(Message.of_bytes(kind, body)).kind is kind
    check_agreement(alice, bob)


@requirement("A4")
@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_bob_ends_with_a_protocol_error_whatever_he_is_answered(data):
    index = data.draw(st.integers(0, 60))

    class Lying(LocalChannel):
        def _exchange(self, question, longest):
            answer = super()._exchange(question, longest)
            if self.round_trips != index:
                return answer
            kind = data.draw(st.one_of(st.just(answer.kind), KINDS))
            body = data.draw(st.one_of(BODIES, st.just(bytes(len(answer.body)))))
            if data.draw(st.booleans()) and len(body) == len(answer.body):
                flipped = np.bitwise_not(np.frombuffer(body, np.uint8))
                bits = np.unpackbits(flipped, count=answer.bits)
                return Message.of_bits(kind, bits)
            return Message.of_bytes(kind, body)

    alice, bob, _ = two_parties(Lying, pulses=9000, sample_bits=500)
    with contextlib.suppress(ProtocolError):
        lead(bob)
    check_agreement(alice, bob)


@requirement("A4")
def test_a_message_announced_longer_than_it_may_be_is_not_read():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(5)
        ours.sendall(b"\x01" + (1 << 30).to_bytes(4, "little") + bytes(1000))
        tracemalloc.start()
        with pytest.raises(ProtocolError, match="impossible length"):
            receive(theirs, 1000)
        assert tracemalloc.get_traced_memory()[1] < 100_000
        tracemalloc.stop()


@requirement("A4")
def test_a_peer_that_drips_bytes_is_not_waited_for_beyond_the_timeout():
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def drip():
        while not stop.wait(0.05):
            with contextlib.suppress(OSError):
                ours.sendall(b"\x01")

    with ours, theirs:
        thread = threading.Thread(target=drip)
        thread.start()
        theirs.settimeout(0.3)
        with pytest.raises(ConnectionLostError, match="no message came"):
            # 0x01010101 bits are announced, and would take ten days.
            receive(theirs)
        stop.set()
        thread.join()
        assert theirs.gettimeout() == 0.3


@requirement("A4")
def test_many_large_questions_take_no_memory():
    alice, bob, _ = two_parties(pulses=60_000, sample_bits=5000)
    bob.agree()
    bob.sift()
    bob.estimate()
    question = Message.of_bytes(Kind.BLOCKS, bytes(16 << 20))
    tracemalloc.start()
    for _ in range(40):
        with pytest.raises(ProtocolError):
            alice.answer(question)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def _bob(connection, seed, outcome, others, patience):
    """Bob, in a process of his own; says what he ended with. He has nobody else's ends, so that each ends when closed."""
    for other in others:
        other.close()
    with connection:
        connection.settimeout(patience)
        _, bob, _ = two_parties(lambda _: SocketChannel(connection), seed=seed)
        with contextlib.suppress(ProtocolError):
            lead(bob)
    secrets = bob.state.secrets
    outcome.send(None if secrets is None else secrets.key.tobytes())


def _relay(alice_end, bob_end, fault, index, patience):
    """The channel between two processes; damages one message."""
    count, before = 0, Message.of_bytes(Kind.AGREE)
    with alice_end, bob_end, contextlib.suppress(ProtocolError):
        for end in (alice_end, bob_end):
            end.settimeout(2 * patience)
        while True:
            for source, target in ((bob_end, alice_end), (alice_end, bob_end)):
                message = receive(source)
                if message is None:
                    return count
                arriving = damage(fault, message, before) if count == index else [message]
                count, before = count + 1, message
                for one in arriving:
                    send(target, one)
                if not arriving:
                    return count
    return count


def two_processes(fault, index):
    """A session over sockets with one message damaged: messages, Alice, and the key that Bob ended with."""
    patience = (
        LIMIT_SECONDS / 2 if fault == "none" else 1.0
    )  # seconds: what is damaged may leave nothing to wait for
    alice_end, to_alice = socket.socketpair()
    bob_end, to_bob = socket.socketpair()
    ours, theirs = multiprocessing.Pipe()
    others = (alice_end, to_alice, to_bob)
    process = multiprocessing.get_context("fork").Process(
        target=_bob, args=(bob_end, 7, theirs, others, patience)
    )
    process.start()
    bob_end.close()
    counted = []
    relay = threading.Thread(target=lambda: counted.append(_relay(to_alice, to_bob, fault, index, patience)))
    relay.start()
    alice, _, _ = two_parties(seed=7)
    alice_end.settimeout(patience)
    with alice_end, contextlib.suppress(ProtocolError):
        serve(alice_end, alice)
    relay.join()
    assert ours.poll(LIMIT_SECONDS)
    key = ours.recv()
    process.join()
    assert process.exitcode == 0
    return counted[0], alice, key


@pytest.fixture(scope="module")
def messages():
    """How many messages a session between two processes has, both of which end with one key."""
    count, alice, key = two_processes("none", -1)
    assert alice.secrets.key.tobytes() == key
    return count


@requirement("A4")
@pytest.mark.parametrize("fault", ["dropped", "repeated", "cut", "altered"])
@pytest.mark.parametrize("index", [0, 3, 20, -4, -3, -2, -1])
def test_two_processes_end_alike_when_a_message_is_damaged(fault, index, messages):
    _, alice, key = two_processes(fault, index % messages)
    if key is not None:
        assert alice.provisional.key.tobytes() == key
    if alice.secrets is not None:
        assert alice.secrets.key.tobytes() == key
