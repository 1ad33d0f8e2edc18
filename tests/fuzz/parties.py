"""What one input of the fuzzer does to a session of Alice and Bob: the same key on both sides, or none and both know.

    python -m tests.fuzz.parties [options of libFuzzer]      with atheris installed

An input is a list of changes to messages: which one, its kind, its length, its bytes. Whatever arrives, Alice and Bob
raise nothing but ``ProtocolError``, nobody uses a key that the other does not have, and what is held stays small.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from types import FunctionType

import numpy as np

from qkd import bb84
from qkd.agreement import Agreement
from qkd.attacks import NoAttack
from qkd.authentication import AuthenticationKey
from qkd.bb84 import Transmission
from qkd.channel import Channel
from qkd.classical import ConnectionLostError, Kind, LocalChannel, Message, ProtocolError
from qkd.parties import Alice, Bob
from qkd.randomness import Randomness
from tests.fuzz.packages import apply_changes

STEP = 12  # bytes of an input for one message
LINKS = (
    Channel(misalignment=0.01),
    Channel(
        misalignment=0.01,
        rectilinear_probability=0.7,
        intensities=(0.9, 0.2),
        intensity_probabilities=(0.6, 0.4),
    ),
)
PULSES = (2500, 40_000)


def one_input(data: bytes) -> None:
    """Run a session with the changes that an input asks for."""
    if not data:
        return
    link = data[0] % len(LINKS)
    changes = {
        int.from_bytes(data[at : at + 2], "big") % 128: data[at + 2 : at + STEP]
        for at in range(1, min(len(data), 1 + 4 * STEP), STEP)
    }
    session(link, changes)


@cache
def _sent(link: int) -> Transmission:
    return bb84.transmit(PULSES[link], LINKS[link], NoAttack(), Randomness(1))


class Changing(LocalChannel):
    """A channel on which the n-th message, questions and answers counted alike, is not what was sent."""

    def __init__(self, answer: Callable[[Message], Message], changes: dict[int, bytes]) -> None:
        super().__init__(answer)
        self.changes, self.count = changes, 0

    def _arriving(self, message: Message) -> Message:
        program = self.changes.get(self.count)
        self.count += 1
        return message if not program else changed(message, program)

    def _exchange(self, question: Message, longest: int) -> Message:
        return self._arriving(super()._exchange(self._arriving(question), longest))


def changed(message: Message, program: bytes) -> Message:
    """The message with another kind, another length, or other bytes; or none at all."""
    what, number = program[0], program[1] if len(program) > 1 else 0
    if what % 8 == 7:
        raise ConnectionLostError("dropped")
    kind = Kind(1 + number % len(Kind)) if what % 8 == 6 else message.kind
    body = apply_changes(message.body, program[2:])
    bits = message.bits if len(body) == len(message.body) else 8 * len(body)
    return Message(kind, body, bits)


def session(link: int, changes: dict[int, bytes]) -> Changing:
    """Run a session over a channel with these changes, and demand what must hold of both."""
    channel = LINKS[link]
    agreed = Agreement(
        key_length=64,
        measure_only=False,
        sample_bits=400,
        by_basis=channel.compares_a_basis,
        intensities=tuple(channel.intensities),
        intensity_probabilities=tuple(channel.intensity_probabilities),
        epsilon_sec=1e-2,
        epsilon_cor=1e-3,
        epsilon_auth=1e-6,
        low_latency=True,
    )
    sent, randomness = _sent(link), Randomness(2)
    shared = AuthenticationKey.draw(agreed.epsilon_auth, randomness)
    alice = Alice(sent.alice, agreed, shared)
    between = Changing(alice.answer, changes)
    bob = Bob(sent.bob, agreed, shared.twin(), between, randomness)
    with suppress(ProtocolError):
        for step in (bob.agree, bob.sift, bob.estimate, bob.reconcile, bob.amplify, bob.confirm):
            step()
    check(alice, bob)
    return between


def check(alice: Alice, bob: Bob) -> None:
    """Whoever uses a key knows that the other side has the same one."""
    theirs = bob.state.secrets
    if theirs is not None:
        assert alice.provisional is not None
        assert np.array_equal(alice.provisional.key, theirs.key)
        assert np.array_equal(alice.provisional.pad, theirs.pad)
    if alice.secrets is not None:
        assert theirs is not None
        assert alice.secrets is alice.provisional
    if bob.state.confirmed:
        assert alice.secrets is not None


def main() -> None:
    """Let atheris make inputs, guided by the branches that they reach."""
    import atheris

    for function in _functions():  # all functions, numpy's among them, take a minute
        atheris.instrument_func(function)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


def _functions() -> Iterator[FunctionType]:
    """Those of the engine."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "qkd":
            owners = [module, *(one for one in vars(module).values() if isinstance(one, type))]
            for owner in owners:
                found = (one for one in vars(owner).values() if isinstance(one, FunctionType))
                yield from (one for one in found if one.__module__ == name)


if __name__ == "__main__":
    main()
