"""Applications are principals: registered, known by certificate, limited, revoked at once (E10)."""

from datetime import timedelta

import pytest

from apps.access import principals
from apps.access.roles import Role
from apps.audit import services as audit
from apps.kme import saes
from apps.kme.store import SaeTable
from tests import requirement
from tests.conftest import TESTS, Api
from tests.kme.saes import an_application, ask, authority, certificate
from tests.tables import tamper


def shown(sae_id: str) -> int:
    return ask(certificate(sae_id), "GET", "/api/v1/keys/sae-bob/status").status


@requirement("E10", "E1")
def test_an_application_is_registered_changed_and_revoked_by_api(admin_api, api, keys, bob):
    body = {"sae_id": "sae-new", "name": "Encryptor", "subject": "CN=sae-new", "peers": ["sae-bob"]}
    made = admin_api.post("saes", body)
    assert made.status_code == 201, made.content
    assert {name: made.json()[name] for name in body} == body
    assert made.json()["principal"].startswith("service:")
    assert shown("sae-new") == 200
    assert [one["sae_id"] for one in admin_api.get("saes").json()["items"]] == ["sae-new", "sae-bob"]
    changed = admin_api.call("PATCH", "saes/sae-new", {"peers": [], "reason": "no more"})
    assert (changed.status_code, shown("sae-new")) == (200, 401)
    assert admin_api.post("saes/sae-new/revoke", {"reason": "stolen"}).json()["state"] == "revoked"
    assert admin_api.post("saes/sae-new/revoke", {"reason": "stolen"}).status_code == 409
    assert admin_api.call("PATCH", "saes/sae-new", {"peers": ["*"], "reason": "x"}).status_code == 409
    assert admin_api.post("saes", body).status_code == 409
    for answer in (api.get("saes"), api.post("saes", body), api.post("saes/sae-bob/revoke", {"reason": "x"})):
        assert answer.status_code == 403
    events = [entry.event for entry in audit.entries_page(limit=50).records]
    assert [event for event in events if event.startswith("sae.")][:3] == [
        "sae.revoked",
        "sae.changed",
        "sae.registered",
    ]


@requirement("E10", "I8")
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"sae_id": "a/b"}, "sae_id"),
        ({"sae_id": ""}, "sae_id"),
        ({"subject": None}, "fingerprints"),
        ({"fingerprints": ["0" * 64]}, "fingerprints"),
        ({"subject": None, "fingerprints": ["AB"]}, "fingerprints.0"),
        ({"peers": ["a b"]}, "peers.0"),
        ({"keys_a_day": -1}, "keys_a_day"),
        ({"keys_a_day": "1"}, "keys_a_day"),
        ({"principal": "user:1"}, "principal"),
        ({"colour": 1}, "colour"),
    ],
    ids=str,
)
def test_what_an_application_cannot_be_is_told_by_field(admin_api, changed, field):
    body = {"sae_id": "sae-x", "name": "x", "subject": "CN=sae-x"}
    answer = admin_api.post("saes", body | changed)
    assert answer.status_code == 400, answer.content
    assert field in {error["field"] for error in answer.json()["errors"]}


@requirement("E10", "F6")
def test_nobody_puts_their_certificate_in_the_place_of_who_holds_more(keys):
    held = principals.make_service("of an administrator", role=Role.ADMINISTRATOR, actor=TESTS)
    an_application("sae-root", "*", principal_id=held.principal_id)
    theirs = {"fingerprints": ["0" * 64], "reason": "mine"}
    assert Api(Role.OPERATOR).call("PATCH", "saes/sae-root", theirs).status_code == 403
    assert saes.find("sae-root").fingerprints == (authority().fingerprint("sae-root"),)
    assert Api(Role.OPERATOR).post("saes/sae-root/revoke", {"reason": "stolen"}).status_code == 200


@requirement("E10")
def test_revocation_holds_from_the_next_request_on_and_for_what_waits(keys, alice, bob):
    given = alice.enc_keys("sae-bob", number=2)
    assert bob.dec_keys("sae-alice", given.ids[0]).status == 200
    saes.revoke("sae-alice", reason="stolen", actor=TESTS)
    assert alice.enc_keys("sae-bob").status == 401
    assert bob.dec_keys("sae-alice", given.ids[1]).status == 400, "who stole its certificate knows this key"


@requirement("E10", "E3")
def test_a_disabled_principal_gets_nothing(keys, alice, bob):
    principals.disable(alice.sae.principal_id, reason="x", actor=TESTS)
    assert alice.status("sae-bob").status == 401
    principals.enable(alice.sae.principal_id, reason="x", actor=TESTS)
    assert alice.status("sae-bob").status == 200


@requirement("E10")
def test_a_certificate_counts_by_its_fingerprint_or_its_subject_until_it_is_revoked(keys, bob):
    by_print = an_application("sae-one", "*")
    by_subject = an_application("sae-two", "*", subject="CN=sae-two")
    renewed = {name: authority().issue(name).read_text() for name in ("sae-one", "sae-two")}
    path = "/api/v1/keys/sae-bob/status"
    assert [ask(one.pem, "GET", path).status for one in (by_print, by_subject)] == [200, 200]
    assert ask(renewed["sae-one"], "GET", path).status == 401, (
        "another certificate than the one that was pinned"
    )
    assert ask(renewed["sae-two"], "GET", path).status == 200
    fingerprint = authority().fingerprint("sae-two")
    saes.change("sae-two", revoked=(fingerprint,), reason="lost", actor=TESTS)
    assert ask(renewed["sae-two"], "GET", path).status == 401
    assert ask(by_subject.pem, "GET", path).status == 200


@requirement("E10")
def test_an_expired_certificate_counts_no_more(keys, alice, bob, later):
    later(days=91)
    assert alice.status("sae-bob").status == 401


@requirement("E10")
def test_a_name_alone_is_no_identity(keys, alice, bob):
    """Another certificate with Alice's name, by the same authority or any other."""
    other = authority().issue("sae-alice").read_text()
    assert ask(other, "GET", "/api/v1/keys/sae-bob/status").status == 401
    assert shown("sae-unknown") == 401


@requirement("E10")
@pytest.mark.usefixtures("within_half_an_hour")
def test_a_quota_is_counted_by_day_and_never_exceeded(keys, bob, later):
    alice = an_application("sae-few", "sae-bob", keys_a_day=5)
    answers = [alice.enc_keys("sae-bob", number=2).status for _ in range(3)]
    assert answers == [200, 200, 503]
    assert alice.enc_keys("sae-bob").status == 200
    refused = alice.enc_keys("sae-bob")
    assert (refused.status, "5 keys a day" in refused.body["message"]) == (503, True)
    assert int(refused.headers["Retry-After"]) >= 3600
    later(days=1)
    assert alice.enc_keys("sae-bob", number=5).status == 200


@requirement("E10", "E4")
def test_requests_are_throttled_by_principal(keys, alice, bob, settings):
    settings.THROTTLES = {f"{alice.sae.principal_id} kme": {"burst": 2, "steady": 0.05}}
    answers = [alice.status("sae-bob") for _ in range(5)]
    assert {answer.status for answer in answers[:2]} <= {200, 503}
    assert answers[-1].status == 503
    assert int(answers[-1].headers["Retry-After"]) > 0


@requirement("E10", "E4")
def test_who_shows_wrong_certificates_too_often_is_refused_before_anything_is_looked_up(keys, bob, settings):
    settings.FAILED_AUTHENTICATIONS = 3
    answers = [shown("sae-unknown") for _ in range(6)]
    assert answers[:3] == [401] * 3
    assert answers[-1] == 503


@requirement("I10", "E10")
@pytest.mark.parametrize(
    "changed",
    [
        {"peers": {"S": '["*"]'}},
        {"fingerprints": {"S": "[]"}, "subject": {"S": "CN=sae-bob"}},
        {"state": {"S": "active"}},
    ],
)
def test_an_application_that_somebody_else_wrote_gets_nothing(keys, alice, bob, changed):
    saes.change("sae-bob", name="Renamed", reason="x", actor=TESTS)
    if "state" in changed:
        saes.revoke("sae-bob", reason="x", actor=TESTS)
    tamper(SaeTable, {"sae_id": {"S": "sae-bob"}}, **changed)
    answer = bob.status("sae-alice")
    assert answer.status in {401, 503}
    assert "stored_key_count" not in answer.body


@requirement("E10", "E8")
def test_an_application_may_be_a_service_that_is_there(aws):
    service = principals.make_service("gateway", role=Role.VIEWER, actor=TESTS)
    made = saes.register(
        "sae-x", name="x", subject="CN=sae-x", principal_id=service.principal_id, actor=TESTS
    )
    assert made.principal_id == service.principal_id
    assert timedelta(0) <= made.created_at - service.created_at
