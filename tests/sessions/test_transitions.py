"""A revoked session gives no key, in one write, and what was taken of it still opens (C3, I3, I4)."""

from contextlib import suppress

import pytest

from apps.audit import services as audit
from apps.files import messages
from apps.files.trail import MessageEvent
from apps.sessions import blocks, committing, finals, offering, quantum_keys, services, stock, transitions
from apps.sessions.records import BlockState, KeyPurpose, SessionStatus, SessionUnusable, StockEmpty
from apps.sessions.trail import SessionEvent
from tests import requirement
from tests.conftest import TESTS
from tests.faults import TELLING, counted
from tests.sessions.ready import long, ready


@requirement("C3", "I3", "I4")
def test_a_revoked_session_gives_no_key_and_what_was_taken_still_opens(pool, aws):
    made = ready()
    package = messages.encrypt(b"x", actor=TESTS)
    revoked = transitions.revoke(made.session_id, reason="link tapped", actor=TESTS)
    assert (revoked.status, revoked.reason) == (SessionStatus.REVOKED, "link tapped")
    with pytest.raises(StockEmpty):
        offering.offer()
    with pytest.raises(SessionUnusable):
        offering.offer(session_id=made.session_id, actor=TESTS)
    finals._kept.clear()
    assert messages.decrypt(package.to_dict(), actor=TESTS) == b"x"
    assert [key.purpose for key in quantum_keys.keys_of(made.session_id, limit=5).records] == ["message"]
    with pytest.raises(SessionUnusable, match="only a ready one"):
        transitions.revoke(made.session_id, reason="again", actor=TESTS)


@requirement("C3", "I3")
def test_an_offer_from_before_the_revocation_cannot_be_taken(pool, aws):
    made = ready()
    offered = offering.offer()
    transitions.revoke(made.session_id, reason="x", actor=TESTS)
    with pytest.raises(SessionUnusable), audit.transaction(TESTS) as tx:
        committing.take(tx, offered, purpose=KeyPurpose.FILE, subject="m")
        tx.audit(MessageEvent.ENCRYPTED)


@requirement("C3", "I2")
def test_a_session_revoked_untouched_loses_its_wrapped_key(aws):
    made = ready()
    transitions.revoke(made.session_id, reason="x", actor=TESTS)
    assert finals.find(made.session_id) is None


@requirement("C3")
def test_four_thousand_keys_are_revoked_in_a_few_writes(pool):
    made = long(4096)
    messages.encrypt(b"x", actor=TESTS)
    with counted() as calls:
        transitions.revoke(made.session_id, reason="x", actor=TESTS)
    assert calls.count("TransactWriteItems") == 3  # the session, what nobody holds, the block that is leased
    assert len(calls) <= 8, calls
    assert stock.stock().total == 0


@requirement("C3", "I3", "I4")
@pytest.mark.parametrize("fault", TELLING)
def test_a_revocation_that_was_interrupted_is_finished_by_the_next(pool, fault, each_call):
    """A session in use: its row is revoked first, then each block."""

    def in_use():
        made = ready()
        offered = offering.offer(session_id=made.session_id, actor=TESTS)
        with audit.transaction(TESTS) as tx:
            committing.take(tx, offered, purpose=KeyPurpose.FILE, subject="m")
            tx.audit(MessageEvent.ENCRYPTED)
        offering.settle(offered, taken=True)
        return made

    def revoke(made):
        transitions.revoke(made.session_id, reason="x", actor=TESTS)

    for call, made in each_call("revoke a session in use", fault, in_use, revoke):
        with suppress(SessionUnusable):  # it came to its end
            revoke(made)
        found = services.find(made.session_id, actor=TESTS)
        assert found.status is SessionStatus.REVOKED, call
        assert {block.state for block in blocks.of_session(found)} == {BlockState.CLOSED}, call
        assert finals.find(made.session_id) is not None, call


@requirement("C3", "I3")
def test_whoever_comes_by_a_revoked_session_closes_what_was_left_open(pool, monkeypatch):
    made = ready()
    messages.encrypt(b"x", actor=TESTS)
    with monkeypatch.context() as interrupted:
        interrupted.setattr(blocks, "close_all", lambda *_, **__: [])
        transitions.revoke(made.session_id, reason="x", actor=TESTS)
    assert stock.stock().total == 3
    with pytest.raises(StockEmpty):
        offering.offer()
    assert stock.stock().total == 0


@requirement("I1", "I4")
@pytest.mark.parametrize("fault", TELLING)
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
