"""JWTs of an OpenID Connect pool: what is accepted, whom it stands for, what it may do (E3)."""

import importlib
import json
import threading
import time
import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from apps.access import conf, principals, tokens
from apps.access.roles import Role
from tests import requirement
from tests.conftest import TESTS

CLIENT, SUBJECT = "2qk8v1client", str(uuid.UUID(int=7))
KEY, OTHER = (rsa.generate_private_key(65537, 2048) for _ in range(2))


class Pool(ThreadingHTTPServer):
    """An issuer that publishes its keys, and counts who asks."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Published)
        self.published = {"kid-1": KEY}
        self.asked = 0
        self.answers = True

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/pool"


class _Published(BaseHTTPRequestHandler):
    server: Pool

    def do_GET(self) -> None:
        self.server.asked += 1
        algorithm = jwt.algorithms.RSAAlgorithm
        published = [
            json.loads(algorithm.to_jwk(key.public_key())) | {"kid": kid, "use": "sig", "alg": "RS256"}
            for kid, key in self.server.published.items()
        ]
        self.send_response(200 if self.server.answers else 500)
        self.end_headers()
        self.wfile.write(json.dumps({"keys": published}).encode())

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def issuer(settings, aws):
    server = Pool()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.JWT_ISSUER, settings.JWT_CLIENT_IDS = server.issuer, [CLIENT]
    settings.JWT_ROLES, settings.JWT_GROUPS = {"qkd-clients": "client"}, {"accounts": "group:accounts"}
    tokens.keys.cache_clear()
    yield server
    tokens.keys.cache_clear()
    server.shutdown()
    server.server_close()


def token(
    issuer: Pool,
    claims: Mapping[str, Any] | None = None,
    *,
    key: Any = KEY,
    kid: str = "kid-1",
    algorithm: str = "RS256",
) -> str:
    """An access token as Cognito makes them, with these claims changed; None leaves one out."""
    moment = int(time.time())
    content = {
        "iss": issuer.issuer,
        "sub": SUBJECT,
        "token_use": "access",
        "client_id": CLIENT,
        "scope": "openid qkd/files:read qkd/messages:encrypt",
        "cognito:groups": ["qkd-clients"],
        "username": "ann",
        "iat": moment,
        "exp": moment + 300,
        "jti": str(uuid.uuid4()),
    } | dict(claims or {})
    present = {name: value for name, value in content.items() if value is not None}
    return jwt.encode(present, key, algorithm=algorithm, headers={"kid": kid})


def get(shown: str, path: str = "whoami") -> Any:
    return Client().get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {shown}"})


@requirement("E3")
def test_a_person_of_the_pool_calls_with_the_scopes_of_the_token(issuer):
    answer = get(token(issuer))
    assert answer.status_code == 200, answer.content
    who = answer.json()
    assert (who["principal"], who["role"], who["name"]) == (f"user:{SUBJECT}", "client", "ann")
    assert who["scopes"] == ["access:self", "files:read", "messages:encrypt"]
    assert who["credential"].startswith("jwt:")
    assert get(token(issuer), "files").status_code == 200
    assert get(token(issuer), "jobs").status_code == 403, "the role may, the token may not"


@requirement("E3", "E8")
def test_a_client_that_signs_in_by_itself_is_a_service(issuer):
    principals.make_service("batch", role=Role.OPERATOR, service_id=CLIENT, actor=TESTS)
    who = get(token(issuer, {"sub": CLIENT, "scope": "qkd/jobs:read", "cognito:groups": None})).json()
    assert (who["principal"], who["role"], who["scopes"]) == (
        f"service:{CLIENT}",
        "operator",
        ["access:self", "jobs:read"],
    )


@requirement("E3", "E8")
def test_the_record_here_decides_before_the_pool(issuer):
    principals.admit_person(SUBJECT, "ann", role=Role.VIEWER, actor=TESTS)
    shown = token(issuer, {"cognito:groups": ["qkd-clients", "accounts"]})
    who = get(shown).json()
    assert (who["role"], who["groups"]) == ("viewer", ["group:accounts"])
    principals.disable(f"user:{SUBJECT}", reason="left", actor=TESTS)
    assert get(shown).status_code == 401


WRONG: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "an ID token": {"token_use": "id"},
    "another client": {"client_id": "other"},
    "no client": {"client_id": None},
    "expired": {"exp": 1_000_000_000},
    "without end": {"exp": None},
    "without subject": {"sub": None},
    "not yet": {"iat": 4_000_000_000},
    "another key": {"key": OTHER},
    "a key that nobody published": {"kid": "kid-2"},
    "nobody here, and no group that gives a role": {"cognito:groups": ["others"]},
}


@requirement("E3")
@pytest.mark.parametrize("claims", WRONG.values(), ids=list(WRONG))
def test_what_is_refused_looks_all_the_same(issuer, claims):
    signed = {name: claims[name] for name in ("key", "kid") if name in claims}
    answer = get(token(issuer, {name: claims[name] for name in claims.keys() - signed.keys()}, **signed))
    assert answer.status_code == 401, answer.content
    assert answer.json()["detail"] == "The token is not valid."


@requirement("E3")
def test_only_rs256_is_accepted(issuer):
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    unsigned = jwt.encode({"sub": SUBJECT}, "", algorithm="none", headers={"kid": "kid-1"})
    header, payload, _ = token(issuer).split(".")
    for shown in (
        unsigned,
        token(issuer, algorithm="PS256"),
        token(issuer, key="x" * 64, algorithm="HS256"),
        f"{header}.{payload}.",
        "not a token",
        "x" * 9000,
    ):
        assert get(shown).status_code == 401
    assert public  # what a confused verifier would take for the secret of HS256
    assert issuer.asked <= 1, "nobody asks the issuer for what cannot be signed by its keys"


@requirement("E3", "I11")
def test_unknown_keys_do_not_make_us_ask_the_issuer_each_time(issuer):
    for number in range(20):
        assert get(token(issuer, kid=f"made up {number}")).status_code == 401
    assert issuer.asked <= 2


@requirement("E3", "I8")
def test_an_issuer_that_does_not_answer_is_told_and_left_alone(issuer):
    issuer.answers = False
    answers = [get(token(issuer)) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [503] * 5
    assert answers[0]["Retry-After"]
    assert issuer.asked == 1


@requirement("E3")
def test_a_token_ends_when_it_says(issuer, later):
    shown = token(issuer)
    assert get(shown).status_code == 200
    later(seconds=301)
    assert get(shown).status_code == 401


@requirement("E3")
def test_without_settings_no_token_is_read(issuer, settings):
    settings.JWT_CLIENT_IDS = []
    assert get(token(issuer)).status_code == 401
    assert issuer.asked == 0


@requirement("E3", "I9")
def test_who_is_known_to_the_pool_alone_decides_about_nobody(issuer, settings):
    settings.JWT_ROLES = {"admins": "administrator"}
    shown = token(issuer, {"scope": "qkd/access:manage qkd/keys:manage", "cognito:groups": ["admins"]})
    answer = Client().post(
        "/api/v1/services",
        {"name": "mine"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {shown}"},
    )
    assert answer.status_code == 403


@requirement("E3", "H1")
def test_a_role_that_there_is_not_is_named_at_the_start(monkeypatch):
    monkeypatch.setenv("JWT_ROLES", '{"admins": "boss"}')
    with pytest.raises(ImproperlyConfigured, match="JWT_ROLES names boss; the roles are viewer, client"):
        importlib.reload(conf)
    monkeypatch.setenv("JWT_ROLES", '{"admins": "administrator"}')
    assert importlib.reload(conf).JWT_ROLES == {"admins": "administrator"}
