"""Nobody is locked out unawares: API keys and certificates that end soon raise an alert (B6, E3, E10)."""

from datetime import timedelta

import pytest

from apps.access import api_keys, expiring, principals
from apps.access.roles import Role
from apps.alerts import services as alerts
from apps.alerts.conditions import EXPIRING, of_entry
from apps.audit import services as audit
from apps.common import clock
from apps.common.scheduling import Schedule, run
from apps.kme import expiring as certificates
from apps.kme import saes
from apps.kme.records import Certificate
from tests import requirement
from tests.conftest import TESTS

pytestmark = requirement("B6", "E3", "E10")


def noticed():
    """What the trail says of what ends soon, as alerts name it."""
    found = [of_entry(entry) for entry in audit.entries_page(limit=100).records]
    return sorted(one.about for one in found if one is not None and one.condition is EXPIRING)


def issued(name, days=None):
    ends = None if days is None else clock.now() + timedelta(days=days)
    service = principals.make_service(name, role=Role.CLIENT, actor=TESTS)
    return api_keys.issue(service.principal_id, name=name, actor=TESTS, expires_at=ends)[0]


def test_an_api_key_that_ends_soon_is_told_and_one_with_a_successor_is_not(aws, later):
    soon, _, rotated = issued("soon", 10), issued("late", 40), issued("rotated", 40)
    issued("without end")
    api_keys.rotate(rotated.key_id, overlap=timedelta(days=1), actor=TESTS)
    run(Schedule.ROTATE)
    assert noticed() == [f"api_key {soon.key_id}"]
    later(days=11)
    expiring.tell(actor=TESTS)
    assert noticed() == [f"api_key {soon.key_id}"], "one that has ended is told no more"


def test_nothing_is_told_of_who_acts_no_more(aws):
    gone, revoked = issued("gone", 3), issued("revoked", 3)
    principals.disable(gone.principal_id, reason="x", actor=TESTS)
    api_keys.revoke(revoked.key_id, reason="x", actor=TESTS)
    assert expiring.tell(actor=TESTS) == 0


def test_one_alert_however_many_days_it_is_told(aws, later):
    issued("soon", 10)
    for _ in range(3):
        expiring.tell(actor=TESTS)
        for entry in audit.entries_page(limit=5).records:
            found = of_entry(entry)
            if found is not None and found.condition is EXPIRING:
                alerts.raise_alert(found)
        later(days=1)
    (alert,) = alerts.listed(limit=10).records
    assert (alert.condition, int(alert.times)) == ("credential-expiring", 3)
    assert alert.detail["expires_at"] > clock.as_text(clock.now())


def test_a_certificate_that_an_application_shows_is_told_once_a_day(aws, monkeypatch):
    sae = saes.register("sae-bob", name="Bob", fingerprints=["ab" * 32], actor=TESTS)
    shown = Certificate("sae-bob", "CN=sae-bob", "ab" * 32, clock.now(), clock.now() + timedelta(days=5))
    monkeypatch.setattr(certificates, "_noted", set())
    for _ in range(3):
        certificates.note_shown(sae, shown)
    assert noticed() == ["sae sae-bob"]


@pytest.mark.parametrize("told", ["nothing", "/nowhere", "-----BEGIN CERTIFICATE-----\nx", 3, None, {}])
def test_a_certificate_of_ours_that_cannot_be_read_is_told(aws, settings, told):
    settings.KME_CLIENTS = {"a": {"certificate": told} if told != 3 else 3}
    assert certificates.tell_own(actor=TESTS) == 1
    assert noticed() == ["client a"]
