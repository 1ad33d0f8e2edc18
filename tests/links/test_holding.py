"""Keys that were made over a link before a case quarantined it are held back until it is released (A10, B4)."""

import pytest

from apps.links import services as links
from apps.links import transitions
from apps.links.records import LinkState, LinkUnusable
from apps.sessions import offering, stock
from apps.sessions.records import StockEmpty
from apps.sessions.stock import REFILLER
from tests import requirement
from tests.conftest import TESTS
from tests.kme.saes import an_application
from tests.sessions.ready import long, ready


def quarantine(link_id: str = "stock") -> None:
    transitions.quarantine(link_id, case_id="case-1", reason="Eve", actor=TESTS)


def release(link_id: str = "stock") -> None:
    transitions.release(link_id, case_id="case-1", reason="looked at", actor=TESTS)


@requirement("A10", "I3")
def test_ready_keys_of_a_quarantined_link_wait_for_its_release(aws, settings):
    settings.STOCK_RESERVED = 0
    long(16)
    first = offering.offer(actor=TESTS)
    offering.put_back(first)  # this process holds its block
    quarantine()
    with pytest.raises(StockEmpty):
        offering.offer(actor=TESTS)
    assert stock.stock().total == 0, "what is held back counts as missing"
    release()
    assert offering.offer(actor=TESTS).session_id == first.session_id
    assert stock.stock().total == 16


@requirement("A10", "I3")
def test_other_links_go_on_giving_keys(aws, settings):
    settings.STOCK_RESERVED = 0
    long(16)
    links.make("metro", name="x", actor=TESTS)
    ready(link="metro")
    quarantine()
    assert offering.offer(actor=TESTS).block.link == "metro"


@requirement("A10")
def test_keys_of_a_paused_link_are_used_up(aws, settings):
    settings.STOCK_RESERVED = 0
    long(16)
    transitions.move("stock", LinkState.PAUSED, reason="works", actor=TESTS)
    assert offering.offer(actor=TESTS).block.link == "stock"


@requirement("A10")
def test_a_named_session_of_a_quarantined_link_gives_no_key(aws):
    made = ready(link="stock")
    quarantine()
    with pytest.raises(LinkUnusable, match="held back"):
        offering.offer(session_id=made.session_id, actor=TESTS)
    release()
    assert offering.offer(session_id=made.session_id, actor=TESTS).session_id == made.session_id


@requirement("A10", "E10")
def test_a_delivered_key_of_a_quarantined_link_is_collected_once_it_is_released(aws):
    long(64)
    alice, bob = an_application("sae-alice", "sae-bob"), an_application("sae-bob")
    given = alice.enc_keys("sae-bob")
    quarantine()
    assert alice.enc_keys("sae-bob").status == 503
    assert bob.dec_keys("sae-alice", *given.ids).status == 503
    release()
    assert bob.dec_keys("sae-alice", *given.ids).keys == given.keys


@requirement("A10", "E10")
@pytest.mark.parametrize("link", [None, "stock"])
def test_an_application_is_told_of_no_keys_that_are_held_back(aws, link):
    long(64)
    alice = an_application("sae-alice", "sae-bob", link=link)
    an_application("sae-bob")
    stored = alice.status("sae-bob").body["stored_key_count"]
    quarantine()
    assert stored > 0
    assert alice.status("sae-bob").body["stored_key_count"] == 0
    release()
    assert alice.status("sae-bob").body["stored_key_count"] == stored
    if link is not None:
        transitions.move(link, LinkState.PAUSED, reason="x", actor=TESTS)
        assert alice.status("sae-bob").body["stored_key_count"] == 0, "it gives none to who is bound to it"
        assert alice.enc_keys("sae-bob").status == 503


@requirement("A10")
def test_another_process_hears_of_it_within_the_stated_time(aws, monkeypatch):
    long(16)
    known = links.held_back()
    quarantine()
    links._held.get("", lambda: known)  # another process: it has not heard of it
    assert offering.offer(actor=REFILLER).block.link == "stock"
    assert links.HELD_SECONDS <= 5
    links._held.clear()  # its time is over
    with pytest.raises(StockEmpty):
        offering.offer(actor=REFILLER)
