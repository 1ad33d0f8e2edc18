"""The OpenAPI schema is valid and complete, and the API keeps to it under fuzzing (E2, I8)."""

from typing import Any
from urllib.parse import urlsplit

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator

from apps.access.roles import Role
from apps.common import problem_pages
from apps.detections import services as detections
from apps.keys import services as keys
from apps.sessions import services as sessions
from apps.sessions import tasks
from qkdplatform.wsgi import application
from tests import requirement
from tests.conftest import TESTS, Api, empty_aws
from tests.queues import into
from tests.uploads import deliver, registered

# Requests through the WSGI application end old connections of the console's database
pytestmark = pytest.mark.django_db
DOCUMENT: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
PUBLIC = {"GET /api/v1/health", "GET /api/v1/health/ready"}


@requirement("E2")
def test_the_schema_is_valid_openapi():
    validate_schema(DOCUMENT)


@requirement("E2")
def test_the_schema_and_its_page_are_served():
    assert Client().get("/api/schema").status_code == 200
    page = Client().get("/api/docs")
    assert page.status_code == 200
    assert b"http://" not in page.content.replace(b"http://testserver", b"")
    assert b"https://" not in page.content, "nothing is loaded from elsewhere"


@requirement("E2", "E1")
@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
def test_every_operation_is_described(name, operation):
    assert operation["operationId"]
    assert operation["description"]
    assert {"400", "503"} <= operation["responses"].keys()
    good = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    assert good
    assert all(answer["content"] for answer in good)
    assert operation["summary"]
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    scopes = operation["x-required-scopes"]
    secured = [] if name in PUBLIC else [{"ApiKey": scopes}, {"Bearer": scopes}]
    assert [one for one in operation.get("security", []) if one] == secured
    assert bool(scopes) is (name not in PUBLIC)
    errors = {status for status in operation["responses"] if status[0] in "45"}
    assert ("401" in errors) is (name not in PUBLIC)
    assert ("415" in errors) is not name.startswith("GET ")


@requirement("E2")
def test_operations_have_names_of_their_own():
    names = [operation["operationId"] for _, operation in OPERATIONS]
    assert len(set(names)) == len(names)


@requirement("E2", "E9")
def test_it_is_of_openapi_31_and_says_where_it_is_served():
    assert DOCUMENT["openapi"].startswith("3.1")
    assert DOCUMENT["servers"] == [{"url": django_settings.BASE_URL}]
    assert all(tag["description"] for tag in DOCUMENT["tags"])
    for word in ("Start here", "Authentication", "Errors", "Limits", "Paging", "Idempotency-Key", "deprecat"):
        assert word in DOCUMENT["info"]["description"]


@requirement("E2")
def test_what_refuses_unknown_fields_says_so():
    schemas = DOCUMENT["components"]["schemas"]
    inputs = {name: one for name, one in schemas.items() if name.endswith("Request")}
    assert inputs
    assert [name for name, one in inputs.items() if one.get("additionalProperties") is not False] == []
    one = {key: schemas["EncryptInRequest"][key] for key in ("if", "then", "else")}
    for given, valid in ((["plaintext"], True), (["plaintext_base64"], True), ([], False)):
        assert Draft202012Validator(one).is_valid(dict.fromkeys(given, "")) is valid
    assert not Draft202012Validator(one).is_valid({"plaintext": "", "plaintext_base64": ""})
    assert {"KeyState", "SessionStatus", "Role", "PackageSuite"} <= schemas.keys()


@requirement("E2", "E9")
def test_headers_are_declared_where_they_are_sent():
    paths = DOCUMENT["paths"]
    read, change = (paths["/api/v1/principals/{principal_id}"][method] for method in ("get", "patch"))
    assert {"ETag", "X-Request-Id", "RateLimit", "RateLimit-Policy"} <= read["responses"]["200"][
        "headers"
    ].keys()
    assert "304" in read["responses"]
    assert "412" in change["responses"]
    assert "If-None-Match" in {one["name"] for one in read["parameters"]}
    assert "If-Match" in {one["name"] for one in change["parameters"]}
    for name, operation in OPERATIONS:
        for status, answer in operation["responses"].items():
            assert "X-Request-Id" in answer["headers"], (name, status)
            waits = status in {"429", "503"} and operation["operationId"] != "readiness"
            assert ("Retry-After" in answer["headers"]) is waits, (name, status)
            for header in answer["headers"].values():
                assert header["$ref"].rpartition("/")[2] in DOCUMENT["components"]["headers"]


EXAMPLES = [
    (path.removeprefix("/api/v1/"), example)
    for path, methods in DOCUMENT["paths"].items()
    if "{" not in path and "post" in methods and "requestBody" in methods["post"]
    for content in [methods["post"]["requestBody"]["content"]["application/json"]["schema"]]
    for example in DOCUMENT["components"]["schemas"][content["$ref"].rpartition("/")[2]].get("examples", [])
]


@requirement("E2", "H2")
@pytest.mark.parametrize(("path", "example"), EXAMPLES, ids=lambda value: str(value)[:50])
def test_an_example_is_what_can_be_sent(admin_api, stock, monkeypatch, path, example):
    monkeypatch.setattr(tasks.generate_batch, "delay", lambda _: None)
    answer = admin_api.post(path, example)
    assert answer.status_code in {200, 201, 202}, answer.content


@requirement("E2", "I8")
def test_every_kind_of_problem_has_a_page_that_its_answer_leads_to():
    answer = Client().get("/api/v1/files")
    assert answer.status_code == 401
    page = Client().get(urlsplit(answer.json()["type"]).path)
    assert (page.status_code, b"X-API-Key" in page.content) == (200, True)
    assert Client().get("/api/problems").status_code == 200
    for name, kind in problem_pages.kinds().items():
        assert kind.title in Client().get(f"/api/problems/{name}").content.decode()
    assert Client().get("/api/problems/none").status_code == 404


@requirement("E1")
def test_the_operations_that_are_asked_for_are_there():
    names = {name for name, _ in OPERATIONS}
    assert names >= {
        "POST /api/v1/qkd/generate",
        "GET /api/v1/qkd/session/{session_id}",
        "POST /api/v1/encrypt",
        "POST /api/v1/decrypt",
        "GET /api/v1/health",
    }


@pytest.fixture(scope="module")
def fuzzed():
    """A platform with one of everything; its key may do everything, and long work is only queued."""
    patch = pytest.MonkeyPatch()
    patch.setattr("django.conf.settings.GENERATE_LIMIT_SECONDS", 0.03)
    patch.setattr(tasks.generate_batch, "apply_async", into([]))
    with empty_aws():
        keys.create(2, actor=TESTS)
        made = sessions.generate(sessions.GenerateRequest(key_length=65_536, error_rate=0.01), actor=TESTS)
        detections.judge(made.session_id, actor=TESTS)
        api = Api(Role.ADMINISTRATOR)
        deliver(registered(api).event)
        api.post("qkd/batches", {"count": 1})
        yield api
    patch.undo()


def under_test(**phases: Any) -> Any:
    """The schema as schemathesis reads it; it serves requests through the WSGI application."""
    generation = {"allow-x00": True, "codec": "utf-8"}
    config = schemathesis.Config.from_dict({"generation": generation, "phases": phases})
    loaded = schemathesis.openapi.from_dict(DOCUMENT, config=config)
    loaded.app = application
    return loaded


schema = under_test()
# Each boundary of each field is nine of ten requests: all of them are sent by `make slow`
drawn = under_test(coverage={"enabled": False})
CHECKS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.CHECKS.get_one("status_code_conformance"),
    schemathesis.checks.CHECKS.get_one("content_type_conformance"),
    schemathesis.checks.CHECKS.get_one("response_schema_conformance"),
    schemathesis.checks.CHECKS.get_one("response_headers_conformance"),
    schemathesis.checks.CHECKS.get_one("negative_data_rejection"),
    schemathesis.checks.CHECKS.get_one("ignored_auth"),
]


@requirement("E2", "E1")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/qkd/session/{session_id}", 200),
        ("GET", "/api/v1/detections/{session_id}", 200),
        ("GET", "/api/v1/keys/{key_id}", 200),
        ("GET", "/api/v1/files/{file_id}", 200),
        ("GET", "/api/v1/files/{file_id}/content", 200),
        ("POST", "/api/v1/files/{file_id}/download", 201),
        ("DELETE", "/api/v1/files/{file_id}", 200),
        ("POST", "/api/v1/files/{file_id}/restore", 200),
        ("GET", "/api/v1/jobs/{job_id}", 200),
        ("GET", "/api/v1/health/ready", 200),
    ],
)
def test_what_is_answered_about_what_exists_keeps_to_the_schema(fuzzed, method, path, status):
    parameters = existing(fuzzed, path)
    if path.endswith("restore"):
        fuzzed.delete(f"files/{parameters['file_id']}")
    case = schema[path][method].Case(path_parameters=parameters)
    assert case.call_and_validate(headers={"X-API-Key": fuzzed.key}).status_code == status
    if method == "DELETE":
        fuzzed.post(f"files/{parameters['file_id']}/restore")


def existing(api: Api, path: str) -> dict[str, str]:
    """The path's parameter, of something that there is."""
    lists = {
        "session_id": ("qkd/sessions?status=ready", lambda _: True),
        "key_id": ("keys", lambda _: True),
        "file_id": ("files?limit=100", lambda file: file["status"] == "encrypted"),
        "job_id": ("jobs", lambda _: True),
    }
    name = path.partition("{")[2].partition("}")[0]
    if not name:
        return {}
    address, wanted = lists[name]
    return {name: next(item[name] for item in api.get(address).json()["items"] if wanted(item))}


# The same requests each time: a new finding belongs to who looks for one, not to who changes something else
SETTINGS: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
}


def check(api: Api, case: Any) -> None:
    if '"' not in str((case.headers or {}).get("If-Match", '"')):
        del case.headers["If-Match"]  # it names no ETag: refused before anything is tried (test_etags)
    case.call_and_validate(headers={"X-API-Key": api.key}, checks=CHECKS)


# After those above: what is fuzzed may raise the pool's minimum version, and then nothing opens any more
@requirement("E2", "I8", "H1")
@drawn.exclude(path_regex="health/ready").parametrize()
@settings(max_examples=8, **SETTINGS)
def test_the_api_keeps_to_its_schema_whatever_it_is_sent(fuzzed, case):
    check(fuzzed, case)
