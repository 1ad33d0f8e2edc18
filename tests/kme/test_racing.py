"""Many applications draw at once, AWS fails at any call: no key is given twice, none is lost (E10, I3)."""

from collections import Counter
from functools import partial

import pytest

from apps.audit.verification import verify
from apps.kme.records import DeliveredState
from apps.kme.store import DeliveredKeyTable
from apps.sessions import blocks, leases, offering, services, stock, transitions
from apps.sessions.store import QuantumKeyTable
from tests import requirement
from tests.conftest import TESTS
from tests.faults import Fault, injected
from tests.kme.saes import Answered, an_application
from tests.sessions.processes import processes_of_threads
from tests.sessions.ready import long
from tests.threads import together


@requirement("E10", "I3")
def test_a_hundred_applications_at_once_never_get_one_key_twice_and_lose_none(aws):
    number = 3
    made = long(1024)
    bob = an_application("sae-bob")
    masters = [an_application(f"sae-{n}", "sae-bob") for n in range(100)]
    waiting = iter(masters)

    def draw():
        master = next(waiting)
        while (answer := master.enc_keys("sae-bob", number=number)).status == 503:
            pass  # others held all blocks for as long as a request may wait
        return master.sae.sae_id, answer

    outcomes = together(100, draw)
    given = {sae_id: answer.keys for sae_id, answer in outcomes}
    ids = [key_id for keys in given.values() for key_id, _ in keys]
    assert len(set(ids)) == len({key for keys in given.values() for _, key in keys}) == 100 * number
    for sae_id, keys in given.items():
        assert bob.dec_keys(sae_id, *(key_id for key_id, _ in keys)).keys == keys
    taken = [row.number for row in QuantumKeyTable.scan()]
    assert len(taken) == len(set(taken)) == 100 * number, "no key was taken for nobody"
    counted = blocks.counted(services.find(made.session_id, actor=TESTS))
    assert counted.keys_taken == 100 * number
    assert verify().problems == []


@requirement("E10", "I3")
def test_processes_that_draw_the_last_keys_give_each_once_or_say_that_there_are_none(
    aws, monkeypatch, later, settings
):
    """Each thread is a process of its own; they want more than there is, several at once."""
    long(64)  # 16 blocks of 4
    monkeypatch.setattr(leases, "known", processes_of_threads())
    monkeypatch.setattr(stock, "refill", lambda: 0)
    settings.STOCK_RESERVED = 0  # else the last ones are kept from who took most
    an_application("sae-bob")
    alice = an_application("sae-alice", "sae-bob")

    def draw():
        return [alice.enc_keys("sae-bob", number=3) for _ in range(6)]

    answers = [answer for found in together(8, draw) for answer in found]
    assert {answer.status for answer in answers} <= {200, 503}
    ids = [key_id for answer in answers if answer.status == 200 for key_id in answer.ids]
    given = [key for answer in answers if answer.status == 200 for _, key in answer.keys]
    assert len(ids) == len(set(given)) == len(set(ids))
    later(seconds=leases.LEASE_SECONDS + 1)
    while (
        rest := alice.enc_keys("sae-bob")
    ).status == 200:  # whatever a process held waits for the end of its lease
        given += [key for _, key in rest.keys]
    assert len(given) == len(set(given)) == 64


@requirement("E10", "I3", "I4")
@pytest.mark.parametrize("fault", list(Fault))
def test_a_key_whose_answer_was_lost_is_given_to_nobody_else(aws, fault, each_call):
    long(256)
    alice, bob = an_application("sae-alice", "sae-bob"), an_application("sae-bob")
    other = an_application("sae-other", "sae-bob")
    answered: list[Answered] = []

    def attempt(_):
        answered.append(alice.enc_keys("sae-bob", number=2))
        assert answered[-1].status == 200

    for _ in each_call("deliver keys", fault, lambda: None, attempt):
        answered.append(other.enc_keys("sae-bob", number=1))
        leases.known().clear()  # the process dies
    good = [answer for answer in answered if answer.status == 200]
    assert {answer.status for answer in answered} <= {200, 503}
    keys = [key for answer in good for _, key in answer.keys]
    assert len(keys) == len(set(keys))
    pieces = Counter(piece for row in DeliveredKeyTable.scan() for piece in row.pieces)
    assert set(pieces.values()) == {1}
    assert bob.dec_keys("sae-alice", *good[0].ids).status in {200, 400}
    assert verify().problems == []


@requirement("E10", "I3", "I4")
@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.THROTTLED])
def test_a_key_that_could_not_be_collected_stays_to_be_collected(aws, fault):
    long(256)
    alice, bob = an_application("sae-alice", "sae-bob"), an_application("sae-bob")
    given = alice.enc_keys("sae-bob")
    for nth in range(1, 30):
        with injected(fault, nth=nth) as injection:
            answer = bob.dec_keys("sae-alice", *given.ids)
        if injection.struck is None or answer.status == 200:
            break
        assert answer.status == 503, answer
    assert nth > 2
    assert answer.keys == given.keys


@requirement("E10", "I3")
def test_two_slaves_at_the_same_moment_both_collect_a_key(aws):
    long(64)
    alice = an_application("sae-alice", "*")
    slaves = [an_application(f"slave-{n}") for n in range(6)]
    given = alice.enc_keys("slave-0", additional_slave_SAE_IDs=[one.sae.sae_id for one in slaves[1:]])
    waiting = iter(slaves)
    answers = together(6, lambda: next(waiting).dec_keys("sae-alice", *given.ids))
    assert [answer.keys for answer in answers] == [given.keys] * 6
    (row,) = DeliveredKeyTable.scan()
    assert (row.state, len(row.collected_by)) == (DeliveredState.COLLECTED, 6)


@requirement("E10", "I3")
def test_one_slave_that_asks_twice_at_once_is_given_a_key_once(aws):
    long(64)
    alice, bob = an_application("sae-alice", "sae-bob"), an_application("sae-bob")
    for _ in range(5):
        given = alice.enc_keys("sae-bob")
        answers = together(4, partial(bob.dec_keys, "sae-alice", *given.ids))
        assert sorted(answer.status for answer in answers) == [200, 400, 400, 400]


@requirement("E10", "B1")
def test_keys_of_a_session_that_was_revoked_are_collected_by_nobody(aws):
    made = long(64)
    alice, bob = an_application("sae-alice", "sae-bob"), an_application("sae-bob")
    given = alice.enc_keys("sae-bob")
    transitions.revoke(made.session_id, reason="leaked", actor=TESTS)
    assert bob.dec_keys("sae-alice", *given.ids).status == 400


@requirement("I3")
def test_a_block_that_gives_several_keys_goes_on_behind_them(aws):
    long(1024)  # 64 blocks of 16
    alice = an_application("sae-alice", "sae-bob")
    an_application("sae-bob")
    for _ in range(4):
        alice.enc_keys("sae-bob", number=4)
    numbers = sorted(int(row.number) for row in QuantumKeyTable.scan())
    assert numbers == list(range(numbers[0], numbers[0] + 16)), "one block, used up"
    first = offering.offer()
    assert offering.widened(first, 100).count == 16, "another block, whole"
