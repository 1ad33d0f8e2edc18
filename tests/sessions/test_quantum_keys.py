"""A quantum key is used once, is what its record says, and outlives its session's time to live (I3, I5)."""

import base64
from collections import Counter
from dataclasses import replace

import pytest

from apps.audit.records import system
from apps.audit.services import transaction
from apps.audit.verification import verify
from apps.audit.writing import AuditUnavailable
from apps.common.aws import client
from apps.common.dynamodb import all_tables
from apps.common.errors import Unavailable
from apps.common.root_keys.configured import root_key
from apps.detections import services as detections
from apps.files import messages
from apps.files.trail import FileEvent, MessageEvent
from apps.sessions import (
    blocks,
    committing,
    finals,
    leases,
    offering,
    quantum_keys,
    reservations,
    services,
    transitions,
)
from apps.sessions import stock as supply
from apps.sessions.committing import KeyTaken
from apps.sessions.records import (
    KeyPurpose,
    QuantumKey,
    QuantumKeyState,
    SessionNotFound,
    SessionStatus,
    SessionUnusable,
    StockEmpty,
)
from apps.sessions.services import GenerateRequest
from apps.sessions.store import FinalKeyTable, QuantumKeyTable, SessionTable
from tests import requirement
from tests.conftest import TESTS
from tests.faults import Fault, injected
from tests.finals import final_key
from tests.sessions.processes import processes_of_threads
from tests.sessions.ready import ready
from tests.tables import rows, save
from tests.threads import together


def take(offered, *, state=QuantumKeyState.USED, subject="a file"):
    with transaction(TESTS) as tx:
        taken = committing.take(tx, offered, purpose=KeyPurpose.FILE, subject=subject, state=state)
        tx.audit(MessageEvent.ENCRYPTED)
    offering.settle(offered, taken=True)
    return taken


def keys_taken(session):
    return blocks.counted(services.find(session.session_id, actor=TESTS)).keys_taken


def discard_stale():
    return reservations.discard(reservations.stale_reservations(), actor=TESTS)


def ids_taken():
    return [item["key_id"]["S"] for item in rows(QuantumKeyTable.Meta.table_name)]


def item_of(session_id, table=SessionTable):
    return next(i for i in rows(table.Meta.table_name) if i["session_id"]["S"] == session_id)


def store_wrapped(session, wrapped):
    save(FinalKeyTable.of(replace(final_key(session.session_id), encrypted_final_key=wrapped)))


@requirement("I3")
@pytest.mark.parametrize("processes", [False, True], ids=["threads of one process", "as many processes"])
@pytest.mark.parametrize("named", [False, True], ids=["from the stock", "of a named session"])
def test_racing_takers_never_get_the_same_key(stock, monkeypatch, settings, processes, named):
    settings.STOCK_RESERVED = 0  # all five are one principal, which has to get the last keys too
    if processes:
        monkeypatch.setattr(leases, "known", processes_of_threads())
    session_id = stock.session_id if named else None

    def takes_until_none_is_left():
        taken: list[str] = []
        while True:
            try:
                package = messages.encrypt(b"x", actor=TESTS, session_id=session_id)
            except (SessionUnusable, Unavailable):
                return taken
            taken.append(package.envelope.header.quantum_key_id)

    taken = [key_id for ids in together(5, takes_until_none_is_left) for key_id in ids]
    assert sorted(taken) == sorted(f"{stock.session_id}.{number}" for number in range(16))
    assert supply.stock().total == 0
    assert verify().problems == []


@requirement("I3")
def test_one_offer_is_taken_once(stock):
    offered = offering.offer()
    outcomes = together(6, lambda: take(offered))
    assert [type(o) for o in outcomes if not isinstance(o, QuantumKey)] == [KeyTaken] * 5
    assert ids_taken() == [offered.key_id]
    assert keys_taken(stock) == 1


@requirement("I3")
def test_the_keys_of_a_session_differ_and_lie_in_its_final_key(stock):
    keys = [quantum_keys.key_bytes(stock.session_id, number) for number in range(16)]
    assert len(set(keys)) == 16
    assert {len(key) for key in keys} == {32}
    with pytest.raises(SessionUnusable):
        quantum_keys.key_bytes(stock.session_id, 16)
    with pytest.raises(SessionUnusable):
        quantum_keys.key_bytes(stock.session_id, -1)


@requirement("I3", "I4")
def test_no_number_is_lost_by_failures(stock):
    for _ in range(16):
        offered = offering.offer()
        with injected(Fault.REFUSED, nth=1), pytest.raises(AuditUnavailable):
            take(offered)
        offering.settle(offered, taken=False)
    assert ids_taken() == []
    for _ in range(16):
        take(offering.offer())
    assert len(set(ids_taken())) == 16
    with pytest.raises(StockEmpty):
        offering.offer()


@requirement("I5")
@pytest.mark.parametrize("table", [SessionTable, FinalKeyTable])
def test_a_session_expires_only_while_nothing_needs_its_keys(stock, table):
    assert int(item_of(stock.session_id, table)["ttl"]["N"]) == stock.ttl
    take(offering.offer())
    assert "ttl" not in item_of(stock.session_id, table)


@requirement("I5")
@pytest.mark.parametrize("table", [SessionTable, FinalKeyTable])
def test_a_reservation_ends_the_time_to_live_too(stock, table):
    take(offering.offer(), state=QuantumKeyState.RESERVED)
    assert "ttl" not in item_of(stock.session_id, table)


@requirement("I5")
@pytest.mark.parametrize("table", [SessionTable, FinalKeyTable])
def test_a_key_cannot_be_taken_from_a_session_that_expired_meanwhile(stock, table):
    offered = offering.offer()
    table.get(stock.session_id).delete()
    with pytest.raises(SessionUnusable):
        take(offered)
    assert rows(table.Meta.table_name) == [], "taking must not bring half a session back"
    assert ids_taken() == []


@requirement("I3", "I5")
def test_whoever_takes_first_the_final_key_stays_for_good(stock):
    """Several takers saw a session with no key taken; only they end its time to live, in any order."""
    early = [offering.offer() for _ in range(3)]
    assert all(offered.keeps for offered in early)
    take(early[2])
    assert "ttl" not in item_of(stock.session_id, FinalKeyTable)
    later = offering.offer()
    assert not later.keeps
    for offered in (later, early[0], early[1]):
        take(offered)
    assert keys_taken(stock) == 4


@requirement("I5")
@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.__name__)
def test_what_has_a_time_to_live_is_removed_by_the_database(aws, table):
    found = client("dynamodb").describe_time_to_live(TableName=table.Meta.table_name)["TimeToLiveDescription"]
    expires = hasattr(table, "ttl")
    assert (found["TimeToLiveStatus"], found.get("AttributeName")) == (
        ("ENABLED", "ttl") if expires else ("DISABLED", None)
    )


@requirement("B5", "C3")
@pytest.mark.parametrize("status", sorted(set(SessionStatus) - finals.OPENS))
def test_only_a_ready_session_gives_keys(stock, status):
    offered = offering.offer()
    found = services.find(stock.session_id, actor=TESTS)
    save(SessionTable.of(replace(found, status=status)))
    finals._kept.clear()
    with pytest.raises(SessionUnusable):
        offering.offer(session_id=stock.session_id, actor=TESTS)
    with pytest.raises(SessionUnusable):
        quantum_keys.key_bytes(stock.session_id, 0)
    with pytest.raises(SessionUnusable):
        take(offered)


@requirement("C3", "C10")
def test_a_wrapped_key_moved_to_another_session_is_refused(stock):
    other = ready(key_length=4096)
    store_wrapped(stock, final_key(other.session_id).encrypted_final_key)
    with pytest.raises(SessionUnusable, match="does not unwrap"):
        offering.offer(session_id=stock.session_id, actor=TESTS)


@requirement("C3", "C10")
def test_a_key_of_another_length_than_recorded_is_refused(stock):
    short = root_key().wrap(b"x" * 256, context=finals.KIND.context_of(stock.session_id))
    store_wrapped(stock, base64.b64encode(short).decode())
    with pytest.raises(SessionUnusable, match="length"):
        offering.offer(session_id=stock.session_id, actor=TESTS)


@requirement("C3")
def test_one_damaged_session_does_not_stop_those_who_take_from_the_stock(stock):
    good = ready(key_length=4096)
    store_wrapped(stock, "AAAA")
    taken = Counter(messages.encrypt(b"x", actor=TESTS).envelope.header.quantum_key_id for _ in range(8))
    assert {key_id.partition(".")[0] for key_id in taken} == {good.session_id}


@requirement("C3")
def test_the_first_to_meet_a_damaged_session_gets_a_key_of_the_next(stock, monkeypatch):
    """The sound blocks that were listed beside the damaged one counted as tried."""
    good = ready(key_length=4096)
    store_wrapped(stock, "AAAA")
    monkeypatch.setattr(
        "random.sample", lambda ids, _: sorted(ids, key=lambda one: not one.startswith(stock.session_id))
    )
    assert offering.offer().session_id == good.session_id


@requirement("A5", "C3")
def test_a_session_too_short_for_a_quantum_key_gives_none(pool):
    short = ready(key_length=128)
    assert supply.stock().total == 0
    with pytest.raises(SessionUnusable, match="256-bit"):
        offering.offer(session_id=short.session_id, actor=TESTS)


@requirement("I9")
def test_a_session_of_another_is_as_unknown_as_none(stock, api):
    own = services.generate(GenerateRequest(key_length=256, error_rate=0.01), actor=api.actor)
    assert services.find(own.session_id, actor=api.actor) == own
    with pytest.raises(SessionNotFound) as foreign:
        offering.offer(session_id=stock.session_id, actor=api.actor)
    with pytest.raises(SessionNotFound) as unknown:
        offering.offer(session_id="no such", actor=api.actor)
    assert foreign.value.detail.replace(stock.session_id, "no such") == unknown.value.detail


@requirement("I3", "I4")
def test_a_reservation_that_nobody_uses_ends_and_its_key_is_never_given_again(stock, monkeypatch):
    offered = offering.offer()
    reserved = take(offered, state=QuantumKeyState.RESERVED)
    assert discard_stale() == 0, "an hour has not passed"
    monkeypatch.setattr(reservations, "RESERVED_SECONDS", 0)
    assert discard_stale() == 1
    assert discard_stale() == 0
    found = quantum_keys.find_taken(offered.key_id)
    assert found is not None
    assert found.state is QuantumKeyState.DISCARDED
    with pytest.raises(SessionUnusable), transaction(TESTS) as tx:
        reservations.use_reserved(tx, offered, reserved)
        tx.audit(FileEvent.ENCRYPTED)
    with pytest.raises(KeyTaken):
        take(offered)


@requirement("C3", "I3")
def test_a_key_reserved_before_its_session_was_revoked_encrypts_nothing(stock):
    offered = offering.offer()
    reserved = take(offered, state=QuantumKeyState.RESERVED)
    transitions.revoke(stock.session_id, reason="leaked", actor=TESTS)
    with pytest.raises(SessionUnusable, match="no longer ready"), transaction(TESTS) as tx:
        reservations.use_reserved(tx, offered, reserved)
        tx.audit(FileEvent.ENCRYPTED)
    found = quantum_keys.find_taken(offered.key_id)
    assert found is not None
    assert found.state is QuantumKeyState.RESERVED, "it ends as any other that nobody used"


@requirement("C5", "A9")
def test_the_stock_is_refilled_once_and_then_awaited(pool):
    made = supply.refill()
    assert supply.QUICK_BITS // 256 <= made < supply.SESSION_BITS // 256, "a short session, as somebody waits"
    assert supply.refill() == 0, "a session waits for its judgement"
    assert detections.judge_overdue(seconds=-1, actor=TESTS) == 1
    assert supply.stock().total == made
    assert supply.refill() == 0, "the stock is full"


@requirement("C5")
def test_an_empty_stock_refills_itself_when_someone_asks(pool):
    with pytest.raises(StockEmpty):
        messages.encrypt(b"x", actor=TESTS)
    detections.judge_overdue(seconds=-1, actor=TESTS)
    assert messages.encrypt(b"x", actor=TESTS)


@requirement("I3")
@pytest.mark.parametrize("key_id", ["", ".", "x", "x.", ".1", "x.-1", "x.1.5", "x.٣", "no such.0"])
def test_a_malformed_key_id_names_nothing(aws, key_id):
    with pytest.raises((SessionNotFound, SessionUnusable)):
        quantum_keys.taken_key(key_id)


@requirement("D1")
def test_who_took_a_key_for_what_is_kept(stock):
    actor = replace(system("a taker"), source_ip="192.0.2.1")
    package = messages.encrypt(b"x", actor=actor)
    found = quantum_keys.find_taken(package.envelope.header.quantum_key_id)
    assert found is not None
    assert (found.taken_by, found.subject) == ("system:a taker", package.envelope.header.file_id)
