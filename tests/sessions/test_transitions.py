"""A revoked session gives no key, in one write, and what was taken of it still opens (C3, I3, I4)."""

from dataclasses import replace

import pytest

from apps.audit import services as audit
from apps.files import messages
from apps.files.trail import MessageEvent
from apps.sessions import finals, quantum_keys, services, stock, transitions
from apps.sessions.records import KeyPurpose, SessionStatus, SessionUnusable, StockEmpty
from apps.sessions.store import SessionTable
from apps.sessions.trail import SessionEvent
from tests import requirement
from tests.conftest import TESTS
from tests.faults import Fault, counted
from tests.sessions.ready import ready
from tests.tables import save


@requirement("C3", "I3", "I4")
def test_a_revoked_session_gives_no_key_and_what_was_taken_still_opens(pool, aws):
    made = ready()
    package = messages.encrypt(b"x", actor=TESTS)
    revoked = transitions.revoke(made.session_id, reason="link tapped", actor=TESTS)
    assert (revoked.status, revoked.reason) == (SessionStatus.REVOKED, "link tapped")
    with pytest.raises(StockEmpty):
        quantum_keys.offer()
    with pytest.raises(SessionUnusable):
        quantum_keys.offer(session_id=made.session_id, actor=TESTS)
    finals._kept.clear()
    assert messages.decrypt(package.to_dict(), actor=TESTS) == b"x"
    assert [key.purpose for key in quantum_keys.keys_of(made.session_id, limit=5).records] == ["message"]
    with pytest.raises(SessionUnusable, match="only a ready one"):
        transitions.revoke(made.session_id, reason="again", actor=TESTS)


@requirement("C3", "I3")
def test_an_offer_from_before_the_revocation_cannot_be_taken(pool, aws):
    made = ready()
    offered = quantum_keys.offer()
    transitions.revoke(made.session_id, reason="x", actor=TESTS)
    with pytest.raises(SessionUnusable), audit.transaction(TESTS) as tx:
        quantum_keys.take(tx, offered, purpose=KeyPurpose.FILE, subject="m")
        tx.audit(MessageEvent.ENCRYPTED)


@requirement("C3", "I2")
def test_a_session_revoked_untouched_loses_its_wrapped_key(aws):
    made = ready()
    transitions.revoke(made.session_id, reason="x", actor=TESTS)
    assert finals.find(made.session_id) is None


@requirement("C3")
def test_ten_thousand_keys_are_revoked_in_one_write(aws):
    made = ready()
    save(SessionTable.of(replace(made, keys_total=10_000, keys_taken=5_000)))
    with counted() as calls:
        transitions.revoke(made.session_id, reason="x", actor=TESTS)
    assert calls.count("TransactWriteItems") == 1
    assert len(calls) <= 4, calls
    assert stock.stock().total == 0


@requirement("I1", "I4")
@pytest.mark.parametrize("fault", Fault)
def test_no_failed_call_half_revokes_a_session(aws, fault, each_call):
    def revoke(made):
        transitions.revoke(made.session_id, reason="x", actor=TESTS)

    for call, made in each_call("revoke a session", fault, ready, revoke):
        if services.find(made.session_id, actor=TESTS).status is SessionStatus.READY:
            revoke(made)
        found = services.find(made.session_id, actor=TESTS)
        assert (found.status, finals.find(made.session_id)) == (SessionStatus.REVOKED, None), call
        events = [e.event for e in audit.entries_page(limit=9, by="session", value=made.session_id).records]
        assert events.count(SessionEvent.REVOKED) == 1, call
