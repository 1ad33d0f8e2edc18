"""After a restore nothing that may have been used since the backup is used again, and what was used still opens (G5, I3)."""

import pytest
from django.core.management import call_command

from apps.audit.verification import Depth, verify
from apps.common.authenticated import RecordForged
from apps.common.dynamodb import Page
from apps.custody import restoring
from apps.detections import services as detections
from apps.files import messages
from apps.sessions import blocks, services
from apps.sessions import stock as supply
from apps.sessions.records import SessionStatus, SessionUnusable, StockEmpty
from apps.sessions.services import GenerateRequest
from tests import requirement
from tests.conftest import TESTS
from tests.sessions.ready import ready


@requirement("G5", "I3")
def test_no_quantum_key_of_a_backup_is_taken_and_what_was_encrypted_opens(stock, pool, monkeypatch):
    own = ready()
    before = messages.encrypt(b"before the backup", actor=TESTS)
    aside = restoring.set_keys_aside(actor=TESTS)
    assert aside > 0
    assert supply.stock().total == 0
    monkeypatch.setattr("apps.sessions.stock.refill", lambda: None)
    for session_id in (None, own.session_id):
        with pytest.raises((StockEmpty, SessionUnusable)):
            messages.encrypt(b"after it", actor=TESTS, session_id=session_id)
    assert messages.decrypt(before.to_dict(), actor=TESTS) == b"before the backup"
    assert restoring.set_keys_aside(actor=TESTS) == 0
    assert verify(Depth.RECORDS).whole


@requirement("G5", "I3")
def test_a_session_that_waited_for_its_verdict_is_set_aside_too(aws, pool):
    made = services.generate(GenerateRequest(key_length=512, error_rate=0.01), actor=TESTS)
    assert restoring.set_keys_aside(actor=TESTS) == 2
    assert services.find(made.session_id, actor=TESTS).status is SessionStatus.READY


@requirement("G5", "I3")
def test_what_cannot_be_judged_or_closed_keeps_no_other_key_in_use(stock, pool, monkeypatch):
    own = ready()
    services.generate(GenerateRequest(key_length=512, error_rate=0.01), actor=TESTS)
    close = blocks.close_all

    def closed(session, *, actor):
        if session.session_id == own.session_id:
            raise RecordForged("its row was changed")
        return close(session, actor=actor)

    def not_judged(*_, **__):
        raise RecordForged("its row was changed")

    monkeypatch.setattr(detections, "judge", not_judged)
    monkeypatch.setattr(blocks, "close_all", closed)
    with pytest.raises(ExceptionGroup):
        restoring.set_keys_aside(actor=TESTS)
    left = sum(int(block.end - block.next) for block in blocks.of_session(own))
    assert supply.stock().total == left, "its own, which are told as failed"


@requirement("G5", "I3")
def test_a_session_judged_just_now_is_set_aside_before_the_index_shows_it_as_ready(aws, pool, monkeypatch):
    made = services.generate(GenerateRequest(key_length=512, error_rate=0.01), actor=TESTS)
    monkeypatch.setattr(
        "apps.sessions.store.sessions_page", lambda **_: Page([])
    )  # as an index of AWS may lag
    assert restoring.set_keys_aside(actor=TESTS) == 2
    with pytest.raises(SessionUnusable):
        messages.encrypt(b"after it", actor=TESTS, session_id=made.session_id)


@requirement("G5")
def test_the_command_says_how_many(stock, capsys):
    call_command("set_keys_aside")
    assert "quantum keys are out of use" in capsys.readouterr().out
