"""Processes lease blocks of quantum keys, so that no two meet; what a crash leaves comes back, once (I3)."""

import pytest

from apps.audit.verification import verify
from apps.files import messages
from apps.sessions import blocks, leases, quantum_keys, services
from apps.sessions.records import SessionUnusable, StockEmpty
from apps.sessions.store import KeyBlockTable
from tests import requirement
from tests.conftest import TESTS
from tests.faults import counted, watched
from tests.sessions.processes import processes_of_threads
from tests.sessions.ready import long
from tests.threads import together


def encrypt(**asked) -> str:
    return str(messages.encrypt(b"x", actor=TESTS, **asked).header.quantum_key_id)


def numbers(key_ids) -> list[int]:
    return [int(key_id.rpartition(".")[2]) for key_id in key_ids]


def another_process() -> None:
    leases.known().clear()


@requirement("C5", "I3")
def test_while_a_lease_lasts_a_take_is_one_call_and_the_next_number(pool):
    long(1024)
    taken = [encrypt(), encrypt()]  # the second reads the session again, which now stays for good
    with counted() as calls:
        taken += [encrypt() for _ in range(14)]
    assert calls == ["TransactWriteItems"] * 14
    first = numbers(taken)[0]
    assert numbers(taken) == list(range(first, first + 16))


@requirement("I3")
def test_two_processes_take_from_different_blocks(pool):
    long(1024)
    here = encrypt()
    another_process()
    there = encrypt()
    assert abs(numbers([here])[0] - numbers([there])[0]) >= 16


@requirement("I3", "I4")
def test_what_a_crashed_process_held_waits_for_a_minute_and_comes_back_whole(pool, later):
    made = long(48)
    assert blocks.size_of(48) == 3
    taken = [encrypt(session_id=made.session_id) for _ in range(4)]  # a block, and one of the next
    another_process()
    others = [encrypt(session_id=made.session_id) for _ in range(48 - 6)]
    with pytest.raises(StockEmpty, match="kept for other requests"):
        encrypt(session_id=made.session_id)
    later(seconds=leases.LEASE_SECONDS + 1)
    back = [encrypt(session_id=made.session_id) for _ in range(2)]
    assert sorted(numbers(taken + others + back)) == list(range(48))
    with pytest.raises(SessionUnusable, match="no unused"):
        encrypt(session_id=made.session_id)


@requirement("I3")
def test_who_comes_back_after_another_took_over_takes_something_else(pool, later):
    """A process that was frozen: its lease ended, and someone else went on where it was."""
    long(1)
    made = long(64)
    taken = [encrypt(session_id=made.session_id)]
    frozen = dict(leases.known()._held)
    another_process()
    later(seconds=leases.LEASE_SECONDS + 1)
    taken += [encrypt(session_id=made.session_id) for _ in range(20)]
    another_process()
    leases.known()._held.update(frozen)
    taken += [encrypt(session_id=made.session_id) for _ in range(3)]
    assert len(set(taken)) == len(taken)
    assert verify().problems == []


@requirement("I3")
def test_a_lease_in_use_is_renewed_before_it_ends(pool, later):
    long(1024)
    first = numbers([encrypt()])[0]
    for step in range(1, 8):
        later(seconds=leases.LEASE_SECONDS // 2)
        assert numbers([encrypt()]) == [first + step]


@requirement("I3", "C5")
@pytest.mark.parametrize("processes", [1, 4, 8, 16])
def test_racing_processes_take_every_key_once_and_seldom_meet(pool, monkeypatch, processes):
    """16 processes met 0.93 times a key when each guessed the next number of ten sessions."""
    long(1024)
    monkeypatch.setattr(leases, "known", processes_of_threads())
    met: list[str] = []

    def around(call, aws, operation, arguments):
        try:
            return call(aws, operation, arguments)
        except Exception as error:
            reasons = getattr(error, "response", {}).get("CancellationReasons", [])
            tables = [next(iter(item.values()))["TableName"] for item in arguments.get("TransactItems", [])]
            refused = {
                table for table, reason in zip(tables, reasons, strict=False) if reason["Code"] != "None"
            }
            met.extend(["a key"] if KeyBlockTable.Meta.table_name in refused else [])
            raise

    with watched(around):
        outcomes = together(processes, lambda: [encrypt() for _ in range(12)])
    taken = [key_id for ids in outcomes for key_id in ids]
    assert len(taken) == len(set(taken)) == 12 * processes
    assert len(met) <= 0.05 * len(taken)
    assert verify().problems == []


@requirement("I3")
def test_threads_of_a_process_wait_for_its_last_block(pool):
    made = long(64)
    free = [block for block in blocks.of_session(made) if block.first == 0]
    for block in blocks.of_session(made)[1:]:
        leases.known().claim(block.block_id)  # as if others had them
    assert len(free) == 1
    taken = together(4, lambda: encrypt(session_id=made.session_id))
    assert sorted(numbers(taken)) == list(range(4))


@requirement("A9")
def test_how_many_keys_are_taken_is_counted_from_the_blocks(pool, api, admin_api):
    made = long(1024)
    for _ in range(5):
        encrypt()
    assert services.find(made.session_id, actor=TESTS).keys_taken == 0
    assert admin_api.get(f"qkd/session/{made.session_id}").json()["keys_taken"] == 5
    for _ in range(11):
        encrypt()
    assert services.find(made.session_id, actor=TESTS).keys_taken == 16
    assert quantum_keys.keys_of(made.session_id, limit=50).records
