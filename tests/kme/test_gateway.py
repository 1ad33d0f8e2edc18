"""Behind API Gateway: the certificate comes with the event of the domain with mutual TLS, or there is none (E10)."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from qkdplatform.lambda_handler import handler
from tests import requirement

pytestmark = pytest.mark.django_db  # another domain is answered by Django, which ends old connections
DOMAIN = "kme.example.com"


def event(pem: str | None, *, domain: str = DOMAIN, path: str = "/api/v1/keys/sae-bob/status", **more):
    identity: dict[str, Any] = {"sourceIp": "203.0.113.9"}
    if pem is not None:
        identity["clientCert"] = {"clientCertPem": pem, "subjectDN": "CN=sae-alice", "issuerDN": "CN=x"}
    headers = {"Host": domain, "X-Forwarded-For": "203.0.113.9", **more.pop("headers", {})}
    return {
        "httpMethod": "GET",
        "path": path,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "body": None,
        "isBase64Encoded": False,
        "requestContext": {"domainName": domain, "path": path, "identity": identity, "requestId": "r-1"},
        **more,
    }


@pytest.fixture(autouse=True)
def domain(settings):
    settings.KME_DOMAIN = DOMAIN


def ask(*arguments, **more):
    answer = handler(event(*arguments, **more), SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000))
    return answer["statusCode"], json.loads(answer["body"])


@requirement("E10")
def test_the_certificate_of_the_event_says_who_asks(keys, alice, bob):
    status, body = ask(alice.pem)
    assert (status, body["stored_key_count"], body["master_SAE_ID"]) == (200, 256, "sae-alice")
    body = json.dumps({"number": 2})
    path = "/api/v1/keys/sae-bob/enc_keys"
    status, given = ask(alice.pem, path=path, httpMethod="POST", body=body)
    assert (status, len(given["keys"])) == (200, 2)


@requirement("E10")
@pytest.mark.parametrize(
    "headers", [{}, {"kme.certificate": "{pem}"}, {"X-Amzn-Mtls-Clientcert": "{pem}"}], ids=str
)
def test_an_event_without_a_certificate_is_refused_whatever_its_headers(keys, alice, bob, headers):
    shown = {name: value.format(pem=alice.pem.replace("\n", " ")) for name, value in headers.items()}
    status, body = ask(None, headers=shown)
    assert (status, body.keys()) == (401, {"message"})


@requirement("E10")
def test_the_domain_of_key_delivery_serves_nothing_else(keys, alice):
    for path in ("/admin/", "/api/v1/health", "/api/docs", "/"):
        assert ask(alice.pem, path=path)[0] == 404


@requirement("E10")
def test_no_other_domain_serves_key_delivery(keys, alice, bob, settings):
    path = "/api/v1/keys/sae-bob/status"
    assert Client().get(path).status_code in {401, 404}
    settings.ALLOWED_HOSTS = ["other.example.com"]
    answer = handler(event(alice.pem, domain="other.example.com"), None)
    assert answer["statusCode"] in {401, 404}
    settings.KME_DOMAIN = ""
    answer = handler(event(alice.pem, domain=""), None)
    assert answer["statusCode"] in {400, 401, 404}
