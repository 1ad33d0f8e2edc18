"""Bad input over every endpoint: a problem document that names the field, never a 500, never internals (I8, E2)."""

import json
import re
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import get_resolver

from apps.access.roles import Role
from tests import requirement
from tests.conftest import Api, empty_aws

UNKNOWN = "0" * 36
MANY_DIGITS = 10**400
DEEP = "[" * 100_000
INTERNALS = re.compile(r"Traceback|File \"|\.py|boto|pynamodb|dynamo|django|arn:|line \d+ in", re.IGNORECASE)
PROBLEM = "http://127.0.0.1:8000/api/problems/"


@pytest.fixture(scope="module", autouse=True)
def aws():
    """One AWS for all of this module: nothing here may change anything that another test sees."""
    with empty_aws():
        yield


@pytest.fixture(scope="module")
def api(aws):
    return Api(Role.CLIENT)


@pytest.fixture(scope="module")
def admin_api(aws):
    return Api(Role.ADMINISTRATOR)


BODIES = ["qkd/generate", "qkd/batches", "files", "encrypt", "decrypt"]
LISTS = [
    "qkd/sessions",
    "detections",
    "cases",
    "alerts",
    "keys",
    "files",
    "jobs",
    "audit",
    "rotations",
    "approvals",
]
DETAILS = [
    "qkd/session/{}",
    "detections/{}",
    "cases/{}",
    "keys/{}",
    "files/{}",
    "files/{}/content",
    "jobs/{}",
    "rotations/{}",
    "approvals/{}",
]


def problem(answer, status, kind):
    """The document of an error, checked for what every one of them promises."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == PROBLEM + kind
    assert document["status"] == status
    assert document["title"]
    assert not INTERNALS.search(document["detail"]), document["detail"]
    return document


def fields(document):
    return {error["field"] for error in document.get("errors", [])}


GENERATE = [
    ({"key_length": 63}, "key_length"),
    ({"key_length": 1_048_577}, "key_length"),
    ({"key_length": -1}, "key_length"),
    ({"key_length": "256"}, "key_length"),
    ({"key_length": 256.0}, "key_length"),
    ({"key_length": True}, "key_length"),
    ({"key_length": None}, "key_length"),
    ({"key_length": [256]}, "key_length"),
    ({"key_length": MANY_DIGITS}, "key_length"),
    ({"error_rate": -0.01}, "error_rate"),
    ({"error_rate": 0.51}, "error_rate"),
    ({"error_rate": "0.02"}, "error_rate"),
    ({"error_rate": True}, "error_rate"),
    ({"error_rate": {}}, "error_rate"),
    ({"error_rate": MANY_DIGITS}, "error_rate"),
    ({"error_rate": 0.02, "channel": "lab"}, "channel"),
    ({"channel": "carrier pigeon"}, "channel"),
    ({"channel": None}, "channel"),
    ({"channel": 5}, "channel"),
    ({"channel": []}, "channel"),
    ({"channel": {"distance_km": -1}}, "channel.distance_km"),
    ({"channel": {"distance_km": "50"}}, "channel.distance_km"),
    ({"channel": {"colour": "red"}}, "channel.colour"),
    ({"channel": {"misalignment": 0.6}}, "channel.misalignment"),
    ({"channel": {"detector_efficiency": 0}}, "channel"),
    ({"channel": {"rectilinear_probability": 1}}, "channel.rectilinear_probability"),
    ({"eavesdropper": {"kind": "intercept_resend", "fraction": 1.01}}, "eavesdropper.fraction"),
    ({"eavesdropper": {"kind": "intercept_resend", "fraction": "all"}}, "eavesdropper.fraction"),
    ({"eavesdropper": {"kind": "none", "fraction": 0.5}}, "eavesdropper"),
    ({"eavesdropper": {"kind": "mallory"}}, "eavesdropper.kind"),
    ({"eavesdropper": {"kind": ["none"]}}, "eavesdropper.kind"),
    ({"eavesdropper": {"kind": "noise+mallory"}}, "eavesdropper.kind"),
    ({"eavesdropper": {"kind": "noise:0.1+"}}, "eavesdropper.kind"),
    ({"eavesdropper": {"kind": "noise:1.2.3+beam_splitting"}}, "eavesdropper"),
    ({"eavesdropper": {"kind": "noise:0.1+noise:0.1"}}, "eavesdropper"),
    ({"eavesdropper": {"kind": "noise:0.1+beam_splitting", "fraction": 0.5}}, "eavesdropper"),
    ({"eavesdropper": {"kind": "intercept_resend:0.6+breidbart:0.6"}}, "eavesdropper"),
    ({"eavesdropper": {"kind": "+".join(["noise"] * 100)}}, "eavesdropper.kind"),
    ({"eavesdropper": "none"}, "eavesdropper"),
    ({"link": ""}, "link"),
    ({"link": 5}, "link"),
    ({"link": "a/b"}, "link"),
    ({"link": "x" * 65}, "link"),
    ({"seed": 1}, "seed"),
    ({"key_length": 256, "ключ": 1}, "ключ"),
]


@requirement("I8", "E2", "A5", "A6")
@pytest.mark.parametrize(("body", "field"), GENERATE, ids=lambda value: str(value)[:60])
def test_a_session_is_not_run_on_bad_input(api, body, field):
    assert field in fields(problem(api.post("qkd/generate", body), 400, "invalid-input"))


@requirement("I8", "E2", "C6")
@pytest.mark.parametrize("count", [0, 1001, "5", 1.5, None, True])
def test_a_batch_is_not_queued_with_a_bad_count(api, count):
    assert fields(problem(api.post("qkd/batches", {"count": count}), 400, "invalid-input")) == {"count"}
    assert api.get("jobs").json()["items"] == []


FILE = {"name": "a.txt"}
FILES = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": None}, "name"),
    ({"name": 5}, "name"),
    ({"name": ["a"]}, "name"),
    ({"name": "a\r\nSet-Cookie: x"}, "name"),
    ({"name": "a\u0000b"}, "name"),
    ({"name": "ü" * 513}, "name"),
    (FILE | {"document_type": "../x"}, "document_type"),
    (FILE | {"document_type": 5}, "document_type"),
    (FILE | {"document_type": ""}, "document_type"),
    (FILE | {"media_type": "text"}, "media_type"),
    (FILE | {"media_type": "text/html\r\nX: y"}, "media_type"),
    (FILE | {"media_type": 5}, "media_type"),
    (FILE | {"owner": "client:other"}, "owner"),
    (FILE | {"status": "encrypted"}, "status"),
    (FILE | {"attributes": []}, "attributes"),
    (FILE | {"attributes": None}, "attributes"),
    (FILE | {"attributes": {f"a{n}": n for n in range(33)}}, "attributes"),
    (FILE | {"attributes": {"a": "x" * 257}}, "attributes.a"),
    (FILE | {"attributes": {"a": {"b": 1}}}, "attributes.a"),
    (FILE | {"attributes": {"a": None}}, "attributes.a"),
    (FILE | {"attributes": {"a": 2**53}}, "attributes.a"),
    (FILE | {"attributes": {"a": MANY_DIGITS}}, "attributes.a"),
    (FILE | {"attributes": {"1a": "x"}}, "attributes.1a"),
    (FILE | {"attributes": {"a\n": "x"}}, "attributes.a\n"),
    (FILE | {"attributes": {"": "x"}}, "attributes."),
]


@requirement("I8", "E2", "E6")
@pytest.mark.parametrize(("body", "field"), FILES, ids=lambda value: str(value)[:60])
def test_a_file_is_not_announced_on_bad_input(api, body, field):
    before = api.get("files").json()["items"]
    assert field in fields(problem(api.post("files", body), 400, "invalid-input"))
    assert api.get("files").json()["items"] == before


MESSAGES = [
    ({}, "plaintext"),
    ({"plaintext": None}, "plaintext"),
    ({"plaintext": 5}, "plaintext"),
    ({"plaintext": "a", "plaintext_base64": "YQ=="}, "plaintext"),
    ({"plaintext_base64": "not base64!"}, "plaintext_base64"),
    ({"plaintext_base64": "YQ"}, "plaintext_base64"),
    ({"plaintext": "a", "passphrase": "short"}, "passphrase"),
    ({"plaintext": "a", "passphrase": "x" * 1025}, "passphrase"),
    ({"plaintext": "a", "passphrase": None}, "passphrase"),
    ({"plaintext": "a", "context": "x" * 4097}, "context"),
    ({"plaintext": "a", "context": {}}, "context"),
    ({"plaintext": "a", "session_id": "x" * 65}, "session_id"),
    ({"plaintext": "a", "session_id": ""}, "session_id"),
    ({"plaintext": "a", "pool_key_id": "mine"}, "pool_key_id"),
    ({"plaintext": "x" * (2**20 + 1)}, "plaintext"),
]


@requirement("I8", "E2", "C11")
@pytest.mark.parametrize(("body", "field"), MESSAGES, ids=lambda value: str(value)[:60])
def test_a_message_is_not_encrypted_on_bad_input(api, body, field):
    assert field in fields(problem(api.post("encrypt", body), 400, "invalid-input"))


@requirement("I8", "E2", "C11")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "package"),
        ({"package": None}, "package"),
        ({"package": "x"}, "package"),
        ({"package": []}, "package"),
        ({"package": {}}, "package"),
        ({"package": {"envelope": {}, "body": ""}}, "package"),
        ({"package": {"envelope": [], "body": 5}}, "package"),
        ({"package": {}, "passphrase": ""}, "passphrase"),
        ({"package": {}, "key": "x"}, "key"),
    ],
    ids=str,
)
def test_a_package_is_not_opened_on_bad_input(api, body, field):
    assert field in fields(problem(api.post("decrypt", body), 400, "invalid-input"))


@requirement("I8", "E2")
@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "body",
    [
        "null", "5", '"text"', "[]", "true", "{", "{'a': 1}", '{"a": NaN}', '{"a": Infinity}', b"\xff\xfe{}",
        b"\xef\xbb\xbf{}", DEEP, '{"a":' * 50_000, '{"\\ud800": 1}', '{"a": "\\udc00"}', "1" * 5000, "\x00",
    ],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_refused(api, path, body):
    problem(api.post(path, body), 400, "invalid-input")


@requirement("I8", "E2")
@pytest.mark.parametrize("path", ["files", "encrypt", "decrypt", "qkd/batches"])
def test_an_empty_body_lacks_what_is_needed(api, path):
    assert fields(problem(api.post(path, b""), 400, "invalid-input"))


@requirement("I8", "E2")
@pytest.mark.parametrize("path", BODIES)
def test_an_oversized_body_is_refused_before_it_is_read(api, path):
    body = b'"' + b"x" * django_settings.REQUEST_BODY_MAX_BYTES + b'"'
    problem(api.post(path, body), 413, "too-large")


@requirement("I8", "E2")
@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "",
        "application/json; charset=zlib", "application/json; charset=utf-16", "application/json; charset=no-such",
    ],
)  # fmt: skip
def test_only_json_in_utf8_is_read(api, path, content_type):
    answer = Client(raise_request_exception=False).generic(
        "POST", f"/api/v1/{path}", "{}", content_type=content_type, headers={"X-API-Key": api.key}
    )
    problem(answer, 415, "unsupported-media-type")


@requirement("I8")
@pytest.mark.parametrize("length", ["abc", "-1", "1e3", "²"])
def test_a_content_length_that_is_no_number_is_refused(api, length):
    answer = Client(raise_request_exception=False).generic(
        "POST", "/api/v1/encrypt", "{}", content_type="application/json", CONTENT_LENGTH=length
    )
    problem(answer, 400, "invalid-input")


def views():
    """Every address of the API, with an id where it takes one, and its view."""
    found: dict[str, Any] = {
        str(one.pattern): one.callback for one in get_resolver("qkdplatform.api_urls").url_patterns
    }
    return {
        re.sub(r"<[^>]+>", UNKNOWN, name).removeprefix("api/v1/"): callback.cls
        for name, callback in found.items()
        if name.startswith("api/v1/")
    }


def routes():
    return list(views())


@requirement("I8")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        (method, path)
        for method in ("PUT", "PATCH", "TRACE", "CONNECT", "LINK")
        for path, view in views().items()
        if method not in view.required_scopes
    ],
)
def test_a_method_that_an_address_does_not_have_is_refused_with_those_it_has(api, path, method):
    answer = api.call(method, path)
    problem(answer, 405, "method-not-allowed")
    assert answer["Allow"]
    assert method not in answer["Allow"]


@requirement("I8")
@pytest.mark.parametrize("path", LISTS)
def test_what_can_be_got_has_a_head(admin_api, path):
    answer = admin_api.call("HEAD", path)
    assert (answer.status_code, answer.content) == (200, b"")


@requirement("I8")
@pytest.mark.parametrize("path", DETAILS)
@pytest.mark.parametrize(
    "identifier",
    [
        UNKNOWN,
        "a" * 3000,
        "..",
        "%00",
        "%2e%2e%2fetc%2fpasswd",
        "%F0%9F%94%91",
        "%FF",
        "a'b\"<c>",
        "#",
        "%20",
    ],
)
def test_an_unknown_id_is_not_found(admin_api, path, identifier):
    problem(admin_api.get(path.format(identifier)), 404, "not-found")


@requirement("I8")
@pytest.mark.parametrize("path", ["nothing", "files/", "qkd/", "", "files/a/b/c", "../v1/files"])
def test_nothing_at_an_address_is_a_problem_document_too(api, path):
    problem(api.get(path), 404, "not-found")


@requirement("I8", "E1")
@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("limit=-1", "limit"), ("limit=", "limit"),
        ("limit=" + "9" * 500, "limit"), ("cursor=abc", "cursor"), ("cursor=", "cursor"), ("cursor=%00", "cursor"),
        ("cursor=WzEsMl0:1abc:xyz", "cursor"), ("page=2", "page"),
    ],
)  # fmt: skip
def test_a_list_refuses_a_bad_place_or_size(admin_api, path, query, field):
    assert field in fields(problem(admin_api.get(f"{path}?{query}"), 400, "invalid-input"))


@requirement("I8", "I6")
def test_a_cursor_is_good_for_the_list_that_gave_it_only(admin_api):
    for _ in range(2):
        admin_api.post("files", FILE)
    cursor = admin_api.get("files?limit=1").json()["next"]
    assert admin_api.get(f"files?limit=1&cursor={cursor}").status_code == 200
    assert fields(problem(admin_api.get(f"audit?cursor={cursor}"), 400, "invalid-input")) == {"cursor"}
    assert fields(problem(admin_api.get(f"files?cursor={cursor}x"), 400, "invalid-input")) == {"cursor"}


@requirement("I8")
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("qkd/sessions?status=odd", "status"), ("qkd/sessions?link=a/b", "link"), ("detections?verdict=odd", "verdict"),
        ("qkd/sessions?status=ready&link=a", "status"), ("keys?state=odd", "state"), ("files?document_type=/", "document_type"),
        ("audit?actor=a&key=b", "key"), ("audit?actor=" + "a" * 201, "actor"), ("audit?file=", "file"),
    ],
)  # fmt: skip
def test_a_list_refuses_a_bad_filter(admin_api, path, field):
    assert fields(problem(admin_api.get(path), 400, "invalid-input")) == {field}


@requirement("I8")
@pytest.mark.parametrize(
    ("path", "field"),
    [("qkd/sessions?status=ready", "status"), ("qkd/sessions?link=a", "link"), ("detections?verdict=compromised", "verdict")],
)  # fmt: skip
def test_a_filter_that_a_caller_may_not_use_is_refused_rather_than_ignored(api, path, field):
    assert fields(problem(api.get(path), 400, "invalid-input")) == {field}


@requirement("I8")
def test_too_many_parameters_are_refused(api):
    problem(api.get("files?" + "&".join(f"a{n}=1" for n in range(2000))), 400, "invalid-input")


@requirement("I8")
def test_a_foreign_host_name_is_refused_as_a_problem(api):
    problem(api.call("GET", "files", HOST="evil.example"), 400, "invalid-input")


@requirement("I8")
def test_an_answer_in_another_format_is_refused(api):
    problem(api.call("GET", "files", ACCEPT="text/html"), 406, "not-acceptable")


@requirement("I8", "E6")
@pytest.mark.parametrize(
    "name",
    ["..", "a;b|c", "<script>", "%2e%2e", "  ", "naïve résumé.pdf", "🔑" * 100, '"'],
)  # fmt: skip
def test_a_name_with_path_tricks_is_data(api, name):
    made = api.post("files", {"name": name})
    assert made.status_code == 201, made.content
    file = made.json()["file"]
    assert api.get(f"files/{file['file_id']}").json()["name"] == name
    assert made.json()["upload_url"].split("?")[0].endswith(f"/uploads/{file['file_id']}")


@requirement("I8", "E6")
@pytest.mark.parametrize(
    ("name", "character"),
    [("../../etc/passwd", "U+002F"), ("C:\\con", "U+005C"), ("/abs", "U+002F"), ("%2e%2e/", "U+002F")],
)
def test_a_name_with_a_path_separator_is_refused_by_its_character(api, name, character):
    before = api.get("files").json()["items"]
    refused = problem(api.post("files", {"name": name}), 400, "invalid-input")
    assert refused["errors"] == [
        {"field": "name", "message": f"the character {character} is not allowed in a name"}
    ]
    assert api.get("files").json()["items"] == before, "nothing was announced"


@requirement("I8")
def test_an_unexpected_error_is_told_without_its_cause(api, monkeypatch, caplog):
    def broken(**_):
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr("apps.files.listing.list_files", broken)
    answer = api.get("files")
    assert (
        problem(answer, 500, "internal-error")["detail"]
        == "The error was recorded. If it persists, tell the operator."
    )
    assert "the secret is 42" in caplog.text, "the operator finds it in the log"


@requirement("I8")
def test_every_answer_is_sealed(api):
    answer = api.get("files")
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'self'" in answer["Content-Security-Policy"]


def test_the_table_of_routes_is_complete():
    assert {path for path in routes() if UNKNOWN not in path} == {
        "health", "health/ready", "qkd/generate", "qkd/batches", "qkd/sessions", "detections", "keys", "files",
        "local-files", "encrypt", "decrypt", "jobs", "audit", "qkd/stock", "pool/policy", "rotations", "approvals",
        "recovery", "reencryptions", "encrypt/batch", "decrypt/batch", "data-keys", "data-keys/without-plaintext",
        "rewrap", "rewrap/batch", "pools", "cases", "alerts", "alert-tests", "reports", "webhooks", "links", "saes", "audit/verifications", "whoami", "usage", "principals", "services", "groups", "api-keys", "grants",
    }  # fmt: skip
    assert json.dumps(routes())
