"""The one Lambda entry: every event that AWS sends it, and none that it does not know."""

import base64
import json
from types import SimpleNamespace

import pytest

from apps.access import api_keys
from apps.audit.services import entries_page
from apps.common import deadline, liveness
from apps.sessions import services as sessions
from qkdplatform import commands, schedules
from qkdplatform.errors import UnknownEvent
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.events import stream_insert
from tests.uploads import deliver, registered

# Requests through the WSGI application end old connections of the console's database
pytestmark = pytest.mark.django_db
CONTEXT = SimpleNamespace(aws_request_id="1", function_name="qkdplatform-dev", memory_limit_in_mb=1024)


def rest_event(method, path, *, key="", body=None, query=None, headers=None):
    """What API Gateway sends for a REST API (payload version 1.0) with binary media types on."""
    given = {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "Host": "localhost",
        "X-API-Key": key,
        "X-Forwarded-For": "203.0.113.66, 198.51.100.7",
        "X-Forwarded-Proto": "https",
        **(headers or {}),
    }
    return {
        "resource": "/{proxy+}",
        "path": f"/api/v1/{path}",
        "httpMethod": method,
        "headers": given,
        "multiValueHeaders": {name: [value] for name, value in given.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()}
        if query
        else None,
        "pathParameters": {"proxy": f"api/v1/{path}"},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc",
            "httpMethod": method,
            "identity": {"sourceIp": "198.51.100.7", "userAgent": "test"},
            "path": f"/dev/api/v1/{path}",
            "protocol": "HTTP/1.1",
            "requestId": "1",
            "resourcePath": "/{proxy+}",
            "stage": "dev",
        },
        "body": None if body is None else base64.b64encode(body).decode(),
        "isBase64Encoded": body is not None,
    }


def called(method, path, **fields):
    answer = handler(rest_event(method, path, **fields), CONTEXT)
    body = answer["body"]
    return answer, base64.b64decode(body) if answer["isBase64Encoded"] else body.encode()


def rule(function, *, name="qkdplatform-dev"):
    """A schedule's event, its rule named as Zappa names it."""
    return {
        "version": "0",
        "id": "1",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:events:us-east-1:123456789012:rule/{name}-{function}"],
        "detail": {},
    }


@requirement("E1", "G1")
def test_a_rest_event_makes_the_round_trip(api, stock):
    answer, body = called("POST", "encrypt", key=api.key, body=json.dumps({"plaintext": "Grüße"}).encode())
    assert answer["statusCode"] == 200
    answer, body = called("POST", "decrypt", key=api.key, body=body)
    assert json.loads(body)["plaintext"] == "Grüße"


@requirement("G1", "C7")
def test_a_binary_body_makes_the_round_trip(api, stock):
    content = bytes(range(256)) * 100
    upload = registered(api, content, media_type="image/png")
    deliver(upload.event)
    answer, body = called("GET", f"files/{upload.file_id}/content", key=api.key)
    assert answer["isBase64Encoded"]
    assert body == content
    headers = {name.lower(): value for name, value in answer["multiValueHeaders"].items()}
    assert headers["content-type"] == ["image/png"]


@requirement("G1", "I8")
def test_a_problem_document_makes_the_round_trip(api):
    answer, body = called("GET", "files/none", key=api.key)
    assert answer["statusCode"] == 404
    assert json.loads(body)["type"] == "http://127.0.0.1:8000/api/problems/not-found"


@requirement("E1")
def test_query_parameters_make_the_round_trip(api):
    answer, body = called("GET", "files", key=api.key, query={"limit": "0"})
    assert answer["statusCode"] == 400
    assert json.loads(body)["errors"][0]["field"] == "limit"


@requirement("D1")
def test_the_trail_holds_the_address_that_the_gateway_saw(api):
    called("POST", "files", key=api.key, body=b'{"name": "a"}')
    (entry,) = entries_page(limit=1, by="actor", value=str(api.actor)).records
    assert entry.source_ip == "198.51.100.7"


@requirement("E9", "G1")
def test_requests_and_schedules_know_when_the_function_ends(monkeypatch):
    """A wait ends before that, and a schedule begins no part for which no time is left."""
    left: list[float | None] = []
    told = liveness.body

    def seen():
        left.append(deadline.seconds_left())
        return told()

    monkeypatch.setattr(liveness, "body", seen)
    monkeypatch.setitem(schedules.SCHEDULES, "sweep", lambda: left.append(deadline.seconds_left()))
    context = SimpleNamespace(**vars(CONTEXT), get_remaining_time_in_millis=lambda: 29_000)
    for event in (rest_event("GET", "health"), rule("qkdplatform.schedules.sweep")):
        handler(event, context)
    assert left == [pytest.approx(29, abs=5)] * 2
    assert deadline.seconds_left() is None


@requirement("B1", "C1", "G1")
def test_stream_and_bucket_events_reach_their_handlers(api, stock):
    made = sessions.generate(sessions.GenerateRequest(key_length=64, error_rate=0.01), actor=api.actor)
    assert handler(stream_insert(made.session_id), CONTEXT) == {"batchItemFailures": []}
    upload = registered(api)
    assert handler(upload.event, CONTEXT) is None
    assert upload.is_safe


@requirement("C5", "G1")
@pytest.mark.parametrize(
    "name", ["qkdplatform-dev-worker", "qkdplatform-production", "0-qkdplatform-dev", "a.dotted-name"]
)
@pytest.mark.parametrize("schedule", sorted(schedules.SCHEDULES))
def test_a_schedule_is_found_by_the_name_that_zappa_gives_its_rule(monkeypatch, name, schedule):
    run = []
    monkeypatch.setitem(schedules.SCHEDULES, schedule, lambda: run.append(schedule))
    handler(rule(f"qkdplatform.schedules.{schedule}", name=name), CONTEXT)
    assert run == [schedule]


@requirement("G1")
def test_zappa_schedules_what_the_entry_knows(settings):
    stages = json.loads((settings.BASE_DIR / "zappa_settings.json").read_text())
    functions = {event["function"] for event in stages["worker"]["events"]}
    assert functions == {f"qkdplatform.schedules.{name}" for name in schedules.SCHEDULES}


def resolved(stages, name):
    stage = dict(stages[name])
    while parent := stage.pop("extends", None):
        stage = stages[parent] | stage
    return stage


@requirement("G1")
@pytest.mark.parametrize("name", ["dev", "staging", "production"])
def test_each_stage_has_a_function_for_the_api_and_one_that_works(settings, name):
    """API Gateway ends a request at 29 s: a function that goes on is paid for, and its answer lost."""
    stages = json.loads((settings.BASE_DIR / "zappa_settings.json").read_text())
    api, worker = resolved(stages, name), resolved(stages, f"{name}-worker")
    assert (api["timeout_seconds"], api.get("apigateway_enabled", True), "events" in api) == (29, True, False)
    assert (worker["timeout_seconds"], worker["apigateway_enabled"]) == (900, False)
    assert api["aws_environment_variables"] == worker["aws_environment_variables"] == {"QKD_STAGE": name}


@requirement("G1")
def test_zappa_packs_the_platform_and_no_other_package(settings):
    stages = json.loads((settings.BASE_DIR / "zappa_settings.json").read_text())
    packages = {path.parent.name for path in settings.BASE_DIR.glob("*/__init__.py")}
    assert packages - set(stages["base"]["exclude"]) == {"apps", "qkd", "qkdplatform", "qkdseal"}


@requirement("I9")
@pytest.mark.parametrize(
    "event",
    [
        {"raw_command": "print(open('/etc/passwd').read())"},
        {"raw_command": "1", "manage": "nothing"},
        {"command": "qkdplatform.schedules.sweep"},
        {"command": "os.system", "args": ["id"]},
        {"manage": "shell"},
        {"manage": "flush --no-input"},
        {"manage": "migrate --fake"},
        {"manage": "dumpdata"},
        {"manage": ["check"]},
        {"manage": {"check": 1}},
        {"manage": None},
        {"manage": ""},
        {"manage": "check --deploy"},
        {"manage": "createsuperuser"},
        {"manage": "recovery combine"},
        {"manage": "'check"},
        {"manage": "bootstrap; shell"},
        {"manage": "/bin/sh"},
        rule("os.system"),
        rule("qkdplatform.schedules.nothing"),
        rule("qkdplatform.schedules.__init__"),
        {"source": "aws.events", "resources": []},
        {"source": "aws.events", "resources": [None]},
        {"Records": []},
        {"Records": None},
        {"Records": [{}]},
        {"Records": ["text"]},
        {"Records": [{"eventSource": "aws:kinesis"}]},
        {"Records": [{"eventSource": "aws:s3"}, {"eventSource": "aws:dynamodb"}]},
        {"Service": "Amazon S3", "Event": "s3:TestEvent"},
        {"httpMethod": "GET", "path": "/"},
        {"requestContext": {}},
        {},
        [],
        "text",
        None,
        5,
    ],
    ids=str,
)
def test_what_it_does_not_know_is_an_error_so_that_aws_keeps_it(event):
    with pytest.raises(UnknownEvent):
        handler(event, CONTEXT)


@requirement("I2")
def test_the_error_about_an_unknown_event_does_not_quote_it():
    with pytest.raises(UnknownEvent) as caught:
        handler({"body": "the secret is swordfish"}, CONTEXT)
    assert "swordfish" not in str(caught.value)


@requirement("G1")
@pytest.mark.parametrize("command", sorted(commands.COMMANDS))
def test_the_allowed_commands_run(monkeypatch, command):
    run = []
    monkeypatch.setattr(commands, "call_command", lambda name, *_, **__: run.append(name))
    assert handler({"manage": command}, CONTEXT) == {"ok": True, "output": ""}
    assert run == [command]


@requirement("G1")
def test_a_command_s_output_is_the_answer(aws):
    answer = handler({"manage": "api_client make 'the tests' --role client"}, CONTEXT)
    assert answer["ok"]
    service, key = answer["output"].split()
    assert service.startswith("service:")
    assert api_keys.authenticate(key, source_ip="").principal.name == "the tests"


@requirement("G1")
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("link show none", ""),
        ("api_client make", "required: name"),
        ("run_schedule nothing", "invalid choice"),
    ],
)
def test_a_command_that_fails_says_why(aws, command, said):
    answer = handler({"manage": command}, CONTEXT)
    assert not answer["ok"]
    assert said in answer["output"]
    assert answer["output"]


@requirement("G1")
def test_a_schedule_can_be_run_by_hand(monkeypatch):
    run = []
    monkeypatch.setitem(schedules.SCHEDULES, "refill", lambda: run.append("refill"))
    assert handler({"manage": "run_schedule refill"}, CONTEXT) == {"ok": True, "output": "refill ran.\n"}
    assert run == ["refill"]
