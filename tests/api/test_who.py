"""Principals, credentials and grants by API (E3, E8, C16)."""

import json
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.test import Client

from apps.access import api_keys, principals
from apps.access.authentication import as_actor
from apps.access.roles import Role, scopes_of
from apps.common import clock
from apps.common.errors import Forbidden
from apps.common.store import ClaimTable
from tests import requirement
from tests.conftest import TESTS, Api
from tests.uploads import deliver, registered


def as_caller(secret: str) -> Api:
    api = Api.__new__(Api)
    api.key = secret
    return api


@requirement("E3", "E8")
def test_a_service_and_its_keys_live_and_end_by_api(admin_api: Api):
    service = admin_api.post("services", {"name": "importer", "role": "client"}).json()
    assert service["principal_id"].startswith("service:")
    limits = {"scopes": ["files:read"], "networks": ["127.0.0.0/8"], "name": "first"}
    issued = admin_api.post("api-keys", {"principal": service["principal_id"], **limits})
    assert issued.status_code == 201, issued.content
    caller = as_caller(issued.json()["secret"])
    who = caller.get("whoami").json()
    assert (who["principal"], who["scopes"]) == (service["principal_id"], ["access:self", "files:read"])
    assert caller.get("files").status_code == 200
    assert caller.get("jobs").status_code == 403
    key_id = issued.json()["key_id"]
    second = admin_api.post(f"api-keys/{key_id}/rotate", {"overlap_hours": 1}).json()
    assert second["scopes"] == ["files:read"]
    assert as_caller(second["secret"]).get("files").status_code == 200
    assert admin_api.post(f"api-keys/{key_id}/revoke", {"reason": "x"}).json()["status"] == "revoked"
    assert caller.get("files").status_code == 401
    listed = admin_api.get(f"api-keys?principal={service['principal_id']}").json()["items"]
    assert [key["key_id"] for key in listed] == [second["key_id"], key_id]
    assert "secret" not in json.dumps(listed)


@requirement("E3", "E9", "I2")
def test_a_retried_issue_makes_one_key_and_shows_its_secret_once(admin_api: Api):
    body = {"principal": str(admin_api.actor), "name": "x"}
    first, again = (admin_api.call("POST", "api-keys", body, IDEMPOTENCY_KEY="k") for _ in range(2))
    assert (again.json()["key_id"], again.json()["secret"]) == (first.json()["key_id"], None)
    secret = first.json()["secret"].partition(".")[2]
    assert secret not in json.dumps([row.to_dynamodb_dict() for row in ClaimTable.scan()])


@requirement("E3", "E9")
def test_a_key_is_limited_in_the_state_that_was_read(admin_api: Api):
    key_id = admin_api.post("api-keys", {"principal": str(admin_api.actor)}).json()["key_id"]
    etag = admin_api.get(f"api-keys/{key_id}")["ETag"]
    limited = admin_api.call("PATCH", f"api-keys/{key_id}", {"scopes": ["files:read"]}, IF_MATCH=etag)
    assert (limited.status_code, limited.json()["scopes"]) == (200, ["files:read"])
    assert admin_api.call("PATCH", f"api-keys/{key_id}", {"scopes": []}, IF_MATCH=etag).status_code == 412


@requirement("E8")
def test_a_group_is_made_and_joined_and_left_behind(admin_api: Api, api: Api, other_api: Api, stock):
    group = admin_api.post("groups", {"name": "accounts"}).json()["principal_id"]
    for one in (api, other_api):
        assert admin_api.call("PATCH", f"principals/{one.actor}", {"groups": [group]}).status_code == 200
    assert api.get("whoami").json()["groups"] == [group]
    disabled = admin_api.post(f"principals/{other_api.actor}/disable", {"reason": "left"})
    assert disabled.json()["status"] == "disabled"
    assert other_api.get("whoami").status_code == 401
    assert admin_api.post(f"principals/{other_api.actor}/enable", {"reason": "back"}).status_code == 200
    assert other_api.get("whoami").status_code == 200
    kinds = {one["kind"] for one in admin_api.get("principals?kind=group").json()["items"]}
    assert kinds == {"group"}


@requirement("C16", "E8")
def test_a_file_is_shared_and_the_grant_taken_back(api: Api, other_api: Api, stock):
    upload = registered(api, b"shared")
    deliver(upload.event)
    path = f"files/{upload.file_id}/content"
    body = {"grantee": str(other_api.actor), "file_id": upload.file_id}
    assert other_api.post("grants", body | {"grantee": str(api.actor)}).status_code == 404, "it is not theirs"
    given = api.post("grants", body)
    assert given.status_code == 201, given.content
    assert other_api.get(path).content == b"shared"
    assert [one["object"] for one in other_api.get("grants").json()["items"]] == [f"file:{upload.file_id}"]
    assert other_api.post("grants", body | {"grantee": "group:x"}).status_code == 404, "nor to give on"
    grant = f"grants/{quote(given.json()['grant_id'], safe='')}"
    assert api.get(f"grants?file_id={upload.file_id}").json()["items"] == [given.json()]
    assert other_api.delete(grant).status_code == 404
    assert api.delete(grant).status_code == 200
    assert other_api.get(path).status_code == 404
    assert api.get(grant).status_code == 404


@requirement("E3", "I9")
def test_a_narrow_key_of_a_mighty_principal_gives_nothing_that_it_may_not(admin_api: Api):
    """The rights of an actor end where its key's do: else a leaked narrow key could issue a wide one."""
    principal = principals.find(str(admin_api.actor))
    key, _ = api_keys.issue(principal.principal_id, scopes=["access:manage"], actor=TESTS)
    from apps.access.records import Caller

    narrow = as_actor(Caller(principal, key), source_ip="127.0.0.1")
    assert principals.rights_of(narrow)[0] == {
        scope for scope in scopes_of(Role.ADMINISTRATOR) if scope in {"access:manage", "access:self"}
    }
    with pytest.raises(Forbidden):
        principals.make_service("x", role=Role.ADMINISTRATOR, actor=narrow)
    with pytest.raises(Forbidden):
        api_keys.issue(principal.principal_id, actor=narrow)


@requirement("E3", "I8")
@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "services", {"name": "x", "role": "king"}, "role"),
        ("POST", "services", {"name": "x", "groups": ["user:1"]}, "groups.0"),
        ("POST", "api-keys", {"principal": "x"}, "principal"),
        ("POST", "api-keys", {"principal": "{me}", "scopes": ["no:such"]}, "scopes"),
        ("POST", "api-keys", {"principal": "{me}", "networks": ["999.0.0.0/8"]}, "networks"),
        ("POST", "api-keys", {"principal": "{me}", "expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ("POST", "grants", {"grantee": "user:1"}, "file_id"),
        ("POST", "grants", {"grantee": "user:1", "file_id": "x", "document_type": "y"}, "file_id"),
        ("PATCH", "principals/{me}", {"approver": "yes"}, "approver"),
    ],
    ids=str,
)
def test_bad_input_is_told_by_field(admin_api: Api, method, path, body, field):
    me = str(admin_api.actor)
    filled = {name: me if value == "{me}" else value for name, value in body.items()}
    answer = admin_api.call(method, path.format(me=me), filled)
    assert answer.status_code == 400, answer.content
    assert field in {error["field"] for error in answer.json()["errors"]}


@requirement("E3", "I9")
def test_whoami_needs_a_credential_and_works_with_any(admin_api: Api):
    assert Client().get("/api/v1/whoami").status_code == 401
    ends = clock.as_text(clock.now() + timedelta(hours=1))
    body = {"principal": str(admin_api.actor), "scopes": [], "expires_at": ends}
    who = as_caller(admin_api.post("api-keys", body).json()["secret"]).get("whoami").json()
    assert (who["scopes"], who["expires_at"]) == (["access:self"], ends)
