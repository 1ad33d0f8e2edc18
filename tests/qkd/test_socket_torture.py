"""Alice and Bob in two processes over a socket: every message of a session in turn lost, repeated, cut, altered, late."""

import multiprocessing
import socket
import threading
from collections import Counter
from contextlib import suppress

import pytest

from qkd.classical import ProtocolError, SocketChannel, receive, send, serve
from tests import requirement
from tests.qkd.test_hostile_peers import damage
from tests.qkd.test_parties import lead, two_parties
from tests.waiting import LIMIT_SECONDS

FAULTS = ("dropped", "repeated", "cut", "altered", "delayed", "late")
PATIENCE = 1.0  # seconds that either waits for a message where one suffers; what is late comes after it
SEED = 7


def _parties(channel_to=None):
    given = () if channel_to is None else (channel_to,)
    return two_parties(*given, seed=SEED, pulses=9000, sample_bits=800, low_latency=True)


def _bob(connection, outcome, patience):
    """Bob, in a process of his own; says what he ended with."""
    with connection:
        connection.settimeout(patience)
        _, bob, _ = _parties(lambda _: SocketChannel(connection))
        with suppress(ProtocolError):
            lead(bob)
    key = bob.state.secrets
    outcome.send((None if key is None else key.key.tobytes(), bob.state.confirmed))


def _pass_on(message, before, fault, target):
    if fault == "late":
        target.settimeout(LIMIT_SECONDS)
        target.recv(1, socket.MSG_PEEK)  # until whoever waits for it has given up
        return [message]
    return [message] if fault is None else damage(fault, message, before)


def _relay(alice_end, bob_end, fault, index, counted, patience):
    """The line between them, on which one message suffers the fault."""
    before = None
    with alice_end, bob_end, suppress(ProtocolError, OSError):
        for end in (alice_end, bob_end):
            end.settimeout(2 * patience)
        while True:
            for source, target in ((bob_end, alice_end), (alice_end, bob_end)):
                message = receive(source)
                if message is None:
                    return
                suffers = fault if counted["messages"] == index else None
                counted["messages"] += 1
                for one in _pass_on(message, before or message, suffers, target):
                    send(target, one)
                before = message


def session(fault, index):
    """Run a session; return the number of messages, Alice, and what Bob ended with."""
    patience = LIMIT_SECONDS / 2 if fault is None else PATIENCE
    alice_end, to_alice = socket.socketpair()
    bob_end, to_bob = socket.socketpair()
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_bob, args=(bob_end, theirs, patience))
    process.start()
    bob_end.close()
    counted: Counter[str] = Counter()
    relay = threading.Thread(target=_relay, args=(to_alice, to_bob, fault, index, counted, patience))
    relay.start()
    alice, _, _ = _parties()
    alice_end.settimeout(patience)
    with alice_end, suppress(ProtocolError):
        serve(alice_end, alice)
    relay.join()
    assert ours.poll(LIMIT_SECONDS)
    key, confirmed = ours.recv()
    process.join()
    assert process.exitcode == 0
    return counted["messages"], alice, key, confirmed


def outcome(alice, key, confirmed):
    """What a session ended with; never a key on one side of which the other has another, or knows nothing."""
    hers, provisional = alice.secrets, alice.provisional
    if hers is not None:
        assert key == hers.key.tobytes()
        return "a key for both" if confirmed else "a key for both, Bob repeats his confirmation"
    if key is not None:
        assert provisional is not None
        assert key == provisional.key.tobytes()
        assert not confirmed
        return "Bob has it, Alice's is provisional and not used"
    return "no key for either"


@pytest.mark.slow
@pytest.mark.timeout(900)
@requirement("A4", "A11")
@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_of_any_message_leaves_a_key_on_one_side_alone(fault, capsys):
    whole, alice, key, confirmed = session(None, -1)
    assert outcome(alice, key, confirmed) == "a key for both"
    found: Counter[str] = Counter()
    for index in range(whole):
        _, alice, key, confirmed = session(fault, index)
        found[outcome(alice, key, confirmed)] += 1
    assert found["no key for either"] > whole / 2
    with capsys.disabled():
        print(f"\n| {fault} | {whole} | " + "; ".join(f"{name}: {count}" for name, count in found.items()))  # noqa: T201 - the table


@requirement("A4", "A11")
def test_a_message_that_is_late_is_as_good_as_lost():
    whole, *_ = session(None, -1)
    for index in (-2, -1):
        _, alice, key, confirmed = session("late", index % whole)
        assert outcome(alice, key, confirmed) != "a key for both"
