"""Alice and Bob share nothing but a channel, which counts and authenticates what crosses it."""

import contextlib
import json
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

from qkd import authentication, bb84, parties
from qkd.agreement import Agreement
from qkd.attacks import NoAttack
from qkd.authentication import AuthenticationKey
from qkd.channel import Channel, preset
from qkd.classical import (
    ConnectionLostError,
    Kind,
    LocalChannel,
    Message,
    ProtocolError,
    Purpose,
    SocketChannel,
    receive,
    serve,
)
from qkd.randomness import Randomness
from qkd.session import AbortCode, SessionParameters, run
from tests import requirement
from tests.waiting import LIMIT_SECONDS

LINK = Channel(misalignment=0.02)


def agreement(link=LINK, **changes):
    return Agreement(
        **{
            "key_length": 128,
            "measure_only": False,
            "sample_bits": 1500,
            "by_basis": link.compares_a_basis,
            "intensities": tuple(link.intensities),
            "intensity_probabilities": tuple(link.intensity_probabilities),
            "epsilon_sec": 1e-10,
            "epsilon_cor": 1e-15,
            "epsilon_auth": 1e-15,
        }
        | changes
    )


def two_parties(channel_to=LocalChannel, *, link=LINK, pulses=12_000, seed=1, **changes):
    randomness = Randomness(seed)
    sent = bb84.transmit(pulses, link, NoAttack(), randomness)
    agreed, shared = agreement(link, **changes), AuthenticationKey.draw(1e-15, randomness)
    alice = parties.Alice(sent.alice, agreed, shared)
    channel = channel_to(alice.answer)
    return alice, parties.Bob(sent.bob, agreed, shared.twin(), channel, randomness), channel


def lead(bob):
    reach_reconciled(bob)
    bob.amplify()
    bob.confirm()
    return bob.state.secrets


def reach_reconciled(bob):
    bob.agree()
    bob.sift()
    bob.estimate()
    bob.reconcile()


class Tap(LocalChannel):
    """Books of its own, made from the bytes on the wire."""

    def __init__(self, answer):
        super().__init__(answer)
        self.seen = {}

    def _exchange(self, question, longest):
        answer = super()._exchange(question, longest)
        for message, way in ((question, "to_alice"), (answer, "to_bob")):
            wire = message.encode()
            assert len(wire) == 5 + (message.bits + 7) // 8
            self.seen.setdefault((way, message.kind), []).append(message.bits)
        return answer


@requirement("A4")
def test_what_crossed_the_channel_is_what_the_result_claims():
    _, bob, tap = two_parties(Tap)
    lead(bob)
    parities = (Kind.PASS, Kind.SUBSETS, Kind.BLOCKS, Kind.PARTS)
    crossed = sum(sum(tap.seen.get(("to_bob", kind), [])) for kind in parities)
    state = bob.state
    assert crossed == state.reconciled.leaked_bits == tap.disclosed[Purpose.PARITY]
    assert sum(tap.seen["to_bob", Kind.TAGS]) == state.reconciled.verification_bits
    assert sum(tap.seen["to_bob", Kind.SAMPLE]) == state.compared.total == 1500
    tags = [("to_alice", Kind.AUTHENTICATE), ("to_bob", Kind.AUTHENTICATE), ("to_alice", Kind.CONFIRM)]
    assert [sum(tap.seen[tag]) for tag in tags] == [authentication.tag_bits(1e-15)] * 3
    assert tap.traffic == sum(sum(bits) for bits in tap.seen.values())
    assert tap.round_trips == sum(len(bits) for (way, _), bits in tap.seen.items() if way == "to_alice")


@requirement("A4")
@pytest.mark.parametrize("low_latency", [False, True])
def test_both_parties_end_with_the_same_secrets(low_latency):
    alice, bob, _ = two_parties(low_latency=low_latency)
    secrets = lead(bob)
    assert np.array_equal(alice.secrets.key, secrets.key)
    assert np.array_equal(alice.secrets.pad, secrets.pad)
    assert secrets.key.size == 128
    assert secrets.pad.size == authentication.consumption(1e-15)


@requirement("A6")
def test_weak_pulses_too():
    alice, bob, _ = two_parties(link=preset("lim2014"), pulses=2 * 10**8)
    secrets = lead(bob)
    assert np.array_equal(alice.secrets.key, secrets.key)
    assert bob.state.evidence == alice._evidence


def tampering(kind, way, change):
    class Tampered(LocalChannel):
        def _exchange(self, question, longest):
            if question.kind is kind and way == "to_alice":
                question = change(question)
            answer = super()._exchange(question, longest)
            return change(answer) if question.kind is kind and way == "to_bob" else answer

    return Tampered


def flip_bit(message):
    body = bytes([message.body[0] ^ 0x80]) + message.body[1:]
    return Message(message.kind, body, message.bits)


@requirement("A4")
@pytest.mark.parametrize("way", ["to_alice", "to_bob"])
@pytest.mark.parametrize(
    "kind", [Kind.SIFT, Kind.SAMPLE, Kind.COUNTS, Kind.TAGS, Kind.AMPLIFY, Kind.AUTHENTICATE]
)
def test_no_message_can_be_changed_unnoticed(kind, way):
    if (kind, way) in {(Kind.COUNTS, "to_bob"), (Kind.AMPLIFY, "to_bob")}:
        change = lambda message: Message.of_bytes(message.kind, b"x")  # noqa: E731 - their answers are empty
    else:
        change = flip_bit
    alice, bob, _ = two_parties(tampering(kind, way, change))
    with contextlib.suppress(ProtocolError):
        lead(bob)
    assert bob.state.secrets is None
    assert alice.secrets is None
    # She cannot know that her last answer was changed, and keeps what she has to herself until Bob confirms.
    assert alice.provisional is None or (kind, way) == (Kind.AUTHENTICATE, "to_bob")


@requirement("A4")
def test_a_changed_parity_is_noticed():
    seen = []

    def once(message):
        seen.append(message)
        return flip_bit(message) if len(seen) == 20 else message

    alice, bob, _ = two_parties(tampering(Kind.BLOCKS, "to_bob", once))
    bob.agree()
    bob.sift()
    bob.estimate()
    with pytest.raises(ProtocolError, match="tampered"):
        bob.reconcile()
        bob.amplify()
    assert len(seen) >= 20
    assert alice.secrets is None


@requirement("A4")
def test_a_tampered_session_gives_no_key(monkeypatch):
    monkeypatch.setattr("qkd.session.LocalChannel", tampering(Kind.AMPLIFY, "to_alice", flip_bit))
    result = run(SessionParameters(error_rate=0.02, seed=1))
    assert result.aborted is not None
    assert result.aborted.code is AbortCode.AUTHENTICATION_FAILED
    assert result.key is None


@requirement("A4")
def test_alice_gives_no_more_than_her_own_bound_allows():
    _, bob, _ = two_parties(key_length=100_000)
    reach_reconciled(bob)
    with pytest.raises(ProtocolError, match="bound allows"):
        bob.amplify()


@requirement("A4")
def test_alice_answers_each_question_in_its_turn_only():
    _, bob, channel = two_parties()
    with pytest.raises(ProtocolError, match="SAMPLE is not the next"):
        channel.ask(Message.of_bytes(Kind.SAMPLE, bytes(32)), 1500)
    _, bob, _ = two_parties()
    bob.agree()
    bob.sift()
    with pytest.raises(ProtocolError, match="SIFT is not the next"):
        bob.sift()


PEER = """
import json, socket, sys
from tests.qkd.test_parties import two_parties, lead
from qkd.classical import SocketChannel
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=240) as connection:
    _, bob, channel = two_parties(lambda _: SocketChannel(connection), seed=7)
    secrets = lead(bob)
    print(json.dumps([secrets.key.tolist(), bob.state.reconciled.leaked_bits, channel.round_trips]))
"""


@requirement("A4")
def test_the_same_objects_are_two_processes_over_a_socket():
    # The seed stands for the quantum channel: each process takes its own party's record of it.
    alice, _, _ = two_parties(seed=7)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LIMIT_SECONDS)
        peer = subprocess.Popen(
            [sys.executable, "-c", PEER, str(server.getsockname()[1])], stdout=subprocess.PIPE, text=True
        )
        connection, _ = server.accept()
        with connection:
            connection.settimeout(LIMIT_SECONDS)
            serve(connection, alice)
        output, _ = peer.communicate(timeout=LIMIT_SECONDS)
    key, leaked, round_trips = json.loads(output)
    assert key == alice.secrets.key.tolist()
    assert leaked == alice._reconciliation.leaked_bits
    assert round_trips > 10


def exchange(sent):
    """What receive makes of bytes on a wire that then ends."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(sent)
        ours.shutdown(socket.SHUT_WR)
        return receive(theirs)


@requirement("A4")
def test_a_message_survives_the_wire():
    message = Message.of_bits(Kind.SIFT, np.array([1, 0, 1, 1, 0, 0, 1, 1, 1], np.uint8))
    received = exchange(message.encode())
    assert received == message
    assert received.to_bits().tolist() == [1, 0, 1, 1, 0, 0, 1, 1, 1]
    assert exchange(b"") is None


@requirement("A4")
@pytest.mark.parametrize("wire", [b"\x01", b"\xff\0\0\0\0", b"\x01\xff\xff\xff\xff", b"\x01\x10\0\0\0x"])
def test_a_malformed_wire_is_refused(wire):
    with pytest.raises(ProtocolError):
        exchange(wire)


@requirement("A4")
def test_bob_notices_that_alice_is_gone():
    ours, theirs = socket.socketpair()
    with ours:
        hang_up = threading.Thread(target=theirs.close)
        hang_up.start()
        hang_up.join()
        with pytest.raises(ConnectionLostError):
            SocketChannel(ours).ask(Message.of_bytes(Kind.SAMPLE, bytes(32)), 1500)


@requirement("A4")
def test_the_next_sessions_authentication_comes_out_of_this_one():
    shared = AuthenticationKey.draw(1e-15, Randomness(3))
    _, bob, _ = two_parties()
    pad = lead(bob).pad
    renewed = shared.with_pad(pad)
    assert renewed.hash_key == shared.hash_key
    assert renewed.pad.tag_bits == shared.pad.tag_bits
    with pytest.raises(ValueError, match="pad"):
        shared.with_pad(pad[:-3])
