"""People of an OpenID Connect pool sign in to the console, as the principals that they are at the API (F6, E3)."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from apps.access import people, pool_people, principals
from apps.access.identities import are_one_person
from apps.access.roles import Role
from apps.access.users import User
from apps.audit.services import entries_page
from tests import requirement
from tests.conftest import TESTS

pytestmark = [pytest.mark.django_db, requirement("F6", "E3")]
SUBJECT = "5f0c6f0e-9a44-4e1f-9a3c-111111111111"
ADA = {"sub": SUBJECT, "preferred_username": "ada", "cognito:groups": ["other", "staff"]}
CLIENT = "console"
START, CALLBACK = "/accounts/oidc/pool/login/", "/accounts/oidc/pool/login/callback/"


class Issuer(ThreadingHTTPServer):
    """Signs everybody in who asks, with the claims that the test sets."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.claims: dict[str, Any] = dict(ADA)
        self.asked: dict[str, str] = {}  # of the token endpoint


class _Handler(BaseHTTPRequestHandler):
    server: Issuer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        url = self.server.url
        pages = {
            "/.well-known/openid-configuration": {
                "issuer": url,
                "authorization_endpoint": f"{url}/authorize",
                "token_endpoint": f"{url}/token",
                "userinfo_endpoint": f"{url}/userinfo",
                "jwks_uri": f"{url}/jwks",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            },
            "/userinfo": self.server.claims,
        }
        self._answer(pages[urlsplit(self.path).path])

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked = {name: values[0] for name, values in parse_qs(form).items()}
        now = int(time.time())
        claims = {"iss": self.server.url, "aud": CLIENT, "iat": now, "exp": now + 60, **self.server.claims}
        token = jwt.encode(claims, self.server.key, algorithm="RS256", headers={"kid": "1"})
        self._answer({"access_token": "at", "token_type": "Bearer", "expires_in": 60, "id_token": token})

    def _answer(self, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def issuer(aws, settings) -> Iterator[Issuer]:
    server = Issuer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.JWT_ROLES = {"staff": "operator"}
    app = {"provider_id": "pool", "name": "Example", "client_id": CLIENT, "secret": "s"}
    apps = [{**app, "settings": {"server_url": server.url}}]
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": apps}}
    yield server
    server.shutdown()
    server.server_close()


def sign_in(browser: Client, **changed: str) -> Any:
    """Go to the issuer and come back."""
    there = browser.get(START)
    assert there.status_code == 302, there.content.decode()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(there["Location"]).query).items()}
    assert asked["code_challenge_method"] == "S256"
    return browser.get(CALLBACK, {"code": "c", "state": asked["state"], **changed})


def names(user: User) -> set[str]:
    return set(user.groups.values_list("name", flat=True))


def test_the_button_is_there_where_a_pool_is_configured(issuer, client):
    assert "Sign in with Example" in client.get("/accounts/login/").content.decode()


def test_no_button_where_none_is(client, aws):
    assert "Sign in with" not in client.get("/accounts/login/").content.decode()
    assert client.get(START).status_code == 404


def test_somebody_of_a_group_comes_in_with_its_role_as_the_principal_of_their_subject(issuer):
    browser = Client()
    answer = sign_in(browser)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert browser.get("/admin/keys/poolkey/").status_code == 200
    assert "code_verifier" in issuer.asked
    user = User.objects.get()
    assert (user.principal_id, user.username, names(user)) == (f"user:{SUBJECT}", "ada", {"Operator"})
    assert not user.has_usable_password()
    assert SocialAccount.objects.get(user=user).extra_data == {}
    events = [(str(e.event), e.actor) for e in reversed(entries_page(limit=9).records)]
    assert events == [("user.made", "system:pool"), ("sign_in.done", f"user:{SUBJECT}")]


def test_who_leaves_a_group_loses_its_role_with_the_next_sign_in(issuer):
    sign_in(Client())
    issuer.claims["cognito:groups"] = []
    answer = sign_in(Client())
    assert answer.status_code == 403
    assert "None of your groups" in answer.content.decode()
    assert [dict(e.detail)["subject"] for e in entries_page(limit=1).records] == [SUBJECT]


def test_the_role_of_a_principal_counts_more_than_groups(issuer):
    principals.admit_person(SUBJECT, "ada", role=Role.AUDITOR, actor=TESTS)
    sign_in(Client())
    assert names(User.objects.get()) == {"Auditor"}
    principals.disable(f"user:{SUBJECT}", reason="left", actor=TESTS)
    assert sign_in(Client()).status_code == 403


def test_a_state_of_another_browser_is_refused(issuer):
    answer = sign_in(Client(), state="forged")
    assert answer.status_code in {200, 401}
    assert "Sign-in failed" in answer.content.decode()
    assert not User.objects.exists()


def test_a_second_factor_of_the_pool_is_enough_where_it_is_said_to_be(issuer, settings):
    settings.SECOND_FACTOR_ROLES = ["operator"]
    browser = Client()
    sign_in(browser)
    assert browser.get("/admin/keys/poolkey/")["Location"] == "/accounts/2fa/"
    settings.OIDC_SECOND_FACTOR = True
    assert browser.get("/admin/keys/poolkey/").status_code == 200


@pytest.mark.parametrize("subject", ["", "auth0|1", 7, None, ["x"]])
def test_a_subject_that_is_no_uuid_is_nobody(aws, settings, subject):
    settings.JWT_ROLES = {"staff": "operator"}
    with pytest.raises(pool_people.Stranger, match="UUID"):
        pool_people.user_of({**ADA, "sub": subject})
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["root", "ROOT", "not a name", "x" * 151, ""])
def test_a_name_that_is_taken_or_none_is_replaced(aws, settings, name):
    settings.JWT_ROLES = {"staff": "operator"}
    root = User.objects.create_superuser("root")
    user = pool_people.user_of({**ADA, "preferred_username": name})
    assert user.pk == uuid.UUID(SUBJECT)
    assert user.username_key != root.username_key
    assert not user.is_superuser


@requirement("I12")
def test_a_person_with_an_account_and_one_of_the_pool_is_one_person(aws, settings):
    settings.JWT_ROLES = {"staff": "operator"}
    local = people.admit("ada", role=Role.OPERATOR, actor=TESTS, email="Ada@example.com")
    mail = {"email": "ada@example.com", "email_verified": True}
    assert are_one_person(local.principal_id, pool_people.user_of({**ADA, **mail}).principal_id)


def test_an_address_that_the_pool_did_not_verify_is_not_taken(aws, settings):
    settings.JWT_ROLES = {"staff": "operator"}
    assert pool_people.user_of({**ADA, "email": "someone@example.com"}).email == ""
