"""The OpenAPI schema is valid and complete, and the API keeps to it under fuzzing (E2, I8)."""

from typing import Any

import pytest
import schemathesis
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck, settings

from apps.access.roles import Role
from apps.detections import services as detections
from apps.keys import services as keys
from apps.sessions import services as sessions
from apps.sessions import tasks
from qkdplatform.wsgi import application
from tests import requirement
from tests.conftest import TESTS, Api, empty_aws
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
    assert {"400", "404", "503"} <= operation["responses"].keys()
    good = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    assert good
    assert all(answer["content"] for answer in good)
    secured = [requirement for requirement in operation.get("security", []) if requirement]
    assert (secured == [{"ApiKey": []}]) is (name not in PUBLIC)


@requirement("E2")
def test_operations_have_names_of_their_own():
    names = [operation["operationId"] for _, operation in OPERATIONS]
    assert len(set(names)) == len(names)


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
    patch.setattr(tasks.generate_batch, "delay", lambda _: None)
    with empty_aws():
        keys.create(2, actor=TESTS)
        made = sessions.generate(sessions.GenerateRequest(key_length=65_536, error_rate=0.01), actor=TESTS)
        detections.judge(made.session_id, actor=TESTS)
        api = Api(Role.ADMINISTRATOR)
        deliver(registered(api).event)
        api.post("qkd/batches", {"count": 1})
        yield api
    patch.undo()


CONFIG = schemathesis.Config.from_dict({"generation": {"allow-x00": True, "codec": "utf-8"}})
schema = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)
schema.app = application
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


# After those above: what is fuzzed may raise the pool's minimum version, and then nothing opens any more
@requirement("E2", "I8", "H1")
@schema.exclude(path_regex="health/ready").parametrize()
@settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_the_api_keeps_to_its_schema_whatever_it_is_sent(fuzzed, case):
    case.call_and_validate(headers={"X-API-Key": fuzzed.key}, checks=CHECKS)
