"""Times of day in which keys are produced over a link (A10)."""

from datetime import UTC, datetime

import pytest

from apps.common import clock
from apps.common.errors import Invalid
from apps.links import services, times
from apps.sessions import stock, supply
from tests import requirement
from tests.conftest import TESTS
from tests.sessions.links import a_link


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 29, hour, minute, tzinfo=UTC)


@requirement("A10")
@pytest.mark.parametrize(
    ("schedule", "hour", "minute", "inside"),
    [
        (["08:00-18:30"], 8, 0, True),
        (["08:00-18:30"], 7, 59, False),
        (["08:00-18:30"], 18, 29, True),
        (["08:00-18:30"], 18, 30, False),
        (["22:00-06:00"], 23, 59, True),
        (["22:00-06:00"], 0, 0, True),
        (["22:00-06:00"], 6, 0, False),
        (["22:00-24:00"], 23, 59, True),
        (["22:00-24:00"], 0, 0, False),
        (["01:00-02:00", "04:00-05:00"], 4, 30, True),
        (["01:00-02:00", "04:00-05:00"], 3, 30, False),
        ([times.ALWAYS], 12, 0, True),
    ],
)
def test_a_moment_is_in_a_window_or_not(schedule, hour, minute, inside):
    assert times.includes(schedule, at(hour, minute)) is inside


@requirement("A10", "I8")
@pytest.mark.parametrize(
    "schedule",
    [[], ["x"], ["8:00-9:00"], ["08:00-08:00"], ["24:00-01:00"], ["08:00-25:00"], ["08:60-09:00"], [times.ALWAYS] * 25,
     ["08:00-09:00\n"], ["٠٨:00-09:00"]],
    ids=str,
)  # fmt: skip
def test_what_is_no_schedule_is_refused(aws, schedule):
    a_link("metro")
    with pytest.raises(Invalid):
        services.change("metro", schedule=schedule, low_water=1, target=2, reason="x", actor=TESTS)
    with pytest.raises(Invalid, match="target"):
        services.change("metro", schedule=["08:00-09:00"], reason="x", actor=TESTS)


@requirement("A10")
def test_a_link_is_supplied_at_its_times_and_then_up_to_its_target(aws, monkeypatch):
    a_link("metro")
    services.change("metro", schedule=["08:00-09:00"], low_water=1, target=300, reason="x", actor=TESTS)
    monkeypatch.setattr(clock, "now", lambda: at(7))
    assert supply.supply_all() == 0, "it is empty, but it is not the time"
    monkeypatch.setattr(clock, "now", lambda: at(8))
    monkeypatch.setattr(stock, "ready_over", lambda _: 299)
    assert supply.supply_all() == 1, "above its low-water mark, and not full"
    services.change("metro", schedule=None, reason="x", actor=TESTS)
    monkeypatch.setattr(clock, "now", lambda: at(12))
    assert supply.supply_all() == 0, "by demand again, of which there is none"


@requirement("A10")
def test_the_api_takes_and_shows_a_schedule(admin_api):
    body = {
        "link_id": "m",
        "name": "x",
        "low_water": 1,
        "target": 2,
        "schedule": ["22:00-06:00", "12:00-13:00"],
    }
    assert admin_api.post("links", body).json()["schedule"] == ["12:00-13:00", "22:00-06:00"]
    answer = admin_api.call("PATCH", "links/m", {"schedule": None, "reason": "always"})
    assert answer.json()["schedule"] is None
    assert admin_api.call("PATCH", "links/m", {"schedule": ["x"], "reason": "x"}).status_code == 400
