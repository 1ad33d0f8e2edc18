"""What a cold start imports: whatever a request does not need is imported by what needs it."""

import builtins
import json
import os
import subprocess
import sys
import textwrap

import pytest
from django.test import RequestFactory
from django.utils.module_loading import import_string

from apps.common import liveness
from apps.stack.configuration import ROOT
from tests import requirement
from tests.waiting import LIMIT_SECONDS

# A fifth to a third of a cold start each, or of no use there
HEAVY = {"numpy", "scipy", "gmpy2", "numba", "matplotlib", "zappa"}
# What a first answer about health does without: the API's framework, its schema, AWS, jobs, tokens, the console's pages
LATE = {
    *(
        "rest_framework.views",
        "drf_spectacular.openapi",
        "botocore.session",
        "boto3",
        "pynamodb.models",
        "celery",
    ),
    *("kombu", "jwt", "requests", "qkdplatform.api_urls", "qkdplatform.console_urls"),
}
# Each thousand costs about 0.3 s. Health: 920 today (2,058 before they were imported where used), the API's first call: 1,872
OF_HEALTH, OF_THE_API = 980, 1_950
EVENT = """
    host = "abc.execute-api.us-east-1.amazonaws.com"
    event = {
        "resource": "/{proxy+}", "path": PATH, "httpMethod": METHOD, "headers": {"Host": host},
        "multiValueHeaders": {"Host": [host], "X-Forwarded-Proto": ["https"]},
        "requestContext": {"path": PATH, "stage": "dev", "identity": {"sourceIp": "192.0.2.1"}},
        "queryStringParameters": None, "multiValueQueryStringParameters": None, "body": None,
        "isBase64Encoded": False,
    }
"""


def started(path, *, script_path=None, site=None, method="GET"):
    """Answer one request in a fresh process, as a deployed stage; return the answer and what was imported.

    With ``site``, the process finds these folders only.
    """
    code = (
        f"import sys; sys.path[:0] = {site or []!r}\nPATH, METHOD = {path!r}, {method!r}\n"
        + textwrap.dedent(EVENT)
        + "import json, sys\n"
        + ("event['requestContext']['path'] = '/dev' + PATH\n" if script_path else "")
        + "from qkdplatform.lambda_handler import handler\n"
        "answer = handler(event, None)\n"
        "print(json.dumps({'answer': answer, 'modules': sorted(sys.modules)}))"
    )
    secrets = dict.fromkeys(
        ("API_KEY_PEPPER", "AUDIT_KEY", "RECORD_KEY", "METADATA_KEY", "DJANGO_SECRET_KEY"), "tests only " * 5
    )
    environment = {
        "PATH": os.environ["PATH"],
        "QKD_STAGE": "dev",
        "ROOT_KEY": "kms:alias/none",
        "DATABASE_URL": "postgres://console@db.example.com/console",
        "BASE_URL": "https://abc.execute-api.us-east-1.amazonaws.com" + (script_path or ""),
        "ALLOWED_HOSTS": "abc.execute-api.us-east-1.amazonaws.com",
        **secrets,
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *(["-I", "-S"] if site else []), "-c", code],
        cwd="/" if site else ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@requirement("H1")
def test_health_is_answered_by_what_it_needs_alone():
    found = started("/api/v1/health")
    assert found["answer"]["statusCode"] == 200
    assert HEAVY & {name.partition(".")[0] for name in found["modules"]} == set()
    assert LATE.isdisjoint(found["modules"])
    assert len(found["modules"]) < OF_HEALTH


@requirement("H1")
def test_the_first_call_of_the_api_imports_nothing_heavy_and_no_page_of_the_console():
    found = started("/api/v1/encrypt", method="POST")
    assert found["answer"]["statusCode"] == 401
    assert HEAVY & {name.partition(".")[0] for name in found["modules"]} == set()
    assert not [name for name in found["modules"] if name.startswith("apps.") and name.endswith(".admin")]
    assert "qkdplatform.console_urls" not in found["modules"]
    assert len(found["modules"]) < OF_THE_API


@requirement("H1")
def test_an_address_in_an_answer_of_the_api_is_found_without_the_console():
    found = started("/api/problems")
    assert 'href="/api/problems/not-found"' in found["answer"]["body"]
    assert "qkdplatform.console_urls" not in found["modules"]


@requirement("H1", "E5")
@pytest.mark.parametrize("asked", [{}, {"Accept": "text/html"}, {"If-None-Match": "x"}, {"Accept": "*/*"}])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_health_answers_as_the_api_s_own_view_does(client, method, asked):
    """Whatever is asked for: it answers what is plain by itself, and leaves the rest to that view."""
    first = getattr(client, method.lower())("/api/v1/health", headers=asked)
    described = import_string(liveness.VIEW).as_view()
    second = described(RequestFactory().generic(method, "/api/v1/health", headers=asked)).render()
    assert first.status_code == second.status_code
    assert first.content == (b"" if method == "HEAD" else second.content)
    for header in ("Allow", "Content-Type"):
        assert first.headers.get(header) == second.headers.get(header), header


@requirement("H1", "E1")
@pytest.mark.django_db
def test_a_message_is_encrypted_without_the_engine(api, stock, monkeypatch):
    imported = set()
    real = builtins.__import__

    def recording(name, *arguments, **named):
        imported.add(name.partition(".")[0])
        return real(name, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", recording)
        answer = api.post("encrypt", {"plaintext": "hello"})
    assert answer.status_code == 200
    assert imported
    assert imported & HEAVY == set()


@requirement("G1", "I8")
def test_under_the_name_of_a_stage_the_api_still_answers_with_problem_documents():
    answer = started("/api/v1/nothing", script_path="/dev")["answer"]
    assert answer["statusCode"] == 404
    assert (
        json.loads(answer["body"])["type"]
        == "https://abc.execute-api.us-east-1.amazonaws.com/dev/api/problems/not-found"
    )


@requirement("G1", "F1")
def test_under_the_name_of_a_stage_links_lead_back_below_it():
    answer = started("/", script_path="/dev")["answer"]
    assert answer["multiValueHeaders"]["Location"] == ["/dev/admin/"]
