"""Named keys by API: made, changed, pointed at, and seen by those who may use them (C13)."""

from typing import Any

import pytest

from apps.keys import services as keys
from tests import requirement
from tests.conftest import TESTS, Api

POOL = {
    "name": "invoices",
    "about": "of the accounts department",
    "target": 2,
    "labels": {"team": "accounts"},
}


def made(api: Api, **more) -> dict[str, Any]:
    answer = api.post("pools", POOL | more)
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


@requirement("C13")
def test_a_named_key_is_made_filled_and_used(admin_api: Api, api: Api, stock):
    pool = made(admin_api, users=[str(api.actor)])
    assert (pool["target"], pool["labels"], pool["purposes"]) == (
        2,
        {"team": "accounts"},
        ["files", "messages"],
    )
    keys.refill(actor=TESTS)
    sealed = api.post("encrypt", {"plaintext": "x", "key": "invoices"})
    assert keys.find(sealed.json()["package"]["envelope"]["pool_key_id"]).pool == "invoices"
    assert admin_api.post("encrypt", {"plaintext": "x", "key": "invoices"}).status_code == 403


@requirement("C13", "I9")
def test_who_may_not_use_a_named_key_does_not_learn_of_it(admin_api: Api, api: Api, other_api: Api, pool):
    made(admin_api, users=[str(api.actor)], managers=[str(admin_api.actor)])
    assert [one["name"] for one in api.get("pools").json()["items"]] == ["default", "invoices"]
    assert [one["name"] for one in other_api.get("pools").json()["items"]] == ["default"]
    unknown, hidden = (other_api.get(f"pools/{name}").json() for name in ("nothing", "invoices"))
    assert str(unknown).replace("nothing", "x") == str(hidden).replace("invoices", "x")
    assert api.get("pools/invoices").status_code == 200


@requirement("C13", "E9")
def test_it_is_changed_in_the_state_that_was_read(admin_api: Api, pool):
    made(admin_api)
    etag = admin_api.get("pools/invoices")["ETag"]
    change = {"about": "another", "target": None, "reason": "x"}
    changed = admin_api.call("PATCH", "pools/invoices", change, IF_MATCH=etag)
    assert (changed.status_code, changed.json()["about"], changed.json()["target"]) == (200, "another", 100)
    assert admin_api.call("PATCH", "pools/invoices", change, IF_MATCH=etag).status_code == 412
    assert admin_api.call("PATCH", "pools/invoices", {"target": 0, "reason": "x"}).status_code == 400
    assert admin_api.call("PATCH", "pools/invoices", {"suite": "x", "reason": "x"}).status_code == 400
    assert admin_api.call("PATCH", "pools/none", change).status_code == 404


@requirement("C13")
def test_an_alias_is_pointed_elsewhere(admin_api: Api, api: Api, stock):
    for name in ("one", "two"):
        admin_api.post("pools", {"name": name, "target": 1})
    keys.refill(actor=TESTS)
    for name in ("one", "two"):
        pointed = admin_api.call("PUT", "pool-aliases/current", {"pool": name, "reason": "x"})
        assert (pointed.status_code, pointed.json()["pool"]) == (200, name)
        sealed = api.post("encrypt", {"plaintext": "x", "key": "current"}).json()
        assert keys.find(sealed["package"]["envelope"]["pool_key_id"]).pool == name
    assert admin_api.get("pools/current").json()["aliases"] == ["current"]


@requirement("C13", "I9")
def test_only_its_managers_change_it(admin_api: Api, aws, pool):
    from apps.access.roles import Role

    operator = Api(Role.OPERATOR)
    made(admin_api, managers=[str(admin_api.actor)])
    answer = operator.call("PATCH", "pools/invoices", {"about": "mine", "reason": "x"})
    assert answer.status_code == 403
    assert operator.call("PUT", "pool-aliases/x", {"pool": "invoices", "reason": "x"}).status_code == 403


@requirement("C13", "I8")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "Upper"}, "name"),
        ({"name": "files"}, "name"),
        ({"name": "x", "suite": "none"}, "suite"),
        ({"name": "x", "users": ["nobody"]}, "users"),
        ({"name": "x", "purposes": []}, "purposes"),
        ({"name": "x", "purposes": ["mail"]}, "purposes.0"),
        ({"name": "x", "target": "5"}, "target"),
        ({"name": "x", "labels": {"a": 1}}, "labels.a"),
        ({"name": "x", "colour": 1}, "colour"),
    ],
    ids=str,
)
def test_bad_input_is_told_by_field(admin_api: Api, pool, body, field):
    answer = admin_api.post("pools", body)
    assert answer.status_code == 400, answer.content
    assert field in {error["field"] for error in answer.json()["errors"]}
