"""The platform keeps keys ready over links that say so, by demand, each apart from the others (A8, A10)."""

import pytest

from apps.jobs import services as jobs
from apps.links import services as links
from apps.links import transitions
from apps.links.records import LinkState
from apps.sessions import refilling, stock, supply, tasks
from tests import requirement
from tests.conftest import TESTS
from tests.queues import into
from tests.sessions.ready import ready


@pytest.fixture
def sent(monkeypatch):
    ids: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into(ids))
    return ids


def supplied(link_id: str, low_water: int = 8, target: int = 300) -> None:
    links.make(link_id, name=link_id, low_water=low_water, target=target, actor=TESTS)


@requirement("A8", "A10")
def test_a_link_with_a_stock_of_its_own_is_brought_to_its_target(aws, settings, sent):
    settings.STOCK_SESSION_PAUSE = 0
    supplied("metro")
    assert supply.supply_all() == 2, "300 keys are two sessions of 256"
    assert supply.supply_all() == 0, "one refill at a time"
    tasks.generate_batch(sent.pop())
    assert supply.supply_all() == 0, "what waits for its verdict is counted"
    (job,) = jobs.listed_of(supply.supplier_of("metro"), limit=5).records
    assert (job.parameters["link"], job.total) == ("metro", 2)


@requirement("A8", "A10")
def test_links_are_refilled_apart_and_apart_from_the_stock(aws, sent):
    supplied("metro")
    supplied("long-haul")
    links.make("without", name="x", actor=TESTS)
    assert supply.supply_all() == 4
    assert refilling.refill_later() > 0
    assert len(set(sent)) == 3


@requirement("A8", "A10")
def test_a_link_with_enough_keys_is_left_alone_and_a_paused_one_too(aws, sent):
    supplied("metro", low_water=4)
    ready(link="metro")
    supplied("closed")
    transitions.move("closed", LinkState.PAUSED, reason="x", actor=TESTS)
    assert stock.ready_over("metro") == 4
    assert (supply.supply_all(), sent) == (0, [])


@requirement("A8")
def test_demand_raises_the_marks_of_a_link(settings):
    from apps.sessions import demand

    settings.STOCK_LEAD_SECONDS = 60
    least = demand.Marks(8, 64)
    assert demand.marks(0.0, least=least) == least
    assert demand.marks(1.0, least=least) == demand.Marks(120, 240)
