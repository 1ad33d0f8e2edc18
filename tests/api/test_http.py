"""HTTP as it is meant: media types, encodings, repeated names, cursors, request ids, origins (E2, E4, E9, I8)."""

import gzip
import logging
import re

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from apps.audit.services import entries_page
from apps.common.tracing import WithIds
from tests import requirement
from tests.conftest import Api
from tests.uploads import deliver, registered

ORIGIN = "https://app.example.com"


def field_of(answer) -> str:
    assert answer.status_code == 400, answer.content
    return str(answer.json()["errors"][0]["field"])


@requirement("E2")
@pytest.mark.parametrize(
    "accept", ["application/octet-stream", "text/plain", "*/*", "text/*;q=0.1, image/png"]
)
def test_content_is_answered_in_whatever_type_the_file_has(api: Api, stock, accept):
    upload = registered(api, b"bytes", media_type="text/plain")
    deliver(upload.event)
    answer = api.call("GET", f"files/{upload.file_id}/content", ACCEPT=accept)
    assert (answer.status_code, answer.content) == (200, b"bytes")


@requirement("E2", "I8")
@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/problem+json", 200),
        ("application/json;q=0.5", 200),
        ("application/*", 200),
        ("text/html, */*;q=0.1", 200),
        ("text/html", 406),
        ("application/json;q=0", 406),
    ],
)
def test_what_is_accepted_decides_about_the_answer(api: Api, accept, status):
    assert api.call("GET", "files", ACCEPT=accept).status_code == status


@requirement("I8", "E2")
def test_an_encoded_body_is_refused_with_what_to_send(api: Api):
    answer = api.call("POST", "files", gzip.compress(b'{"name": "a"}'), CONTENT_ENCODING="gzip")
    assert (answer.status_code, answer["Accept-Encoding"]) == (415, "identity")
    assert "Content-Encoding" in answer.json()["detail"]


@requirement("I8", "E2")
def test_a_name_is_given_once(api: Api):
    assert api.post("files", '{"name": "a", "name": "b"}').status_code == 400
    assert field_of(api.get("files?limit=1&limit=2")) == "limit"
    assert field_of(api.get("files?document_type=a&document_type=b")) == "document_type"


@requirement("I8", "E1")
@pytest.mark.parametrize("limit", ["٣", "\uff13", "+3", "3.0", " 3", "1e1", "0x3", "3_0"])
def test_a_limit_is_a_number_in_ascii(api: Api, limit):
    assert (
        field_of(api.call("GET", f"files?limit={limit}".replace("+", "%2B").replace(" ", "%20"))) == "limit"
    )


@requirement("I6", "I8")
def test_a_cursor_belongs_to_one_list_of_one_caller(admin_api: Api, api: Api):
    for _ in range(3):
        admin_api.post("files", {"name": "x", "document_type": "a"})
        api.post("files", {"name": "x"})
    cursor = admin_api.get("files?limit=1").json()["next"]
    assert admin_api.get(f"files?limit=2&cursor={cursor}").status_code == 200, "another size, the same list"
    assert field_of(admin_api.get(f"files?document_type=a&cursor={cursor}")) == "cursor"
    assert field_of(api.get(f"files?cursor={cursor}")) == "cursor"


@requirement("I8", "D1")
@pytest.mark.django_db
def test_every_answer_has_an_id(api: Api):
    answers = [api.get("files"), api.get("files?limit=0"), api.get("nothing"), Client().get("/admin/login/")]
    assert len({answer["X-Request-Id"] for answer in answers}) == 4


@requirement("I8", "D1")
def test_a_caller_does_not_choose_the_id_that_the_trail_names_its_request_by(api: Api):
    one, other = (api.call("POST", "files", {"name": "x"}, X_REQUEST_ID="mine-1") for _ in range(2))
    given = {answer["X-Request-Id"] for answer in (one, other)}
    assert len(given) == 2
    assert all(re.fullmatch(r"[0-9a-f-]{36}", request_id) for request_id in given)
    told = {entry.detail.get("request_id") for entry in entries_page(limit=10).records}
    assert given <= told
    assert "mine-1" not in told


@requirement("I8")
def test_what_is_logged_during_a_request_names_it(api: Api, monkeypatch, caplog):
    caplog.handler.addFilter(WithIds())

    def broken(**_):
        raise RuntimeError("why")

    monkeypatch.setattr("apps.files.listing.list_files", broken)
    with caplog.at_level(logging.ERROR):
        answer = api.get("files")
    assert {record.request_id for record in caplog.records if record.levelno >= logging.ERROR} == {
        answer["X-Request-Id"]
    }


@requirement("E4")
@pytest.mark.parametrize("origin", [ORIGIN, "https://evil.example", "null"])
def test_only_pages_of_named_origins_may_call(api: Api, settings, origin):
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    asked = Client().options(
        "/api/v1/encrypt",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-api-key,idempotency-key",
        },
    )
    answers = [
        asked,
        api.call("GET", "files", ORIGIN=origin),
        api.call("GET", "files?limit=0", ORIGIN=origin),
    ]
    allowed = ORIGIN if origin == ORIGIN else None
    assert [answer.headers.get("Access-Control-Allow-Origin") for answer in answers] == [allowed] * 3
    if allowed:
        assert "idempotency-key" in asked["Access-Control-Allow-Headers"]
        assert "Retry-After" in answers[1]["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answers[1]


@requirement("E4")
def test_without_a_setting_no_page_may_call_and_never_the_console(api: Api, settings):
    assert settings.CORS_ALLOWED_ORIGINS == []
    assert "Access-Control-Allow-Origin" not in api.call("GET", "files", ORIGIN=ORIGIN)
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    assert "Access-Control-Allow-Origin" not in Client().get("/admin/login/", headers={"Origin": ORIGIN})


@requirement("E9")
def test_options_say_what_an_address_can(api: Api):
    answer = Client().options("/api/v1/files")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["Allow"] == "GET, HEAD, OPTIONS, POST"


@requirement("E2")
def test_the_schema_says_when_to_try_again():
    document = SchemaGenerator().get_schema(request=None, public=True)
    answers = [
        operation["responses"]["503"]
        for methods in document["paths"].values()
        for operation in methods.values()
        if operation["operationId"] != "readiness"  # says which dependency, not when
    ]
    assert all("Retry-After" in answer.get("headers", {}) for answer in answers)
