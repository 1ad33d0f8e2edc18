"""Data keys, batches of messages, contexts as pairs, and messages moved to another key (C13, C14)."""

import base64
import json
import time
from typing import Any

import pytest

from apps.keys import pools
from apps.keys import services as keys
from apps.keys.records import KeyState
from apps.sessions import sealed_messages
from apps.sessions.store import QuantumKeyTable
from qkdseal.contexts import canonical_context
from tests import requirement
from tests.conftest import TESTS, Api
from tests.faults import counted
from tests.keys.rewriting import rewritten

PAIRS = {"tenant": "acme", "name": "Grüße 🔑"}


def batch(api: Api, count: int, **more) -> list[dict[str, Any]]:
    answer = api.post(
        "encrypt/batch", {"messages": [{"plaintext": f"message {n}"} for n in range(count)], **more}
    )
    assert answer.status_code == 200, answer.content
    assert answer.json()["failed"] == 0
    return list(answer.json()["items"])


def opened(api: Api, items: list[dict[str, Any]], **more) -> list[str | None]:
    answer = api.post("decrypt/batch", {"packages": [{"package": item["package"], **more} for item in items]})
    assert answer.status_code == 200, answer.content
    return [item.get("plaintext") for item in answer.json()["items"]]


def kind(problem: dict[str, Any]) -> str:
    return str(problem["type"].rpartition("/")[2])


@requirement("C14", "I3")
def test_a_batch_takes_one_quantum_key_and_ten_calls_at_most(api: Api, stock):
    with counted() as calls:
        items = batch(api, 1000)
    assert len(calls) <= 10, calls
    assert len(list(QuantumKeyTable.scan())) == 1
    with counted() as calls:
        assert opened(api, items) == [f"message {n}" for n in range(1000)]
    assert len(calls) <= 10, calls
    assert api.post("decrypt", items[7]).json()["plaintext"] == "message 7", "each opens alone"


@requirement("C14", "G6")
def test_unrelated_messages_cost_what_is_stated(api: Api, stock):
    items = [api.post("encrypt", {"plaintext": f"{n}"}).json() for n in range(5)]
    opened(api, items)
    with counted() as calls:
        assert opened(api, items) == ["0", "1", "2", "3", "4"]
    assert sorted(calls) == ["BatchGetItem", "GetItem", "TransactWriteItems"]


@requirement("C14", "I8")
def test_what_fails_is_told_in_its_place(api: Api, other_api: Api, stock):
    sent = [
        {"plaintext": "a"},
        {"plaintext_base64": "!"},
        {},
        {"plaintext": "b", "colour": 1},
        {"plaintext": "c"},
    ]
    answer = api.post("encrypt/batch", {"messages": sent}).json()
    assert answer["failed"] == 3
    assert ["package" in item for item in answer["items"]] == [True, False, False, False, True]
    assert answer["items"][1]["error"]["errors"][0]["field"] == "plaintext_base64"
    mine, foreign = answer["items"][0], other_api.post("encrypt", {"plaintext": "theirs"}).json()
    damaged = json.loads(json.dumps(mine))
    damaged["package"]["body"] = base64.b64encode(b"x" * 64).decode()
    packages = [mine, foreign, damaged, {"package": {}}, mine | {"context": "x"}]
    items = api.post("decrypt/batch", {"packages": packages}).json()["items"]
    assert items[0]["plaintext"] == "a"
    assert len({json.dumps(item) for item in items[1:]}) == 1, "another's looks like a damaged one"
    assert kind(items[1]["error"]) == "invalid-input"


@requirement("C14", "D1")
def test_each_read_has_its_entry_before_and_each_failure_after(admin_api: Api, api: Api, stock):
    items = batch(api, 3)
    broken = {"package": items[2]["package"] | {"body": base64.b64encode(b"x" * 64).decode()}}
    opened(api, [items[0], items[1], broken])
    entries = admin_api.get(f"audit?actor={api.actor}").json()["items"]
    read = [
        (entry["outcome"], entry["detail"]["messages"])
        for entry in entries
        if entry["event"] == "message.read"
    ]
    assert read == [("failed", 1), ("ok", 3)]


@requirement("C14", "I8")
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("encrypt/batch", {}, "messages"),
        ("encrypt/batch", {"messages": []}, "messages"),
        ("encrypt/batch", {"messages": [{"plaintext": "x"}] * 1001}, "messages"),
        ("encrypt/batch", {"messages": ["x"]}, "messages.0"),
        ("decrypt/batch", {"packages": [{}]}, "packages.0.package"),
        ("decrypt/batch", {"packages": [{"package": {}}] * 1001}, "packages"),
        ("rewrap", {}, "package"),
        ("rewrap/batch", {"packages": [{}] * 101}, "packages"),
        ("data-keys", {"plaintext": "x"}, "plaintext"),
        ("encrypt", {"plaintext": "x", "context": {"a": 1}}, "context"),
        ("encrypt", {"plaintext": "x", "context": {"": "a"}}, "context"),
        ("encrypt", {"plaintext": "x", "context": {f"{n}": "a" for n in range(65)}}, "context"),
        ("encrypt", {"plaintext": "x", "context": {"a": "x" * 4096}}, "context"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_input_is_told_by_field(api: Api, stock, path, body, field):
    answer = api.post(path, body)
    assert answer.status_code == 400, answer.content
    assert any(error["field"].startswith(field) for error in answer.json()["errors"]), answer.json()


@requirement("C14")
def test_a_data_key_is_what_its_package_opens_to(api: Api, other_api: Api, stock):
    answer = api.post("data-keys", {"context": PAIRS})
    assert answer.status_code == 201
    made = answer.json()
    assert len(base64.b64decode(made["plaintext_base64"])) == 32
    bound = {"package": made["package"], "context": PAIRS}
    assert api.post("decrypt", bound).json()["plaintext_base64"] == made["plaintext_base64"]
    assert other_api.post("decrypt", bound).status_code == 400
    hidden = api.post("data-keys/without-plaintext", {}).json()
    assert hidden.keys() == {"package"}
    assert len(base64.b64decode(api.post("decrypt", hidden).json()["plaintext_base64"])) == 32


@requirement("C14", "E9", "I2")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("data-keys", {"context": PAIRS, "passphrase": "correct horse"}),
        ("data-keys/without-plaintext", {}),
        ("encrypt/batch", {"messages": [{"plaintext": "a"}, {}, {"plaintext": "b"}], "context": "x"}),
    ],
)
def test_a_retry_gets_the_same_again_and_spends_nothing(api: Api, stock, path, body):
    first, again = (api.call("POST", path, body, IDEMPOTENCY_KEY="k") for _ in range(2))
    assert again["Idempotency-Replayed"] == "true"
    assert len(list(QuantumKeyTable.scan())) == 1
    if path == "encrypt/batch":
        for answer in (first, again):
            items = answer.json()["items"]
            assert opened(api, [items[0], items[2]], context="x") == ["a", "b"]
    else:
        assert again.json() == first.json()


@requirement("C14")
def test_a_context_of_pairs_has_one_form_whatever_the_order(api: Api, stock):
    sealed = api.post("encrypt", {"plaintext": "x", "context": PAIRS}).json()
    for same in (PAIRS, dict(reversed(PAIRS.items())), canonical_context(PAIRS)):
        assert api.post("decrypt", sealed | {"context": same}).status_code == 200
    for other in ({"tenant": "acme"}, PAIRS | {"name": "Gru\u0308\u00dfe 🔑"}, "acme"):
        assert api.post("decrypt", sealed | {"context": other}).status_code == 400
    assert canonical_context(PAIRS) == '{"name":"Gr\\u00fc\\u00dfe \\ud83d\\udd11","tenant":"acme"}'


@requirement("C13")
def test_a_message_is_sealed_to_the_named_key(api: Api, stock):
    pools.make("invoices", actor=TESTS, target=2, users=(str(api.actor),))
    keys.refill(actor=TESTS)
    named: list[tuple[str, dict[str, Any]]] = [
        ("encrypt", {"plaintext": "x"}),
        ("data-keys", {}),
        ("encrypt/batch", {"messages": [{"plaintext": "x"}]}),
    ]
    for path, body in named:
        answer = api.post(path, body | {"key": "invoices"}).json()
        package = (answer["items"][0] if "items" in answer else answer)["package"]
        assert keys.find(package["envelope"]["pool_key_id"]).pool == "invoices"
    assert api.post("encrypt", {"plaintext": "x", "key": "none"}).status_code == 404


@pytest.fixture
def operator(aws):
    from apps.access.roles import Role

    return Api(Role.OPERATOR)


@requirement("C14", "I5")
@pytest.mark.parametrize("state", [KeyState.REVOKED, KeyState.SUSPENDED, KeyState.ROTATION_QUEUED])
def test_a_message_is_moved_from_a_key_that_ends_without_its_plaintext(api: Api, operator: Api, stock, state):
    body = {"plaintext": "kept", "context": PAIRS, "passphrase": "correct horse"}
    sealed = api.post("encrypt", body).json()
    old = keys.find(sealed["package"]["envelope"]["pool_key_id"])
    rewritten(old, state=state)
    keys._picked.clear()
    moved = operator.post("rewrap", {"package": sealed["package"]})
    assert moved.status_code == 200, moved.content
    new = moved.json()["package"]["envelope"]["pool_key_id"]
    assert new != old.key_id
    assert moved.json()["package"]["body"] == sealed["package"]["body"]
    answer = api.post("decrypt", moved.json() | {name: body[name] for name in ("context", "passphrase")})
    assert answer.json()["plaintext"] == "kept"
    assert sealed_messages.count_messages_sealed_by(old.key_id) == 0
    assert sealed_messages.count_messages_sealed_by(new) == 1


@requirement("C14", "I5")
def test_a_message_of_a_batch_moves_and_the_others_still_need_the_old_key(api: Api, stock):
    items = batch(api, 3)
    old = keys.find(items[0]["package"]["envelope"]["pool_key_id"])
    rewritten(old, state=KeyState.ROTATION_QUEUED)
    keys._picked.clear()
    moved = api.post("rewrap/batch", {"packages": [items[0]["package"], {}, items[1]["package"]]}).json()
    assert moved["failed"] == 1
    new = moved["items"][0]["package"]["envelope"]["pool_key_id"]
    assert opened(api, [moved["items"][0], moved["items"][2], items[2]]) == [
        "message 0",
        "message 1",
        "message 2",
    ]
    assert sealed_messages.count_messages_sealed_by(old.key_id) == 1, "the batch, whose third message stayed"
    assert sealed_messages.count_messages_sealed_by(new) == 2
    again = api.post("rewrap", {"package": moved["items"][0]["package"]}).json()
    assert again["package"] == moved["items"][0]["package"], "it is where it belongs"


@requirement("C14", "I9")
def test_anothers_message_is_moved_by_nobody_who_does_not_see_it(api: Api, other_api: Api, stock):
    sealed = api.post("encrypt", {"plaintext": "x"}).json()
    damaged = {"package": sealed["package"] | {"body": ""}}
    answers = [other_api.post("rewrap", one).json() for one in (sealed, damaged)]
    assert answers[0] == answers[1]
    compatible = api.post("encrypt", {"plaintext": "x", "suite": "pqfile-mlkem768-sha256"}).json()
    assert api.post("rewrap", compatible).status_code == 400


@requirement("C14", "H1")
def test_a_thousand_messages_take_seconds(api: Api, stock):
    started = time.process_time()  # the machine may have anything else to do
    batch(api, 1000)
    assert time.process_time() - started < 60
