"""Operators are told once of who has used most of a quota, and no request makes a call for that (B6, E4)."""

import pytest

from apps.access import principals, quotas
from apps.access.roles import Role
from apps.alerts import services
from apps.alerts.conditions import QUOTA_NEAR
from apps.alerts.records import AlertStatus, Urgency
from apps.alerts.schedules import look_at_quotas
from apps.common import clock
from apps.common.dynamodb import pages
from apps.common.scheduling import Schedule, run
from tests import requirement
from tests.access.test_quotas import MESSAGE, allow, follow
from tests.conftest import TESTS
from tests.faults import counted

pytestmark = [requirement("B6", "E4"), pytest.mark.django_db, pytest.mark.usefixtures("within_half_an_hour")]


@pytest.fixture(autouse=True)
def _fresh():
    quotas.forget()
    yield
    quotas.forget()


def near(status=AlertStatus.OPEN):
    found = pages(lambda at: services.listed(limit=50, position=at, status=status))
    return {one.about: one for page in found for one in page.records if one.condition == QUOTA_NEAR.name}


def used(api, times):
    for _ in range(times):
        assert api.post("encrypt", MESSAGE).status_code == 200
    follow()


def test_from_four_fifths_on_it_is_one_alert_by_principal_quota_and_month(stock, api, other_api):
    allow(api.client, keys=5, files=1)
    allow(other_api.client, keys=5)
    used(api, 3)
    used(other_api, 1)
    look_at_quotas()
    assert near() == {}
    used(api, 1)
    for _ in range(3):
        run(Schedule.SWEEP)
    (one,) = near().values()
    assert one.about == f"{api.client} keys {clock.now():%Y-%m}"
    assert (one.urgency, one.times) == (Urgency.WARNING, 1)
    told = {name: one.detail[name] for name in ("principal", "quota", "used", "allowed")}
    assert told == {"principal": str(api.client), "quota": "keys", "used": 4, "allowed": 5}


def test_each_quota_is_an_alert_of_its_own(stock, api):
    allow(api.client, keys=1, jobs=0)
    used(api, 1)
    look_at_quotas()
    assert {about.split()[1] for about in near()} == {"keys", "jobs"}


@pytest.mark.parametrize("allowed", [{"keys": 100}, {}])
def test_it_ends_where_more_is_allowed(stock, api, allowed):
    allow(api.client, keys=1)
    used(api, 1)
    look_at_quotas()
    assert len(near()) == 1
    allow(api.client, **allowed)
    look_at_quotas()
    assert near() == {}
    assert len(near(AlertStatus.OVER)) == 1


def test_it_ends_with_the_month_and_the_next_one_has_its_own(stock, api, later):
    allow(api.client, keys=1)
    used(api, 1)
    look_at_quotas()
    services.acknowledge(next(iter(near().values())).alert_id, actor=TESTS)
    later(days=31)
    look_at_quotas()
    assert near() | near(AlertStatus.ACKNOWLEDGED) == {}
    used(api, 1)
    look_at_quotas()
    assert list(near()) == [f"{api.client} keys {clock.now():%Y-%m}"]


def test_who_cannot_be_looked_at_keeps_its_alert_and_nobody_else_from_theirs(
    stock, api, other_api, monkeypatch
):
    for one in (api, other_api):
        allow(one.client, keys=1)
    used(api, 1)
    look_at_quotas()
    used(other_api, 1)
    real = quotas.allowed

    def fails(principal):
        if principal.principal_id == str(api.client):
            raise ConnectionError
        return real(principal)

    monkeypatch.setattr(quotas, "allowed", fails)
    with pytest.raises(ExceptionGroup):
        look_at_quotas()
    assert {about.split()[0] for about in near()} == {str(api.client), str(other_api.client)}


def test_nothing_is_counted_of_who_has_no_quota(aws):
    principals.make_service("free", role=Role.CLIENT, actor=TESTS)
    with counted() as calls:
        assert look_at_quotas() == 1
    assert len(calls) == 3, "a page of principals, and the alerts of two states"
