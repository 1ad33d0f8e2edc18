"""A table writer changes sessions, quantum keys, detections and jobs; a narrow key runs sessions that it can read.

Each change is refused by the row's name, and nothing is done because of it (I3, I10).
"""

from dataclasses import replace
from typing import Any

import pytest

from apps.access import principals
from apps.audit import services as audit
from apps.audit import verification
from apps.common.authenticated import RecordForged
from apps.common.aws import client
from apps.common.errors import Invalid
from apps.detections import services as detections
from apps.detections.store import DetectionTable
from apps.files import messages
from apps.files.bodies.objects import UPLOADS_PREFIX
from apps.files.uploads import attempts
from apps.jobs import control
from apps.jobs import services as jobs
from apps.jobs.store import JobTable
from apps.links import services as links
from apps.links.store import LinkTable
from apps.sessions import (
    blocks,
    committing,
    finals,
    leases,
    offering,
    reservations,
    sealed_messages,
    services,
    stock,
    tasks,
    transitions,
)
from apps.sessions.records import (
    KeyPurpose,
    SessionNotFound,
    SessionStatus,
    SessionUnusable,
    StockChoice,
    StockEmpty,
)
from apps.sessions.services import GenerateRequest
from apps.sessions.store import FinalKeyTable, KeyBlockTable, QuantumKeyTable, SessionTable
from apps.sessions.trail import QuantumKeyEvent
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS, Api
from tests.events import stream_insert
from tests.faults import Fault, injected, watched
from tests.queues import into
from tests.sessions.links import a_link
from tests.sessions.ready import long, ready
from tests.tables import rows, tamper
from tests.uploads import deliver, put, record_of, registered

BLINDED = {"kind": "detector_blinding", "fraction": 1.0}


def session_key(session_id: str) -> dict[str, Any]:
    return {"session_id": {"S": session_id}}


def as_new_process() -> None:
    """Nothing is in memory."""
    finals._kept.clear()
    links._known.clear()
    leases.known().clear()


def own_session(api: Api, **request: Any) -> str:
    """A judged session of a client."""
    asked = GenerateRequest(**{"key_length": 1024, "error_rate": 0.01, **request})
    made = services.generate(asked, actor=api.actor)
    detections.judge(made.session_id, actor=TESTS)
    return made.session_id


# -- a table writer ---------------------------------------------------------------------------------------------


@requirement("C3", "I10")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("owner", "service:mallory"),
        ("status", "pending"),
        ("link", "default"),
        ("reason", "x"),
        ("judgedAt", None),
    ],
)
def test_a_changed_session_gives_no_key_and_is_named(stock, name: str, value: str | None):
    tamper(SessionTable, session_key(stock.session_id), **{name: {"S": value} if value else None})
    as_new_process()
    with pytest.raises(RecordForged, match=stock.session_id):
        offering.offer(session_id=stock.session_id, actor=TESTS)
    with pytest.raises(StockEmpty):
        offering.offer()
    with pytest.raises(RecordForged, match=stock.session_id):
        services.find(stock.session_id, actor=TESTS)
    with pytest.raises(RecordForged, match=stock.session_id):
        transitions.revoke(stock.session_id, reason="x", actor=TESTS)
    assert services.listed(actor=TESTS, limit=5).left_out == (f"sessions/{stock.session_id}",)
    assert rows(QuantumKeyTable.Meta.table_name) == []


@requirement("I7", "I10")
@pytest.mark.parametrize(
    ("name", "value"), [("secret", {"BOOL": True}), ("keysTotal", {"N": "64"}), ("status", {"S": "ready"})]
)
def test_a_study_is_not_made_a_source_of_keys(pool, name: str, value: dict[str, Any]):
    made = services.generate(
        GenerateRequest(key_length=1024, error_rate=0.05, eavesdropper=BLINDED), actor=TESTS
    )
    tamper(SessionTable, session_key(made.session_id), **{name: value})
    with pytest.raises(RecordForged, match=made.session_id):
        detections.judge(made.session_id, actor=TESTS)
    with pytest.raises(StockEmpty):
        offering.offer()


@requirement("C3", "I10")
def test_a_session_set_back_from_revoked_gives_no_key_to_who_knows_it(stock):
    """An earlier authentic state is what the trail finds; its final key is gone, and stays so."""
    key = session_key(stock.session_id)
    table = SessionTable.Meta.table_name
    before = client("dynamodb").get_item(TableName=table, Key=key)["Item"]
    transitions.revoke(stock.session_id, reason="x", actor=TESTS)
    client("dynamodb").put_item(TableName=table, Item=before)
    with pytest.raises(SessionUnusable):
        offering.offer(session_id=stock.session_id, actor=TESTS)
    assert [(one.row, one.what) for one in verification.verify(verification.Depth.RECORDS).row_problems] == [
        (f"sessions/{stock.session_id}", "it was set back to an earlier state")
    ]


@requirement("C3", "I3", "I10")
def test_a_revoked_session_in_memory_is_not_brought_back_by_its_status_alone(stock):
    package = messages.encrypt(b"x", actor=TESTS).to_dict()
    transitions.revoke(stock.session_id, reason="x", actor=TESTS)
    assert messages.decrypt(package, actor=TESTS) == b"x"  # and its key is in memory again, as revoked
    ready_again = {"status": {"S": "ready"}}
    tamper(SessionTable, session_key(stock.session_id), **ready_again)
    with pytest.raises(StockEmpty):
        offering.offer()


@requirement("C3", "C10", "I10")
@pytest.mark.parametrize("part", ["row", "wrapped key"])
def test_a_final_key_swapped_between_sessions_opens_nothing(stock, part: str):
    other = ready(key_length=4096)
    (item,) = (
        row for row in rows(FinalKeyTable.Meta.table_name) if row["session_id"]["S"] == other.session_id
    )
    kept = {"session_id", *(() if part == "row" else set(item) - {"encryptedFinalKey"})}
    tamper(
        FinalKeyTable,
        session_key(stock.session_id),
        **{name: value for name, value in item.items() if name not in kept},
    )
    as_new_process()
    with pytest.raises(RecordForged, match=f"final-keys/{stock.session_id}"):
        offering.offer(session_id=stock.session_id, actor=TESTS)
    with pytest.raises(RecordForged, match=f"final-keys/{stock.session_id}"):
        finals.find(stock.session_id)


@requirement("C7", "E3", "I10")
@pytest.mark.parametrize("name", ["taken_by", "subject", "state", "purpose", "sealed_by", "session_id"])
def test_a_changed_quantum_key_opens_no_message(api, other_api, stock, name: str):
    package = api.post("encrypt", {"plaintext": "attack at dawn"}).json()
    key_id = package["package"]["envelope"]["header"]["quantum_key_id"]
    value = {"taken_by": str(other_api.actor), "state": "reserved", "purpose": "file"}.get(name, "another")
    tamper(QuantumKeyTable, {"key_id": {"S": key_id}}, **{name: {"S": value}})
    for caller in (other_api, api):
        answer = caller.post("decrypt", package)
        assert (answer.status_code, answer.json()["type"]) == (
            409,
            "http://127.0.0.1:8000/api/problems/record-forged",
        )
        assert key_id in answer.json()["detail"]
        assert "dawn" not in answer.content.decode()


@requirement("I3", "I10")
def test_a_key_that_was_discarded_is_not_used_after_all(stock, monkeypatch):
    attempt = attempts.begin(document_id="d", file_id="d", owner=str(TESTS), actor=TESTS)
    key_id = attempt.offered.key_id
    (before,) = rows(QuantumKeyTable.Meta.table_name)
    monkeypatch.setattr(reservations, "RESERVED_SECONDS", -1)
    assert reservations.discard(reservations.stale_reservations(), actor=TESTS) == 1
    tamper(QuantumKeyTable, {"key_id": {"S": key_id}}, state=before["state"])
    with pytest.raises(SessionUnusable, match="has ended"), audit.transaction(TESTS) as tx:
        attempt.use(tx)
        tx.audit(QuantumKeyEvent.RESERVED)


@requirement("B5", "I10")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("is_compromised", {"BOOL": False}),
        ("outcome", {"S": "ready"}),
        ("owner", {"S": "service:mallory"}),
        ("qber_calculated", {"N": "0.01"}),
    ],
)
def test_a_flipped_verdict_is_refused_by_name(aws, name: str, value: dict[str, Any]):
    made = services.generate(
        GenerateRequest(
            key_length=256, error_rate=0.02, eavesdropper={"kind": "intercept_resend", "fraction": 1.0}
        ),
        actor=TESTS,
    )
    found = detections.judge(made.session_id, actor=TESTS)
    assert found.is_compromised
    key = {
        "session_id": {"S": made.session_id},
        "detection_timestamp": {"N": str(found.detection_timestamp)},
    }
    tamper(DetectionTable, key, **{name: value})
    with pytest.raises(RecordForged, match=made.session_id):
        detections.find(made.session_id, actor=TESTS)
    (left_out,) = detections.listed(actor=TESTS, limit=5).left_out
    assert made.session_id in left_out
    assert services.find(made.session_id, actor=TESTS).status is SessionStatus.COMPROMISED


@requirement("A9", "I10")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("owner", {"S": str(stock.REFILLER)}),
        ("parameters", {"S": '{"key_length":256,"link":"stock"}'}),
        ("kind", {"S": "reencrypt_files"}),
        ("created_at", {"S": "2020-01-01T00:00:00.000000Z"}),
    ],
)
def test_a_changed_job_is_not_worked_on(api, monkeypatch, name: str, value: dict[str, str]):
    monkeypatch.setattr("apps.jobs.kinds.send", lambda *_, **__: None)
    request = GenerateRequest(key_length=64, error_rate=0.01)
    job = tasks.generate_later(request, count=1, actor=api.actor)
    tamper(JobTable, {"job_id": {"S": job.job_id}}, **{name: value})
    with pytest.raises(RecordForged, match=job.job_id):
        tasks.generate_batch(job.job_id)
    with pytest.raises(RecordForged, match=job.job_id):
        jobs.find(job.job_id, actor=TESTS)
    with pytest.raises(RecordForged, match=job.job_id):
        control.cancel(job.job_id, actor=TESTS)
    assert rows(SessionTable.Meta.table_name) == []


@requirement("I10")
@pytest.mark.parametrize("name", ["users", "owner"])
def test_a_changed_link_is_refused_by_name(api, other_api, name: str):
    a_link("far", str(other_api.actor))
    value = {"users": f'["{api.actor}"]', "owner": str(api.actor)}[name]
    tamper(LinkTable, {"link_id": {"S": "far"}}, **{name: {"S": value}})
    answer = api.post("qkd/generate", {"key_length": 64, "error_rate": 0.01, "link": "far"})
    assert (answer.status_code, answer.json()["type"]) == (
        409,
        "http://127.0.0.1:8000/api/problems/record-forged",
    )


def block_key(session_id: str, first: int = 0) -> dict[str, Any]:
    return {"block_id": {"S": blocks.id_of(session_id, first)}}


@requirement("I3", "I10")
def test_a_session_moved_into_the_platforms_stock_gives_no_key(api, pool):
    """The index says in which stock a block is, and is not authenticated; the record is."""
    made = own_session(api)
    tamper(KeyBlockTable, block_key(made), stock_feed={"S": "stock#0"})
    as_new_process()
    with pytest.raises(StockEmpty):
        offering.offer()
    tamper(KeyBlockTable, block_key(made), stock={"S": "stock"})
    with pytest.raises(StockEmpty):
        offering.offer()


@requirement("C3", "I10")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("session_id", {"S": "another"}),
        ("first", {"N": "1"}),
        ("size", {"N": "9"}),
        ("state", {"S": "open"}),
        ("link", {"S": "x"}),
    ],
)
def test_a_changed_block_gives_no_key(stock, name: str, value: dict[str, Any]):
    transitions.revoke(stock.session_id, reason="x", actor=TESTS)
    made = ready(key_length=256, link="stock")
    opened = {"stock_feed": {"S": "stock#0"}, "state": {"S": "open"}}
    for session in (stock, made):
        tamper(KeyBlockTable, block_key(session.session_id), **opened | {name: value})
    as_new_process()
    if name == "state":  # which is what it was
        assert offering.offer().session_id == made.session_id
    else:
        with pytest.raises(StockEmpty):
            offering.offer()


@requirement("I10")
@pytest.mark.parametrize("block_id", ["of no session", ":7", "another:0"])
def test_a_block_that_somebody_made_up_stops_nobody(stock, monkeypatch, block_id: str):
    name, key = KeyBlockTable.Meta.table_name, block_key(stock.session_id)
    item = client("dynamodb").get_item(TableName=name, Key=key)["Item"]
    client("dynamodb").put_item(TableName=name, Item=item | {"block_id": {"S": block_id}})
    as_new_process()
    monkeypatch.setattr("random.sample", lambda ids, _: sorted(ids, key=lambda one: one != block_id))

    def as_dynamodb_does(call: Any, aws: Any, operation: str, arguments: dict[str, Any]) -> Any:
        assert operation != "BatchGetItem" or "{'S': ''}" not in str(arguments), (
            "refused, and the call with it"
        )
        return call(aws, operation, arguments)

    with watched(as_dynamodb_does):
        assert offering.offer().session_id == stock.session_id


@requirement("I10")
def test_made_up_blocks_that_are_named_after_a_session_do_not_keep_its_keys_from_anybody(stock, monkeypatch):
    """They come first, and more than are looked at; for the first of them the whole session was passed over."""
    monkeypatch.setattr(offering, "CANDIDATES", 2)
    name, key = KeyBlockTable.Meta.table_name, block_key(stock.session_id)
    item = client("dynamodb").get_item(TableName=name, Key=key)["Item"]
    for number in range(900, 904):
        made_up = block_key(stock.session_id, number) | {"until": {"S": "2020-01-01T00:00:00.000000Z"}}
        client("dynamodb").put_item(TableName=name, Item=item | made_up)
    as_new_process()
    assert offering.offer().session_id == stock.session_id


@requirement("I3", "I10")
def test_a_block_set_back_gives_no_key_twice_and_stops_nobody(pool, settings):
    settings.STOCK_RESERVED = 0  # one principal takes them all
    made, other = long(16), long(16)
    first = messages.encrypt(b"x", actor=TESTS, session_id=made.session_id).header.quantum_key_id
    number = int(first.rpartition(".")[2])
    tamper(
        KeyBlockTable,
        block_key(made.session_id, number),
        next={"N": str(number)},
        lease={"S": "free"},
        stock_feed={"S": "stock#0"},
        until={"S": "2020-01-01T00:00:00.000000Z"},
    )
    as_new_process()
    taken = [messages.encrypt(b"x", actor=TESTS).header.quantum_key_id for _ in range(20)]
    assert first not in taken
    assert len(set(taken)) == 20
    assert {key_id.partition(".")[0] for key_id in taken} <= {made.session_id, other.session_id}


@requirement("A9", "B4", "I10")
def test_one_forged_row_stops_no_sweep(api, stock, monkeypatch):
    monkeypatch.setattr("apps.jobs.kinds.send", lambda *_, **__: None)
    monkeypatch.setattr(reservations, "RESERVED_SECONDS", -1)
    request = GenerateRequest(key_length=64, error_rate=0.01)
    waiting = [services.generate(request, actor=TESTS).session_id for _ in range(2)]
    lost = [tasks.generate_later(request, count=1, actor=TESTS).job_id for _ in range(2)]
    begun = [attempts.begin(document_id=d, file_id=d, owner=str(TESTS), actor=TESTS) for d in "ab"]
    tamper(SessionTable, session_key(waiting[0]), owner={"S": "service:mallory"})
    tamper(JobTable, {"job_id": {"S": lost[0]}}, owner={"S": "service:mallory"})
    tamper(QuantumKeyTable, {"key_id": {"S": begun[0].offered.key_id}}, subject={"S": "another"})
    assert detections.judge_overdue(seconds=-1, actor=TESTS) == 1
    assert jobs.send_lost(seconds=-1) == 1
    assert [key.subject for key in reservations.stale_reservations()] == ["b"]


@requirement("I4", "I10")
def test_a_used_key_that_is_listed_as_reserved_stays_used(api, stock, monkeypatch):
    """What is listed as an attempt that did not come back would have its body removed."""
    monkeypatch.setattr(reservations, "RESERVED_SECONDS", -1)
    header = api.post("encrypt", {"plaintext": "x"}).json()["package"]["envelope"]["header"]
    tamper(QuantumKeyTable, {"key_id": {"S": header["quantum_key_id"]}}, reserved_feed={"S": "all#0"})
    assert reservations.stale_reservations() == []


# -- a narrow API key -------------------------------------------------------------------------------------------


@requirement("A9", "I3")
@pytest.mark.parametrize(
    "eavesdropper", [BLINDED, {"kind": "intercept_resend", "fraction": 0.01}, {"kind": "beam_splitting"}]
)
def test_a_session_with_an_eavesdropper_is_a_study_that_encrypts_nothing(api, pool, eavesdropper):
    asked = {"key_length": 1024, "error_rate": 0.05, "eavesdropper": eavesdropper}
    made = api.post("qkd/generate", asked).json()
    assert made["secret"] is False
    assert made["keys_total"] == 0
    assert rows(FinalKeyTable.Meta.table_name) == []
    assert made["final_key_length"] == 1024
    handler(stream_insert(made["session_id"]), None)
    found = api.get(f"qkd/session/{made['session_id']}").json()
    assert (found["status"], found["reason_code"]) == ("study", "study")
    assert "encrypts nothing" in found["reason"]
    for wanted in ({"session_id": made["session_id"]}, {"stock": "own"}):
        refused = api.post("encrypt", {"plaintext": "x", **wanted})
        assert refused.status_code == 409, refused.content
    assert stock.stock().total == 0
    assert rows(QuantumKeyTable.Meta.table_name) == []


@requirement("I3")
def test_the_study_of_a_blinded_detector_is_judged_clean_and_still_gives_no_key(aws):
    """Its eavesdropper knows every bit and makes no error: no statistics can tell."""
    made = services.generate(
        GenerateRequest(key_length=256, error_rate=0.05, eavesdropper=BLINDED), actor=TESTS
    )
    assert made.final_key_length == 256
    assert not detections.judge(made.session_id, actor=TESTS).is_compromised
    assert services.find(made.session_id, actor=TESTS).status is SessionStatus.STUDY


@requirement("E3", "I3")
def test_a_clients_session_serves_nobody_else(api, other_api, admin_api, pool):
    made = own_session(api)
    assert stock.stock().total == 0, "the platform's stock holds keys of the platform's own sessions"
    with pytest.raises(StockEmpty):
        messages.encrypt(b"x", actor=other_api.actor)
    with pytest.raises(SessionNotFound):
        messages.encrypt(b"x", actor=other_api.actor, session_id=made)
    with pytest.raises(SessionUnusable, match="its owner alone"):
        messages.encrypt(b"x", actor=admin_api.actor, session_id=made)
    with pytest.raises(SessionUnusable, match="None of your sessions"):
        messages.encrypt(b"x", actor=other_api.actor, stock=StockChoice.OWN)
    package = messages.encrypt(b"x", actor=api.actor, session_id=made)
    assert package.header.quantum_key_id.startswith(made)
    package = messages.encrypt(b"x", actor=api.actor, stock=StockChoice.OWN)
    assert package.header.quantum_key_id.startswith(made)
    assert api.get("qkd/stock").status_code == 403 or api.get("qkd/stock").json()["own"] == 2


@requirement("C1", "I3")
@pytest.mark.parametrize("how", ["upload", "version", "client-side"])
def test_an_upload_can_ask_for_a_key_of_its_own_sessions(api, stock, how: str):
    with_the_clients_key = {"name": "x", "stock": "own"}
    if how == "client-side":
        assert api.post("local-files", with_the_clients_key).status_code == 409
        made = own_session(api)
        answer = api.post("local-files", with_the_clients_key)
        assert answer.json()["secret"]["file"]["quantum_key_id"].startswith(made)
        return
    first = registered(api, stock="own" if how == "upload" else "platform")
    file_id = first.file_id
    if how == "upload":
        with pytest.raises(ExceptionGroup):
            handler(first.event, None)
        assert not first.is_gone, "it waits for a session of its owner"
    made = own_session(api)
    deliver(first.event)
    if how == "version":
        assert not record_of(file_id).quantum_key_id.startswith(made)
        answer = api.post(f"files/{file_id}/versions", {"stock": "own"})
        deliver(put(UPLOADS_PREFIX + answer.json()["file"]["file_id"], b"newer").event)
    assert record_of(file_id).quantum_key_id.startswith(made)
    assert api.get(f"files/{file_id}/content").status_code == 200


@requirement("C5", "I3")
def test_whoever_finds_the_stock_empty_the_platform_fills_it(api, pool):
    assert api.post("encrypt", {"plaintext": "x"}).status_code == 503
    (waiting,) = rows(SessionTable.Meta.table_name)
    assert waiting["owner"]["S"] == str(stock.REFILLER)
    detections.judge(waiting["session_id"]["S"], actor=TESTS)
    assert api.post("encrypt", {"plaintext": "x"}).status_code == 200


@requirement("I11")
def test_a_clients_sessions_neither_hide_nor_judge_the_platforms(api, pool):
    for _ in range(stock.RECENT_SESSIONS + 1):
        services.generate(GenerateRequest(key_length=64, error_rate=0.01), actor=api.actor)
    assert stock.stock().pending == 0
    coming = stock.refill()
    assert coming >= stock.QUICK_BITS // 256
    assert stock.stock().pending == coming
    with pytest.raises(Invalid):
        services.generate(GenerateRequest(link=links.STOCK), actor=api.actor)


@requirement("E1", "I8")
def test_one_of_session_and_stock_is_named(api):
    answer = api.post("encrypt", {"plaintext": "x", "session_id": "s", "stock": "own"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "stock")


@requirement("A9", "I8", "I9")
@pytest.mark.parametrize("path", ["qkd/generate", "qkd/batches"])
def test_a_link_that_does_not_serve_the_caller_is_refused_and_others_are_named(api, other_api, path: str):
    a_link("vienna", str(api.actor))
    a_link("geneva", str(other_api.actor))
    asked = {"key_length": 64, "error_rate": 0.01} | ({"count": 1} if path.endswith("batches") else {})
    for link in ("geneva", "nowhere", "stock"):
        answer = api.post(path, asked | {"link": link})
        assert answer.status_code == 400
        assert answer.json()["errors"] == [
            {
                "field": "link",
                "message": f"There is no link {link!r} that you may use. Use default, vienna.",
            }
        ]
    assert rows(SessionTable.Meta.table_name) == []
    for link in ("vienna", "default"):
        assert api.post(path, asked | {"link": link}).status_code in {201, 202}


@requirement("E3")
def test_a_link_serves_the_groups_that_it_names_and_their_jobs(api, other_api, monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into(sent))
    group = principals.make_group("a group", actor=TESTS)
    principals.change(str(api.actor), groups=[group.principal_id], actor=TESTS)
    a_link("shared", group.principal_id)
    asked = {"key_length": 64, "error_rate": 0.01, "link": "shared", "count": 1}
    assert other_api.post("qkd/batches", asked).status_code == 400
    assert api.post("qkd/batches", asked).status_code == 202
    tasks.generate_batch(*sent)
    assert [session.link for session in services.listed(actor=TESTS, limit=5).records] == ["shared"]


# -- what stands under a pool key ------------------------------------------------------------------------------


@requirement("C6", "I5")
def test_messages_are_found_by_the_pool_key_that_they_are_sealed_to(api, stock):
    sealed = [api.post("encrypt", {"plaintext": "x"}).json()["package"]["envelope"] for _ in range(5)]
    by_key: dict[str, set[str]] = {}
    for envelope in sealed:
        by_key.setdefault(envelope["pool_key_id"], set()).add(envelope["header"]["file_id"])
    for key_id, subjects in by_key.items():
        assert sealed_messages.count_messages_sealed_by(key_id) == len(subjects)
        found = sealed_messages.messages_sealed_by(key_id, limit=10).records
        assert {key.subject for key in found} == subjects
    assert sealed_messages.count_messages_sealed_by("another") == 0


@requirement("C6")
@pytest.mark.parametrize(("purpose", "sealed_by"), [("message", None), ("file", "k")])
def test_only_a_message_names_its_pool_key_and_always_does(stock, purpose: str, sealed_by: str | None):
    with pytest.raises(ValueError, match="names the pool key"), audit.transaction(TESTS) as tx:
        committing.take(tx, offering.offer(), purpose=KeyPurpose(purpose), subject="x", sealed_by=sealed_by)


@requirement("C9")
@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_quantum_key_has_exactly_32_bytes(stock, length: int):
    offered = offering.offer()
    assert len(offered.key) == 32
    with pytest.raises(ValueError, match="32 bytes"):
        replace(offered, key=bytes(length))


@requirement("I10")
def test_what_the_main_job_writes_agrees_with_the_trail(api, stock):
    api.post("encrypt", {"plaintext": "x"})
    for _ in range(2):
        with injected(Fault.REFUSED, operation="TransactWriteItems"):
            api.post("encrypt", {"plaintext": "x"})  # its number is lost, until the last one is taken
    while api.post("encrypt", {"plaintext": "x"}).status_code == 200:
        pass
    own = own_session(api)
    transitions.revoke(own, reason="x", actor=TESTS)
    ours = ("sessions/", "final-keys/", "quantum-keys/", "detections/", "jobs/", "links/")
    assert [
        str(one)
        for one in verification.verify(verification.Depth.RECORDS).row_problems
        if one.row.startswith(ours)
    ] == []
