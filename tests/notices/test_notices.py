"""What happened is told to other systems: ids only, at least once, signed, listed and replayable."""

import base64
import hashlib
import hmac
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import jsonschema
import pytest

from apps.access.roles import Role
from apps.audit import services as audit
from apps.audit import verification
from apps.audit.records import Event, Outcome
from apps.cases.trail import CaseEvent
from apps.common.authenticated import RecordForged
from apps.common.aws import client
from apps.common.declarations import members, modules_named
from apps.files.trail import FileEvent
from apps.following import services as following
from apps.jobs.trail import JobEvent
from apps.keys.trail import PoolKeyEvent
from apps.notices import kinds, sending, services
from apps.notices.records import DeliveryState
from apps.notices.store import DeliveryTable, WebhookTable
from apps.sessions.trail import SessionEvent
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS, Api
from tests.trail_stream import event, records

pytestmark = requirement("B8", "D6")


class Receiver:
    """An HTTP server that remembers what it was sent; answers ``status``."""

    def __init__(self):
        self.status = 204
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                self.send_response(receiver.status)
                if receiver.status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?a=b"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver(aws, settings):
    settings.WEBHOOK_PRIVATE = True
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def hook(receiver):
    """A webhook to it for every type, with its secret."""
    return services.make(url=receiver.url, types=kinds.TYPES, actor=TESTS)


def tell(what=FileEvent.ENCRYPTED, **fields):
    audit.record(TESTS, what, **({"file_id": "f1", "key_id": "k1", "session_id": "s1"} | fields))
    handler(event(records()), None)


def test_what_happened_is_told_with_ids_alone_and_signed(receiver, hook):
    webhook, secret = hook
    tell(size=12, name="salary.pdf")
    ((headers, body),) = receiver.got
    told = json.loads(body)
    assert told["type"] == "file.encrypted"
    assert told["data"] == {"file_id": "f1", "key_id": "k1", "session_id": "s1"}
    assert told["id"] == headers["webhook-id"]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    (delivery,) = services.deliveries(webhook.webhook_id, limit=5).records
    assert (delivery.state, delivery.attempts, delivery.answer) == (DeliveryState.DELIVERED, 1, "204")
    assert verification.verify().problems == []


def test_each_is_told_to_who_asked_and_once_however_often_the_stream_brings_it(receiver, hook):
    services.make(url=receiver.url, types=["case.opened"], actor=TESTS)
    for _ in range(3):
        handler(event(records()), None)
    tell()
    handler(event(records()), None)
    following.catch_up()
    assert len(receiver.got) == 1
    tell(CaseEvent.OPENED, case_id="case-1", link="l", severity="critical")
    assert len(receiver.got) == 3


@pytest.mark.parametrize("status", [500, 404, 302, 410])
def test_what_is_not_taken_is_tried_again_with_growing_waits_and_given_up_in_the_end(
    receiver, hook, later, status
):
    receiver.status = status
    tell()
    services.deliver_due()
    assert len(receiver.got) == 1, "not before it is due"
    for attempt in range(1, services.MOST_ATTEMPTS):
        later(seconds=services.FIRST_WAIT * 2 ** (attempt - 1) + 1)
        services.deliver_due()
    (delivery,) = services.deliveries(hook[0].webhook_id, limit=5).records
    assert (delivery.state, delivery.attempts, delivery.answer) == (DeliveryState.FAILED, 10, str(status))
    assert len(receiver.got) == services.MOST_ATTEMPTS
    later(days=1)
    assert services.deliver_due() == 0


def test_a_delivery_is_replayed_with_an_entry(receiver, hook, admin_api):
    tell()
    (delivery,) = services.deliveries(hook[0].webhook_id, limit=5).records
    path = f"webhooks/{hook[0].webhook_id}/deliveries"
    answer = admin_api.post(f"{path}/{delivery.notice_id}/replay")
    assert (answer.status_code, answer.json()["state"]) == (200, "delivered")
    assert len(receiver.got) == 2
    assert "webhook.replayed" in [entry.event for entry in audit.entries_page(limit=5).records]
    assert admin_api.post(f"{path}/none/replay").status_code == 404
    assert [one["notice_id"] for one in admin_api.get(path).json()["items"]] == [delivery.notice_id]


def test_a_receiver_that_is_away_stops_no_follower(hook, receiver):
    receiver.server.shutdown()
    receiver.server.server_close()
    tell()
    (delivery,) = services.deliveries(hook[0].webhook_id, limit=5).records
    assert delivery.state is DeliveryState.PENDING
    assert following.catch_up() == 0, "the place has moved"


def test_an_ended_webhook_is_told_nothing_more(receiver, hook, admin_api):
    receiver.status = 500
    tell()
    assert admin_api.delete(f"webhooks/{hook[0].webhook_id}").json()["active"] is False
    services.deliver_due()
    tell()
    assert len(receiver.got) == 1
    assert admin_api.delete(f"webhooks/{hook[0].webhook_id}").status_code == 409


@requirement("I2")
def test_the_secret_is_shown_once_and_kept_nowhere(admin_api, receiver):
    made = admin_api.post("webhooks", {"url": receiver.url, "types": ["job.ended"]})
    assert made.status_code == 201
    secret = made.json()["secret"]
    path = f"webhooks/{made.json()['webhook_id']}"
    assert "secret" not in admin_api.get(path).json()
    rows = client("dynamodb").scan(TableName=WebhookTable.Meta.table_name)["Items"]
    assert secret not in json.dumps(rows)
    assert secret.removeprefix("whsec_") not in json.dumps(rows)
    other = admin_api.post("webhooks", {"url": receiver.url, "types": ["job.ended"]})
    assert other.json()["secret"] != secret


def test_who_may(aws, receiver):
    body = {"url": receiver.url, "types": ["job.ended"]}
    assert Api(Role.OPERATOR).post("webhooks", body).status_code == 403
    assert Api(Role.OPERATOR).get("webhooks").status_code == 200
    assert Api(Role.CLIENT).get("webhooks").status_code == 403


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/",
        "https://",
        "https://u:p@a.example/",
        "https://a.example/#x",
        "https://a.example:99999/",
        "https://a b.example/",
        "https://" + "a" * 500,
        "nothing",
        "http://a.example/",
    ],
)
def test_what_is_no_address_is_refused(admin_api, settings, url):
    settings.WEBHOOK_PRIVATE = False
    answer = admin_api.post("webhooks", {"url": url, "types": ["job.ended"]})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:127.0.0.1"]
)
def test_no_private_network_is_reached_whatever_its_name_resolves_to(settings, monkeypatch, address):
    settings.WEBHOOK_PRIVATE = False
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = [(socket.AF_INET, 1, 6, "", ("93.184.216.34", 443)), (family, 1, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(sending.NotSent, match="private address"):
        sending._address_of("a.example", 443)


@requirement("I10")
def test_an_address_that_somebody_wrote_into_the_table_is_told_nothing(receiver, hook):
    WebhookTable(webhook_id=hook[0].webhook_id).update([WebhookTable.url.set(receiver.url + "&other=1")])
    tell()
    assert receiver.got == []
    with pytest.raises(RecordForged):
        services.find(hook[0].webhook_id)


@requirement("I10")
@pytest.mark.parametrize("spoil", ["document", "type", "notice_id", "tag"])
def test_what_somebody_wrote_into_the_table_is_never_signed(receiver, hook, admin_api, later, spoil):
    receiver.status = 500
    tell()
    row = DeliveryTable.query(hook[0].webhook_id).next()
    changed = {"document": {**row.document, "data": {"file_id": "f2"}}, "type": "key.revoked"}
    setattr(row, spoil, changed.get(spoil, "other"))
    row.save()
    receiver.got.clear()
    receiver.status = 204
    later(days=1)
    services.deliver_due()
    assert b"f2" not in b"".join(body for _, body in receiver.got)
    assert {headers["webhook-id"] for headers, _ in receiver.got} <= {row.document["id"]}
    replay = admin_api.post(f"webhooks/{hook[0].webhook_id}/deliveries/{row.notice_id}/replay")
    assert (replay.status_code, replay.json()["type"].rpartition("/")[2]) == (409, "record-forged")


def test_the_bus_gets_each_event_in_its_form(aws, settings, monkeypatch):
    settings.EVENT_BUS = "qkd"
    put, failing = [], [True]

    class Bus:
        def put_events(self, *, Entries):  # noqa: N803 - as AWS names it
            if failing:
                failing.clear()
                return {"FailedEntryCount": 1}
            put.extend(Entries)
            return {"FailedEntryCount": 0}

    real = client
    monkeypatch.setattr("apps.common.aws.client", lambda name: Bus() if name == "events" else real(name))
    with pytest.raises(ExceptionGroup):
        tell()
    handler(event(records()), None)
    (entry,) = put
    assert (entry["Source"], entry["DetailType"], entry["EventBusName"]) == (
        "qkdplatform",
        "file.encrypted",
        "qkd",
    )
    assert json.loads(entry["Detail"])["data"]["file_id"] == "f1"


ENTRIES = [
    (FileEvent.REPLACED, {}, "file.encrypted"),
    (FileEvent.REJECTED, {}, "file.rejected"),
    (SessionEvent.COMPROMISED, {"link": "l", "verdict": "compromised"}, "session.judged"),
    (PoolKeyEvent.REVOKED, {}, "key.revoked"),
    (PoolKeyEvent.ROTATION_QUEUED, {}, "key.rotated"),
    (JobEvent.ENDED, {"job_id": "j", "kind": "k", "state": "failed", "outcome": Outcome.FAILED}, "job.ended"),
    (CaseEvent.OPENED, {"case_id": "c", "link": "l" * 999, "severity": "info"}, "case.opened"),
    (FileEvent.READ, {}, None),
    (FileEvent.ENCRYPTED, {"outcome": Outcome.DENIED}, None),
]


@pytest.mark.parametrize(("what", "fields", "kind"), ENTRIES)
def test_every_event_keeps_to_the_published_schema(aws, what, fields, kind):
    audit.record(TESTS, what, **({"file_id": "f1", "key_id": "k1", "session_id": "s1"} | fields))
    (entry,) = audit.entries_page(limit=1).records
    notice = kinds.of_entry(entry)
    assert (notice and notice.type) == kind
    if notice:
        jsonschema.validate(notice.as_document(), kinds.schema())
        extra = {**notice.as_document(), "plaintext": "x"}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(extra, kinds.schema())


def test_every_event_that_is_told_is_one_that_the_trail_knows():
    known = set(members(Event, modules_named("trail")))
    assert {one for kind in kinds.KINDS for one in kind.events} <= known


NO_HOSTS = ["https://[::1", "https://[foo]/", "https://a..b/", f"https://{'a' * 64}.example/", "https://./"]


@requirement("C12")
@pytest.mark.parametrize("url", NO_HOSTS)
def test_an_address_whose_host_can_be_none_is_refused_as_such(admin_api, url):
    answer = admin_api.post("webhooks", {"url": url, "types": ["file.encrypted"]})
    assert answer.status_code == 400
    assert "host" in answer.content.decode()


def test_a_host_that_cannot_be_looked_up_is_given_up_in_the_end(receiver, monkeypatch):
    monkeypatch.setattr(sending, "check_url", lambda _: None)  # made before such were refused
    webhook, _ = services.make(url="https://a..b/", types=kinds.TYPES, actor=TESTS)
    tell()
    (delivery,) = services.deliveries(webhook.webhook_id, limit=5).records
    assert (delivery.state, delivery.attempts, delivery.answer) == (DeliveryState.PENDING, 1, "unknown host")


@requirement("C12")
@pytest.mark.parametrize(
    ("address", "is_reached"),
    [
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:a9fe:a9fe::1", False),
        ("::7f00:1", False),
        ("fec0::1", False),
        ("ff0e::1", False),
        ("224.0.0.1", False),
        ("2606:4700::1111", True),
        ("8.8.8.8", True),
    ],
)
def test_no_address_that_leads_into_a_network_counts_as_the_worlds(address, is_reached):
    assert sending._is_the_worlds(address) is is_reached


def test_a_delivery_by_an_id_that_no_table_could_hold_is_not_found(hook, admin_api, monkeypatch):
    monkeypatch.setattr(DeliveryTable, "get", None)  # DynamoDB refuses such a key, which moto does not
    path = f"webhooks/{hook[0].webhook_id}/deliveries/{'a' * 1025}/replay"
    assert admin_api.post(path).status_code == 404
