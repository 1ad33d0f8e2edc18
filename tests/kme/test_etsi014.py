"""ETSI GS QKD 014 V1.1.1, clause by clause (E10): docs/etsi-qkd-014.md names these tests."""

import json
import uuid

import pytest

from apps.audit import services as audit
from apps.kme.store import DeliveredKeyTable
from apps.links import transitions
from apps.links.records import LinkState
from apps.sessions import stock
from tests import requirement
from tests.conftest import TESTS
from tests.kme.saes import Application, ask
from tests.sessions.links import a_link
from tests.sessions.ready import ready
from tests.tables import rows

STATUS = {
    "source_KME_ID", "target_KME_ID", "master_SAE_ID", "slave_SAE_ID", "key_size", "stored_key_count", "max_key_count",
    "max_key_per_request", "max_key_size", "min_key_size", "max_SAE_ID_count",
}  # fmt: skip
NOT_FOUND = "one or more keys specified are not found on KME"


@requirement("E10")
def test_status_tells_what_there_is_and_what_may_be_asked_for(keys, alice, bob, settings):
    found = alice.status("sae-bob").body
    assert found.keys() == STATUS
    assert (found["master_SAE_ID"], found["slave_SAE_ID"]) == ("sae-alice", "sae-bob")
    assert (found["key_size"], found["stored_key_count"]) == (256, 256)
    assert all(isinstance(found[name], int) for name in STATUS if name.endswith(("count", "size", "request")))
    settings.KME_MAX_KEY_COUNT = 100
    assert alice.status("sae-bob").body["stored_key_count"] == 100, "never more than the maximum"


@requirement("E10", "I3")
def test_both_applications_get_the_same_keys_by_their_ids_and_the_stock_has_them_no_more(keys, alice, bob):
    given = alice.enc_keys("sae-bob", number=3)
    assert [len(key) for _, key in given.keys] == [32] * 3
    assert all(str(uuid.UUID(key_id)) == key_id for key_id in given.ids)
    assert len(set(given.ids)) == len({key for _, key in given.keys}) == 3
    assert alice.status("sae-bob").body["stored_key_count"] == stock.ready_over(None) <= 256
    assert bob.dec_keys("sae-alice", *given.ids).keys == given.keys
    again = bob.dec_keys("sae-alice", *given.ids)
    assert (again.status, again.body["message"]) == (400, NOT_FOUND)


@requirement("E10")
@pytest.mark.parametrize("size", [64, 72, 128, 256, 264, 512])
def test_a_key_has_the_size_that_was_asked_for(keys, alice, bob, size):
    given = alice.enc_keys("sae-bob", size=size, number=2)
    assert [len(key) for _, key in given.keys] == [size // 8] * 2
    assert bob.dec_keys("sae-alice", *given.ids).keys == given.keys


@requirement("E10", "I3")
def test_keys_of_a_request_share_no_quantum_key(keys, alice, bob):
    for asked in ({"size": 512, "number": 16}, {"number": 16}, {"size": 264, "number": 16}):
        assert alice.enc_keys("sae-bob", **asked).status == 200
    pieces = [piece for row in DeliveredKeyTable.scan() for piece in row.pieces]
    assert len(pieces) == len(set(pieces)) == 16 * 2 + 16 + 16 * 2


@requirement("E10")
def test_both_forms_by_get(keys, alice, bob):
    plain = alice.call("GET", "enc_keys", "sae-bob")
    assert [len(key) for _, key in plain.keys] == [32]
    sized = alice.call("GET", "enc_keys", "sae-bob", query="number=2&size=128")
    assert [len(key) for _, key in sized.keys] == [16, 16]
    one = bob.call("GET", "dec_keys", "sae-alice", query=f"key_ID={plain.ids[0]}")
    assert one.keys == plain.keys


@requirement("E10")
def test_a_post_without_a_body_asks_for_one_key_of_the_usual_size(keys, alice, bob):
    assert [len(key) for _, key in alice.call("POST", "enc_keys", "sae-bob").keys] == [32]
    assert len(alice.enc_keys("sae-bob", number=None, size=None, extension_mandatory=None).keys) == 1


@requirement("E10")
def test_several_slaves_each_collect_the_key_once(keys, alice, bob, carol):
    given = alice.enc_keys("sae-bob", additional_slave_SAE_IDs=["sae-carol"])
    for slave in (bob, carol):
        assert slave.dec_keys("sae-alice", *given.ids).keys == given.keys
        assert slave.dec_keys("sae-alice", *given.ids).status == 400
    (row,) = DeliveredKeyTable.scan()
    assert (row.state.value, not row.waiting_feed) == ("collected", True)


@requirement("E10")
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"size": 100}, "size shall be a multiple of 8"),
        ({"size": 8}, "size shall be from 64 to 512"),
        ({"size": 1024}, "size shall be from 64 to 512"),
        ({"number": 0}, "number shall be from 1 to 16"),
        ({"number": 17}, "number shall be from 1 to 16"),
        ({"number": -1}, "number shall be from 1 to 16"),
        ({"number": True}, "number shall be an integer"),
        ({"number": 1.5}, "number shall be an integer"),
        ({"number": "x"}, "number shall be an integer"),
        ({"number": "3"}, "number shall be an integer"),
        ({"size": []}, "size shall be an integer"),
        ({"additional_slave_SAE_IDs": "sae-bob"}, "additional_slave_SAE_IDs shall be an array of strings"),
        ({"additional_slave_SAE_IDs": [1]}, "additional_slave_SAE_IDs shall be an array of strings"),
        ({"additional_slave_SAE_IDs": ["x"] * 9}, "at most 8 additional_slave_SAE_IDs are supported"),
        ({"extension_mandatory": [{"colour": 1}]}, "not all extension_mandatory parameters are supported"),
        ({"extension_mandatory": {"link_id": "x"}}, "extension_mandatory shall be an array of objects"),
        ({"extension_mandatory": [1]}, "extension_mandatory shall be an array of objects"),
        ({"extension_mandatory": [{"link_id": "no"}]}, "not all extension_mandatory request options could be met"),
        ({"extension_mandatory": [{"link_id": 7}]}, "not all extension_mandatory request options could be met"),
        ({"extension_optional": 7}, "extension_optional shall be an array of objects"),
        ({"colour": 1}, "unknown; known are number, size, additional_slave_SAE_IDs, extension_mandatory, extension_optional"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_with_a_request_is_told_in_the_standards_words(keys, alice, bob, asked, message):
    before = stock.ready_over(None)
    answer = alice.enc_keys("sae-bob", **asked)
    assert (answer.status, answer.body["message"]) == (400, message)
    assert [next(iter(one.values())) for one in answer.body.get("details", [{"": message}])] == [message]
    assert (stock.ready_over(None), rows(DeliveredKeyTable.Meta.table_name)) == (before, [])


@requirement("E10")
@pytest.mark.parametrize(
    ("method", "action", "query"),
    [
        ("GET", "enc_keys", "number=1&number=2"),
        ("GET", "enc_keys", "additional_slave_SAE_IDs=sae-bob"),
        ("GET", "enc_keys", "number=+1"),
        ("GET", "enc_keys", "number=%D9%A1"),
        ("GET", "enc_keys", "number"),
        ("GET", "enc_keys", "size=%ff"),
        ("POST", "enc_keys", "number=1"),
        ("GET", "dec_keys", ""),
        ("GET", "dec_keys", "key_ID=x&key_ID=y"),
        ("GET", "dec_keys", "key_IDs=x"),
        ("GET", "status", "x=1"),
    ],
)
def test_a_query_is_read_strictly(keys, alice, bob, method, action, query):
    answer = alice.call(method, action, "sae-bob", query=query)
    assert (answer.status, bool(answer.body["message"])) == (400, True)


@requirement("E10", "I8")
@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"[]", b"7", b"null", b'"x"', b"\xff", b'{"number": 1, "number": 2}', b'{"number": NaN}'),
        b"[" * 60_000,
        b" " * 70_000,
        json.dumps({"number": 10**400}).encode()[:60_000],
    ],
    ids=lambda body: str(body[:12]),
)
def test_a_body_that_is_no_request_is_refused(keys, alice, bob, body):
    answer = alice.call("POST", "enc_keys", "sae-bob", body)
    assert (answer.status, bool(answer.body["message"])) == (400, True), answer
    refused = alice.call("POST", "dec_keys", "sae-bob", body)
    assert (refused.status, bool(refused.body["message"])) == (400, True)


@requirement("E10")
def test_other_kinds_addresses_and_methods_are_refused_in_json(keys, alice, bob):
    assert alice.call("POST", "enc_keys", "sae-bob", {"number": 1}, kind="text/plain").status == 400
    for path in (
        "/",
        "/api/v1/keys",
        "/api/v1/keys/sae-bob",
        "/api/v1/keys//status",
        "/api/v1/keys/a/b/status",
    ):
        assert ask(alice.pem, "GET", path).status == 404
    for method, action in (
        ("PUT", "enc_keys"),
        ("DELETE", "dec_keys"),
        ("POST", "status"),
        ("HEAD", "status"),
    ):
        answer = alice.call(method, action, "sae-bob")
        assert (answer.status, "GET" in answer.headers["Allow"]) == (405, True)
        assert (answer.body is None) is (method == "HEAD")
    assert ask(alice.pem, "GET", "/api/v1/keys/sae-bob/status", CONTENT_LENGTH="x").status == 400


@requirement("E10")
@pytest.mark.parametrize(
    "shown", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_without_a_certificate_there_is_nothing(keys, alice, bob, shown):
    answer = ask(shown, "GET", "/api/v1/keys/sae-bob/status")
    assert (answer.status, answer.body.keys()) == (401, {"message"})


@requirement("E10")
def test_a_certificate_in_a_header_is_none(keys, alice, bob):
    headers = {
        "HTTP_KME_CERTIFICATE": alice.pem,
        "HTTP_SSL_CLIENT_CERT": alice.pem,
        "SSL_CLIENT_CERT": alice.pem,
    }
    assert ask(None, "GET", "/api/v1/keys/sae-bob/status", **headers).status == 401


@requirement("E10", "I9")
def test_keys_are_shared_with_peers_only(keys, alice, bob, carol):
    for answer in (
        alice.enc_keys("sae-alice"),
        alice.enc_keys("sae-nobody"),
        bob.enc_keys("sae-alice"),
        bob.status("sae-alice"),
        alice.enc_keys("sae-bob", additional_slave_SAE_IDs=["sae-nobody"]),
        carol.enc_keys("sae-carol"),
    ):
        assert (answer.status, answer.body.keys()) == (401, {"message"})
    assert carol.enc_keys("sae-bob").status == 200
    refusals = [entry for entry in audit.entries_page(limit=50).records if entry.event == "delivery.refused"]
    assert {entry.outcome for entry in refusals} == {"denied"}
    assert len(refusals) == 6


@requirement("E10", "I9")
def test_a_key_is_collected_by_whom_it_was_asked_for_alone(keys, alice, bob, carol):
    given = alice.enc_keys("sae-bob")
    assert carol.dec_keys("sae-alice", *given.ids).status == 401
    assert alice.dec_keys("sae-alice", *given.ids).status == 401
    for master in ("sae-carol", "sae-nobody"):
        other = bob.dec_keys(master, *given.ids)
        assert (other.status, other.body["message"]) == (400, NOT_FOUND)
    assert bob.dec_keys("sae-alice", *given.ids).keys == given.keys


@requirement("E10")
@pytest.mark.parametrize("wanted", ["x", str(uuid.UUID(int=7)), "", "x" * 3000])
def test_keys_are_collected_all_or_none(keys, alice, bob, wanted):
    given = alice.enc_keys("sae-bob", number=2)
    refused = bob.dec_keys("sae-alice", *given.ids, wanted)
    assert (refused.status, refused.body["message"]) == (400, NOT_FOUND)
    assert bob.dec_keys("sae-alice", *given.ids).keys == given.keys


@requirement("E10")
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"key_IDs": []},
        {"key_IDs": "x"},
        {"key_IDs": ["x"]},
        {"key_IDs": [{}]},
        {"key_IDs": [{"key_ID": 7}]},
        {"key_IDs": [{"key_ID": str(uuid.UUID(int=n))} for n in range(17)]},
        {"key_IDs": [{"key_ID": str(uuid.UUID(int=1))}] * 2},
        {"key_IDs": [{"key_ID": "x", "colour": 1}]},
    ],
    ids=str,
)
def test_ids_that_are_none_are_refused(keys, alice, bob, body):
    assert bob.call("POST", "dec_keys", "sae-alice", body).status == 400


@requirement("E10")
def test_extensions_of_ids_are_reserved_for_the_future_and_ignored(keys, alice, bob):
    given = alice.enc_keys("sae-bob")
    body = {"key_IDs": [{"key_ID": given.ids[0], "key_ID_extension": {}}], "key_IDs_extension": {"x": 1}}
    assert bob.call("POST", "dec_keys", "sae-alice", body).keys == given.keys


@requirement("E10")
def test_a_key_waits_for_its_time_and_then_for_nobody(keys, alice, bob, later, settings):
    from apps.kme import collecting

    given = alice.enc_keys("sae-bob", number=2)
    later(seconds=settings.KME_WAIT_SECONDS - 1)
    assert collecting.expire() == 0
    first = bob.dec_keys("sae-alice", given.ids[0])
    assert first.keys == given.keys[:1]
    later(seconds=2)
    assert bob.dec_keys("sae-alice", given.ids[1]).status == 400
    assert (collecting.expire(), collecting.expire()) == (1, 0)
    assert sorted(row.state.value for row in DeliveredKeyTable.scan()) == ["collected", "expired"]


@requirement("E10", "A8")
def test_an_empty_stock_is_told_as_503_and_refilled(aws, alice, bob):
    answer = alice.enc_keys("sae-bob")
    assert (answer.status, bool(answer.body["message"])) == (503, True)
    assert int(answer.headers["Retry-After"]) > 0
    assert stock.stock().pending > 0


@requirement("E10", "I3")
def test_more_than_there_is_is_refused_and_nothing_is_lost(aws, alice, bob):
    ready(key_length=1024, link="stock")
    assert alice.enc_keys("sae-bob", number=5).status == 503
    assert len(alice.enc_keys("sae-bob", number=4).keys) == 4
    assert alice.enc_keys("sae-bob").status == 503


@requirement("E10", "A10")
def test_keys_come_over_the_link_that_is_asked_for(aws, alice, bob):
    for link in ("metro", "long-haul"):
        a_link(link)
        ready(key_length=1024, link=link)
    for _ in range(4):
        assert alice.enc_keys("sae-bob", extension_mandatory=[{"link_id": "metro"}]).status == 200
    assert (stock.ready_over("metro"), stock.ready_over("long-haul")) == (0, 4)
    assert alice.enc_keys("sae-bob", extension_mandatory=[{"link_id": "metro"}]).status == 503
    assert alice.enc_keys("sae-bob", extension_optional=[{"link_id": "nowhere"}, {"colour": 1}]).status == 200
    transitions.move("long-haul", LinkState.PAUSED, reason="x", actor=TESTS)
    assert alice.enc_keys("sae-bob", extension_mandatory=[{"link_id": "long-haul"}]).status == 400


@requirement("E10", "I1", "D1")
def test_every_key_is_in_the_trail_and_none_of_its_bits(keys, alice, bob):
    given = alice.enc_keys("sae-bob", number=2)
    bob.dec_keys("sae-alice", *given.ids)
    entries = audit.entries_page(limit=20).records
    told = {entry.event: entry for entry in entries if entry.event.startswith("delivery.")}
    assert told.keys() == {"delivery.issued", "delivery.collected"}
    assert told["delivery.issued"].actor == alice.sae.principal_id
    assert told["delivery.collected"].actor == bob.sae.principal_id
    assert set(told["delivery.issued"].detail["keys"]) == set(given.ids)
    assert str(told["delivery.issued"].via).startswith("certificate:")


@requirement("E10", "I2")
def test_no_key_is_kept_in_clear(keys, alice, bob):
    from tests.tables import everything

    given = alice.enc_keys("sae-bob", number=4)
    state = repr(everything(but=set()))
    for _, key in given.keys:
        assert key.hex() not in state
        assert repr(key) not in state
        assert key[:8] not in state.encode("latin-1", "ignore")


def test_an_application_is_what_it_says(alice: Application):
    assert alice.sae.principal_id.startswith("service:")
