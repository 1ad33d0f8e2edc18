"""Messages over the API: what encrypt gave, decrypt opens, for its owner and for nobody else (C4, C9, C11)."""

import base64
import copy

import pytest

from apps.access.roles import Role
from apps.detections import services as detections
from apps.keys import services as keys
from apps.sessions import services as sessions
from tests import requirement
from tests.conftest import TESTS, Api, empty_aws

UNIFORM = "The package is damaged, or not for this context, passphrase or caller."
PASSPHRASE = "correct horse"


@pytest.fixture(scope="module", autouse=True)
def aws():
    """One AWS for all of this module, with enough quantum keys: nothing here changes what another test sees."""
    with empty_aws():
        keys.create(3, actor=TESTS)
        made = sessions.generate(sessions.GenerateRequest(key_length=32_768, error_rate=0.01), actor=TESTS)
        detections.judge(made.session_id, actor=TESTS)
        yield


@pytest.fixture(scope="module")
def api(aws):
    return Api(Role.CLIENT)


@pytest.fixture(scope="module")
def other_api(aws):
    return Api(Role.CLIENT)


@pytest.fixture(scope="module")
def sealed(api):
    """A package that nobody must change."""
    return sealed_by(api)


def sealed_by(api, **fields):
    answer = api.post("encrypt", {"plaintext": "hello"} | fields)
    assert answer.status_code == 200, answer.content
    return answer.json()


def refused(answer):
    assert answer.status_code == 400, answer.content
    assert answer.json()["errors"] == [{"field": "package", "message": UNIFORM}]


@requirement("C11")
@pytest.mark.parametrize(
    "plaintext", ["", "a", "Grüße, 世界 🔑", "\n\t\r", " leading and trailing ", "x" * 2**20]
)
def test_a_text_comes_back_as_it_was(api, plaintext):
    assert api.post("decrypt", sealed_by(api, plaintext=plaintext)).json()["plaintext"] == plaintext


@requirement("C11")
@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff\xfe", bytes(range(256))])
def test_bytes_come_back_as_they_were(api, data):
    sealed = api.post("encrypt", {"plaintext_base64": base64.b64encode(data).decode()}).json()
    opened = api.post("decrypt", sealed).json()
    assert base64.b64decode(opened["plaintext_base64"]) == data


@requirement("C11", "I8")
def test_the_largest_message_that_is_encrypted_can_be_decrypted(api, settings):
    """Its package is larger than itself, and has to fit a body again."""
    largest = settings.REQUEST_BODY_MAX_BYTES // 2
    sealed = sealed_by(api, plaintext="x" * largest)
    assert api.post("decrypt", sealed).status_code == 200
    assert api.post("encrypt", {"plaintext": "x" * (largest + 1)}).status_code == 400


@requirement("C4")
def test_a_passphrase_is_needed_where_one_was_given_and_only_there(api):
    locked, open_ = sealed_by(api, passphrase=PASSPHRASE), sealed_by(api)
    assert api.post("decrypt", locked | {"passphrase": PASSPHRASE}).json()["plaintext"] == "hello"
    refused(api.post("decrypt", locked))
    refused(api.post("decrypt", locked | {"passphrase": PASSPHRASE + "x"}))
    refused(api.post("decrypt", open_ | {"passphrase": PASSPHRASE}))


@requirement("C11", "C9")
def test_a_context_has_to_be_named_again(api):
    bound, unbound = sealed_by(api, context="invoice 7"), sealed_by(api)
    assert api.post("decrypt", bound | {"context": "invoice 7"}).json()["plaintext"] == "hello"
    for wrong in ({}, {"context": "invoice 8"}, {"context": ""}, {"context": "invoice 7 "}):
        refused(api.post("decrypt", bound | wrong))
    refused(api.post("decrypt", unbound | {"context": "invoice 7"}))
    refused(api.post("decrypt", unbound | {"context": ""}))


@requirement("C7", "I9")
def test_another_caller_gets_the_answer_that_a_damaged_package_gets(other_api, sealed):
    refused(other_api.post("decrypt", sealed))


@requirement("E3")
def test_an_administrator_opens_what_a_client_sealed(admin_api, sealed):
    assert admin_api.post("decrypt", sealed).json()["plaintext"] == "hello"


def places(document, path=()):
    """Every place of a JSON document that holds a value."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from places(value, (*path, name))
        else:
            yield (*path, name)


PLACES = [
    ("body",), ("envelope", "sealed"), ("envelope", "pool_key_id"), ("envelope", "pool_suite"),
    ("envelope", "header", "file_id"), ("envelope", "header", "quantum_key_id"), ("envelope", "header", "suite"),
    ("envelope", "header", "body"), ("envelope", "header", "version"),
]  # fmt: skip


def changed(sealed, path, change):
    package = copy.deepcopy(sealed)
    at = package["package"]
    for name in path[:-1]:
        at = at[name]
    change(at, path[-1])
    return package


def path_is_data(at, name):
    """The header names the format of the body by the same name."""
    return name == "sealed" or (name == "body" and "envelope" in at)


def flipped(at, name):
    data = bytearray(base64.b64decode(at[name])) if path_is_data(at, name) else None
    if data is None:
        at[name] = at[name] + 1 if isinstance(at[name], int) else at[name][:-1] + chr(ord(at[name][-1]) ^ 1)
    else:
        data[len(data) // 2] ^= 1
        at[name] = base64.b64encode(data).decode()


CHANGES = {
    "flipped": flipped,
    "cut": lambda at, name: at.update({name: at[name][:-4] if isinstance(at[name], str) else 0}),
    "removed": lambda at, name: at.pop(name),
    "null": lambda at, name: at.update({name: None}),
    "a list": lambda at, name: at.update({name: [at[name]]}),
    "empty": lambda at, name: at.update({name: ""}),
    "a huge number": lambda at, name: at.update({name: 10**300}),
}


def test_every_place_of_a_package_is_tried(sealed):
    assert sorted(places(sealed["package"])) == sorted(PLACES)


@requirement("C9", "I8")
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("path", PLACES, ids=".".join)
def test_a_changed_package_does_not_open(api, sealed, path, change):
    refused(api.post("decrypt", changed(sealed, path, CHANGES[change])))


@requirement("C9", "I8")
@pytest.mark.parametrize("path", [(), ("envelope",), ("envelope", "header")], ids=str)
def test_a_package_with_unknown_fields_does_not_open(api, sealed, path):
    refused(api.post("decrypt", changed(sealed, (*path, "more"), lambda at, name: at.update({name: 1}))))


@requirement("C9")
@pytest.mark.parametrize(
    "path", [path for path in PLACES if len(path) < 3 or path[-1].endswith("id")], ids=".".join
)
def test_a_part_of_another_package_does_not_fit(api, sealed, path):
    other = sealed_by(api)
    value = other["package"]
    for name in path:
        value = value[name]
    same = path[-1] == "pool_suite" or (
        path[-1] == "pool_key_id" and value == sealed["package"]["envelope"][path[-1]]
    )
    if not same:
        refused(api.post("decrypt", changed(sealed, path, lambda at, name: at.update({name: value}))))


@requirement("C9", "C4", "I8")
@pytest.mark.parametrize(
    "factor",
    [
        {"kdf": "pbkdf2-hmac-sha512", "salt": "A" * 22 + "==", "iterations": 10**12},
        {"kdf": "pbkdf2-hmac-sha512", "salt": "A" * 22 + "==", "iterations": 1},
        {"kdf": "pbkdf2-hmac-sha512", "salt": "", "iterations": 300_000},
        {"kdf": "none"},
        {},
        "x",
    ],
    ids=str,
)
def test_a_package_cannot_choose_how_its_passphrase_is_stretched(api, sealed, factor):
    package = changed(
        sealed, ("envelope", "header", "passphrase"), lambda at, name: at.update({name: factor})
    )
    refused(api.post("decrypt", package | {"passphrase": PASSPHRASE}))


@requirement("E1", "I8")
@pytest.mark.parametrize("session_id", ["no such session", "0" * 64])
def test_an_unknown_session_gives_no_key(api, session_id):
    answer = api.post("encrypt", {"plaintext": "x", "session_id": session_id})
    assert (answer.status_code, answer.json()["type"]) == (
        404,
        "http://127.0.0.1:8000/api/problems/not-found",
    )


@requirement("E1", "B5")
def test_a_session_of_ones_own_gives_its_key_once_it_is_ready(api, other_api):
    made = api.post("qkd/generate", {"key_length": 256, "error_rate": 0.01}).json()
    wanted = {"plaintext": "x", "session_id": made["session_id"]}
    pending = api.post("encrypt", wanted)
    assert (pending.status_code, pending.json()["type"]) == (
        409,
        "http://127.0.0.1:8000/api/problems/conflict",
    )
    detections.judge(made["session_id"], actor=TESTS)
    assert other_api.post("encrypt", wanted).status_code == 404
    header = api.post("encrypt", wanted).json()["package"]["envelope"]["header"]
    assert header["quantum_key_id"] == f"{made['session_id']}.0"
    assert api.post("encrypt", wanted).status_code == 409, "it held one key"
