"""A link whose keys come from another KME: drawn within its limits, kept, judged, and none of them if it misbehaves (E10)."""

import base64
import os
import threading
import uuid

import pytest

from apps.audit import services as audit
from apps.audit.records import Actor
from apps.common.errors import Invalid
from apps.detections import services as detections
from apps.files import messages
from apps.keys import services as pool_keys
from apps.kme import receiving, transport
from apps.kme.api.server import Identity, make_server
from apps.kme.authority import KME, Authority
from apps.kme.transport import Fault, KmeFailed
from apps.links import services as links
from apps.links import transitions
from apps.links.records import Link, LinkSource, LinkState, LinkUnusable
from apps.sessions import services as sessions
from apps.sessions import stock
from apps.sessions.records import SessionStatus
from apps.sessions.services import GenerateRequest
from apps.sessions.store import SessionTable
from tests import requirement
from tests.conftest import TESTS
from tests.kme.mock_kme import STATUS, a_key, drip, drip_headers, hang_up, keys_of, say_nothing, served
from tests.kme.saes import an_application, authority, certificate
from tests.sessions.ready import long
from tests.tables import everything


def client(name: str = "sae-platform", *, inline: bool = False) -> dict[str, str]:
    certificate(name)
    folder = authority().folder
    paths = {
        "certificate": folder / f"{name}.pem",
        "key": folder / f"{name}.key",
        "authority": folder / "ca.pem",
    }
    return {kind: path.read_text() if inline else str(path) for kind, path in paths.items()}


@pytest.fixture
def kme(settings):
    authority().issue(KME, hosts=("127.0.0.1", "localhost"))
    settings.KME_CLIENTS = {"us": client(), "inline": client(inline=True)}
    with served(authority().folder) as mock:
        yield mock


def a_link(url: str, *, low_water: int = 8, target: int = 20, name: str = "us", link_id: str = "far"):
    parameters = {"base_url": url, "peer": "sae-far", "client": name}
    return links.make(
        link_id,
        name="From afar",
        source=LinkSource.EXTERNAL_KME,
        parameters=parameters,
        low_water=low_water,
        target=target,
        actor=TESTS,
    )


def judge_all() -> list[str]:
    return [
        detections.judge(row.session_id, actor=TESTS).outcome
        for row in SessionTable.scan()
        if row.status is SessionStatus.PENDING
    ]


def failures() -> list[str]:
    entries = audit.entries_page(limit=100).records
    return [str(entry.detail["fault"]) for entry in entries if entry.event == "reception.failed"]


@requirement("E10", "A10")
@pytest.mark.parametrize("name", ["us", "inline"])
def test_keys_come_in_are_judged_and_encrypt(aws, kme, name):
    pool_keys.create(4, actor=TESTS)
    a_link(kme.url, name=name)
    assert receiving.receive_all() == 20
    assert receiving.receive_all() == 0, "what waits for its verdict is counted"
    assert judge_all() == ["ready"]
    assert stock.ready_over("far") == 20
    assert receiving.receive_all() == 0
    sealed = messages.encrypt(b"hello", actor=TESTS)
    (session,) = SessionTable.scan()
    assert sealed.header.quantum_key_id.startswith(session.session_id)
    events = {entry.event for entry in audit.entries_page(limit=50).records}
    assert {"session.received", "session.ready"} <= events


@requirement("E10", "I2")
def test_nothing_that_came_in_is_kept_in_clear(aws, kme):
    given = [os.urandom(32) for _ in range(8)]
    kme.keys = lambda number: {"keys": [a_key(key) for key in given[:number]]}
    a_link(kme.url, low_water=1, target=8)
    assert receiving.receive_all() == 8
    state = repr(everything(but=set()))
    for key in given:
        assert base64.b64encode(key).decode() not in state
        assert key.hex() not in state
        assert repr(key)[2:-1] not in state


@requirement("E10")
def test_no_more_is_asked_for_than_there_is_and_than_a_request_may(aws, kme):
    kme.status |= {"max_key_per_request": 3, "stored_key_count": 8}
    a_link(kme.url, low_water=8, target=50)
    assert receiving.receive_all() == 8
    assert kme.asked == [3, 3, 2]


@requirement("E10")
def test_a_hundred_keys_come_in_by_several_answers(aws, kme):
    a_link(kme.url, low_water=90, target=100)
    assert receiving.receive_all() == 100
    assert kme.asked == [45, 45, 10]


SAME = a_key()
STRANGE = os.urandom(32)
MISBEHAVIOUR = {
    "hangs up": (lambda _: hang_up, "unreachable"),
    "answers 400": (lambda _: (400, {"message": "no"}), "refused"),
    "answers 401": (lambda _: (401, {"message": "no"}), "refused"),
    "answers 503": (lambda _: (503, {"message": "no"}), "unavailable"),
    "answers 500 in HTML": (lambda _: (500, b"<html>"), "unavailable"),
    "redirects": (lambda _: (302, b""), "redirected"),
    "no JSON": (lambda _: b"<html>", "not_json"),
    "half of a JSON": (lambda n: b'{"keys": [' + b"{}," * n, "not_json"),
    "a repeated name": (lambda _: b'{"keys": [], "keys": []}', "not_json"),
    "a list": (lambda _: [], "malformed"),
    "no keys field": (lambda _: {}, "malformed"),
    "keys that are no objects": (lambda n: {"keys": ["x"] * n}, "malformed"),
    "no key": (lambda n: {"keys": [{"key_ID": str(uuid.uuid4())}] * n}, "malformed"),
    "no id": (lambda n: {"keys": [{"key": "AAAA"}] * n}, "malformed"),
    "an id that is none": (lambda n: {"keys": [a_key(key_id="x") for _ in range(n)]}, "malformed"),
    "no base64": (lambda n: {"keys": [{**a_key(), "key": "!"} for _ in range(n)]}, "malformed"),
    "keys too short": (lambda n: {"keys": [a_key(os.urandom(16)) for _ in range(n)]}, "wrong_size"),
    "keys too long": (lambda n: {"keys": [a_key(os.urandom(64)) for _ in range(n)]}, "wrong_size"),
    "one key too few": (lambda n: keys_of(n - 1), "wrong_count"),
    "one key too many": (lambda n: keys_of(n + 1), "wrong_count"),
    "none": (lambda _: {"keys": []}, "wrong_count"),
    "one id twice": (lambda n: {"keys": [a_key(key_id=SAME["key_ID"]) for _ in range(n)]}, "repeated_id"),
    "ids of another case": (
        lambda n: {"keys": [a_key(key_id=one) for one in (SAME["key_ID"], SAME["key_ID"].upper())] + keys_of(n - 2)["keys"]},
        "repeated_id",
    ),
    "one key twice": (lambda n: {"keys": [a_key(STRANGE) for _ in range(n)]}, "repeated_key"),
    "zeros": (lambda n: {"keys": [*keys_of(n - 1)["keys"], a_key(bytes(32))]}, "constant_key"),
    "ones": (lambda n: {"keys": [*keys_of(n - 1)["keys"], a_key(b"\xff" * 32)]}, "constant_key"),
    "far too much": (lambda _: b" " * 300_000, "too_long"),
}  # fmt: skip


@requirement("E10", "I3")
@pytest.mark.parametrize("what", MISBEHAVIOUR)
def test_of_an_answer_that_is_wrong_nothing_is_used_and_the_trail_says_why(aws, kme, what):
    kme.keys, fault = MISBEHAVIOUR[what]
    a_link(kme.url)
    assert receiving.receive_all() == 0
    assert failures() == [fault]
    assert list(SessionTable.scan()) == []
    alarming = Fault(fault).is_alarming
    assert links.find("far").state is (LinkState.PAUSED if alarming else LinkState.ACTIVE)
    kme.keys = keys_of
    assert receiving.receive_all() == (0 if alarming else 20), "an outage passes; distrust does not"


@requirement("E10")
@pytest.mark.parametrize(
    ("status", "fault"),
    [
        ({}, "malformed"),
        (STATUS | {"stored_key_count": "many"}, "malformed"),
        (STATUS | {"max_key_per_request": True}, "malformed"),
        (STATUS | {"stored_key_count": -1}, "malformed"),
        (STATUS | {"min_key_size": 512}, "wrong_size"),
        (STATUS | {"max_key_size": 128}, "wrong_size"),
        (STATUS | {"stored_key_count": 0}, "unavailable"),
        (STATUS | {"max_key_per_request": 0}, "unavailable"),
        ((401, {"message": "no"}), "refused"),
    ],
    ids=str,
)
def test_a_status_that_gives_nothing_is_told(aws, kme, status, fault):
    kme.status = status
    a_link(kme.url)
    assert receiving.receive_all() == 0
    assert (failures(), kme.asked) == ([fault], [])


@requirement("E10", "I3")
@pytest.mark.parametrize("again", ["the id", "the id in capitals", "the key", "both"])
def test_a_key_that_came_in_before_stops_the_link(aws, kme, again):
    first = keys_of(8)
    kme.keys = lambda _: first
    a_link(kme.url, low_water=8, target=8)
    assert receiving.receive_all() == 8
    (made,) = SessionTable.scan()
    detections.judge(made.session_id, actor=TESTS)
    links.change("far", target=16, low_water=16, reason="more", actor=TESTS)
    old = first["keys"][0]
    repeated = {
        "the id": a_key(key_id=old["key_ID"]),
        "the id in capitals": a_key(key_id=old["key_ID"].upper()),
        "the key": {**a_key(), "key": old["key"]},
        "both": old,
    }[again]
    kme.keys = lambda number: {"keys": [*keys_of(number - 1)["keys"], repeated]}
    assert receiving.receive_all() == 0
    assert failures()[0] in {"repeated_id", "repeated_key"}
    assert (links.find("far").state, len(list(SessionTable.scan()))) == (LinkState.PAUSED, 1)


@requirement("E10", "I3")
def test_a_key_that_came_in_before_the_record_key_changed_is_known_again(aws, kme, settings):
    first = keys_of(8)
    kme.keys = lambda _: first
    a_link(kme.url, low_water=8, target=8)
    assert receiving.receive_all() == 8
    judge_all()
    settings.RECORD_KEY_PREVIOUS, settings.RECORD_KEY = [settings.RECORD_KEY], "another"
    links.change("far", target=16, low_water=16, reason="more", actor=TESTS)
    kme.keys = lambda number: {
        "keys": [*keys_of(number - 1)["keys"], {**a_key(), "key": first["keys"][3]["key"]}]
    }
    assert receiving.receive_all() == 0
    assert failures() == ["repeated_key"]
    links.change("far", target=60, low_water=60, reason="more", actor=TESTS)
    transitions.move("far", LinkState.ACTIVE, reason="looked at", actor=TESTS)
    kme.keys, kme.asked = keys_of, []
    assert receiving.receive_all() == 52
    assert kme.asked == [30, 22], "three rows of a key in one transaction"


@requirement("E10", "A10")
def test_keys_are_drawn_as_a_slave_by_the_ids_that_the_master_tells(aws, kme):
    told = keys_of(3)["keys"]
    given = {one["key_ID"]: one for one in told}
    kme.collected = lambda ids: {"keys": [given[one] for one in reversed(ids)]}
    a_link(kme.url)
    made = receiving.collect("far", [one["key_ID"].upper() for one in told], actor=TESTS)
    assert made.ledger["key_ids"] == [one["key_ID"] for one in told]
    assert judge_all() == ["ready"]
    assert stock.ready_over("far") == 3
    with pytest.raises(KmeFailed) as again:
        receiving.collect("far", [told[0]["key_ID"]], actor=TESTS)
    assert again.value.fault is Fault.REPEATED_ID
    assert links.find("far").state is LinkState.PAUSED
    with pytest.raises(LinkUnusable):
        receiving.collect("far", [told[0]["key_ID"]], actor=TESTS)


@requirement("E10", "I3")
@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (lambda ids: keys_of(len(ids)), "wrong_id"),
        (lambda ids: {"keys": [a_key(key_id=one) for one in ids[:-1]]}, "wrong_count"),
        (lambda _: (400, {"message": "one or more keys specified are not found on KME"}), "refused"),
    ],
    ids=["keys for other ids", "one too few", "none of them"],
)
def test_a_slave_uses_nothing_but_the_keys_that_it_asked_for(aws, kme, answer, fault):
    kme.collected = answer
    a_link(kme.url)
    with pytest.raises(KmeFailed) as failed:
        receiving.collect("far", [str(uuid.uuid4()) for _ in range(2)], actor=TESTS)
    assert (failed.value.fault, failures()) == (fault, [fault])
    assert list(SessionTable.scan()) == []


@requirement("E10", "I8")
@pytest.mark.parametrize(
    "ids", [[], ["x"], [None], ["0" * 32] * 2, [str(uuid.uuid4()) for _ in range(46)]], ids=len
)
def test_ids_that_are_none_are_not_asked_for(aws, kme, ids):
    a_link(kme.url)
    with pytest.raises(Invalid):
        receiving.collect("far", ids, actor=TESTS)


@requirement("E10", "B1")
def test_keys_that_are_not_random_are_judged_and_never_used(aws, kme):
    kme.keys = lambda number: {"keys": [a_key(bytes([n, n + 1]) * 16) for n in range(number)]}
    a_link(kme.url)
    assert receiving.receive_all() == 20
    assert judge_all() == ["compromised"]
    (row,) = SessionTable.scan()
    found = detections.find(row.session_id, actor=TESTS)
    assert [reason["code"] for reason in found.reasons] == ["received_not_random"]
    assert stock.ready_over("far") == 0


@requirement("E10")
def test_who_is_too_slow_is_left(aws, kme, monkeypatch):
    monkeypatch.setattr(transport, "READ_SECONDS", 0.3)
    monkeypatch.setattr(transport, "WHOLE_SECONDS", 0.5)
    a_link(kme.url)
    kme.keys = lambda _: say_nothing
    assert receiving.receive_all() == 0
    for act in (drip, drip_headers):
        kme.keys = lambda _, act=act: act
        assert receiving.receive_all() == 0
    assert failures() == ["too_slow"] * 3


@requirement("E10")
def test_certificates_of_either_side_that_are_not_known_end_it(aws, settings, tmp_path):
    other = Authority(tmp_path / "other")
    other.issue(KME, hosts=("127.0.0.1",))
    other.issue("sae-platform")
    settings.KME_CLIENTS = {"us": client()}
    with served(tmp_path / "other") as stranger:  # its authority is not ours
        a_link(stranger.url)
        assert receiving.receive_all() == 0
    authority().issue(KME, hosts=("127.0.0.1",))
    with served(authority().folder) as kme:  # ours is not its
        folder = tmp_path / "other"
        settings.KME_CLIENTS = {
            "us": client()
            | {"certificate": str(folder / "sae-platform.pem"), "key": str(folder / "sae-platform.key")}
        }
        a_link(kme.url, link_id="near")
        assert receiving.receive_all() == 0
    authority().issue("late", hosts=("127.0.0.1",), days=-0.001)
    settings.KME_CLIENTS = {"us": client()}
    with served(authority().folder, "late") as expired:
        a_link(expired.url, link_id="late")
        assert receiving.receive_all() == 0
    assert set(failures()) <= {"untrusted", "unreachable"}
    assert len(failures()) >= 3
    assert list(SessionTable.scan()) == []


@requirement("E10")
@pytest.mark.parametrize(
    "clients", [{}, {"us": {}}, {"us": {"certificate": "/no", "key": "/no", "authority": "/no"}}]
)
def test_a_client_that_is_not_configured_is_told(aws, kme, settings, clients):
    settings.KME_CLIENTS = clients
    a_link(kme.url)
    assert receiving.receive_all() == 0
    assert failures() == ["untrusted"]


@requirement("E10", "A10")
def test_a_link_that_is_quarantined_meanwhile_keeps_nothing(aws, kme):
    def quarantined(number):
        transitions.quarantine("far", case_id="c", reason="Eve", actor=TESTS)
        return keys_of(number)

    kme.keys = quarantined
    a_link(kme.url)
    assert receiving.receive_all() == 0
    assert list(SessionTable.scan()) == []
    kme.keys = keys_of
    assert receiving.receive_all() == 0


@requirement("E10")
def test_one_link_that_fails_keeps_no_other_from_its_keys(aws, kme):
    a_link("https://127.0.0.1:9", link_id="dead")
    a_link(kme.url)
    assert receiving.receive_all() == 20
    assert failures() == ["unreachable"]


@requirement("E10")
def test_a_failure_that_cannot_be_told_keeps_no_other_link_from_its_keys(aws, kme, settings, monkeypatch):
    settings.ALERT_TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:gone"
    a_link("https://127.0.0.1:9", link_id="dead")
    a_link(kme.url)
    known = [links.find(one) for one in ("dead", "far")]
    monkeypatch.setattr(links, "supplied", lambda: iter(known))  # whatever order the table has
    with pytest.raises(ExceptionGroup) as failed:
        receiving.receive_all()
    assert [type(one).__name__ for one in failed.value.exceptions] == ["NotFoundException"]
    assert stock.pending_over("far") == 20
    assert failures() == ["unreachable"]


@requirement("E10")
def test_a_link_that_a_case_holds_by_now_is_not_paused_and_keeps_no_other_from_its_keys(
    aws, kme, monkeypatch
):
    held = a_link("https://127.0.0.1:9", link_id="held")
    a_link(kme.url)
    known = [links.find(one) for one in ("held", "far")]
    monkeypatch.setattr(links, "supplied", lambda: iter(known))

    def repeats(link: Link, *, actor: Actor) -> int:
        if link.link_id != held.link_id:
            return received(link, actor=actor)
        transitions.quarantine("held", case_id="case-1", reason="looked at", actor=TESTS)
        raise KmeFailed(Fault.REPEATED_KEY, "It gave a key that it gave before.")

    received = receiving.receive
    monkeypatch.setattr(receiving, "receive", repeats)
    assert receiving.receive_all() == 20
    assert links.find("held").state is LinkState.QUARANTINED
    assert failures() == ["repeated_key"]


@requirement("A10", "E10")
def test_no_session_is_run_over_a_link_from_elsewhere(aws, kme):
    a_link(kme.url)
    with pytest.raises(Invalid, match="external_kme"):
        sessions.generate(GenerateRequest(link="far", key_length=64), actor=TESTS)


@requirement("A10", "E1", "I8")
@pytest.mark.parametrize(
    "parameters",
    [
        None,
        {},
        {"error_rate": 0.1},
        {"base_url": "http://x.example.com", "peer": "a", "client": "us"},
        {"base_url": "https://user:secret@x.example.com", "peer": "a", "client": "us"},
        {"base_url": "https://x.example.com/path", "peer": "a", "client": "us"},
        {"base_url": "https://x.example.com:99999", "peer": "a", "client": "us"},
        {"base_url": "https://x.example.com", "peer": "a/b", "client": "us"},
        {"base_url": "https://", "peer": "a", "client": "us"},
    ],
    ids=str,
)
def test_where_keys_cannot_come_from_is_refused(admin_api, parameters):
    body = {"link_id": "far", "name": "x", "source": "external_kme"}
    if parameters is not None:
        body["parameters"] = parameters
    answer = admin_api.post("links", body)
    assert answer.status_code == 400, answer.content
    assert "parameters" in answer.json()["errors"][0]["field"]


@requirement("E10", "I3")
def test_the_platform_draws_from_a_platform(aws, settings):
    """Our served KME, consumed: what it delivered waits for the peer, and has left its stock."""
    long(64)
    settings.STOCK_RESERVED = 0
    authority().issue(KME, hosts=("127.0.0.1",))
    settings.KME_CLIENTS = {"us": client()}
    an_application("sae-platform", "sae-far")
    an_application("sae-far")
    folder = authority().folder
    server = make_server("127.0.0.1", 0, Identity(folder / "kme.pem", folder / "kme.key", folder / "ca.pem"))
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        a_link(f"https://127.0.0.1:{server.bind_addr[1]}", low_water=8, target=20)
        assert receiving.receive_all() == 20
    finally:
        server.stop()
        thread.join(20)
    assert judge_all() == ["ready", "ready"], "an answer of 16 keys and one of 4"
    assert (stock.ready_over("far"), stock.ready_over("stock")) == (20, 44)
