"""Quotas: what a principal may use in a month, counted by the rollups, refused with what is used and allowed (E4, I11)."""

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.access import conf, grants, principals, quotas
from apps.access.quotas import Quota
from apps.access.records import Right
from apps.access.roles import Role
from apps.common.aws import client
from apps.rollups.store import RollupTable
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS, Api
from tests.faults import counted
from tests.trail_stream import event, records
from tests.uploads import deliver, registered

pytestmark = [requirement("E4", "I11"), pytest.mark.django_db, pytest.mark.usefixtures("within_half_an_hour")]
MESSAGE = {"plaintext": "hello"}


@pytest.fixture(autouse=True)
def _fresh():
    quotas.forget()
    yield
    quotas.forget()


def follow():
    """The trail counted, and read again."""
    handler(event(records()), None)
    quotas.forget()


def allow(principal_id: object, **allowed: int) -> None:
    principals.change(str(principal_id), quotas=allowed, actor=TESTS)


def usages(answer):
    assert answer.status_code == 200, answer.content
    return {one["quota"]: one for one in answer.json()["usages"]}


def test_what_is_used_is_counted_for_whom_it_is_done(stock, api, other_api):
    api.post("encrypt", MESSAGE)
    api.post("encrypt/batch", {"messages": [MESSAGE, MESSAGE]})
    deliver(registered(api, b"x" * 1000).event)
    follow()
    used = {name: one["used"] for name, one in usages(api.get("usage")).items()}
    assert used == {"keys": 3, "files": 1, "bytes": 1000, "jobs": 0}
    assert all(one["used"] == 0 for one in usages(other_api.get("usage")).values())


def test_a_used_up_quota_is_refused_with_what_is_used_and_allowed(stock, api, other_api, admin_api):
    told = admin_api.call("PATCH", f"principals/{api.client}", {"quotas": {"keys": 2}})
    assert (told.status_code, told.json()["quotas"]) == (200, {"keys": 2})
    api.post("encrypt", MESSAGE)
    follow()
    near = api.post("encrypt", MESSAGE)
    assert (near.status_code, '"keys a month";r=1' in near["RateLimit"]) == (200, True)
    follow()
    for path, body in (("encrypt", MESSAGE), ("data-keys", {}), ("files", {"name": "a"})):
        answer = api.post(path, body)
        problem = answer.json()
        assert (answer.status_code, problem["type"].rpartition("/")[2]) == (403, "quota-used-up")
        assert (problem["quota"], problem["used"], problem["allowed"]) == ("keys", 2, 2)
        assert "2 of 2 keys" in problem["detail"]
    used = usages(api.get("usage"))["keys"]
    assert used == {"quota": "keys", "used": 2, "allowed": 2, "remaining": 0, "near": True}
    assert usages(admin_api.get(f"principals/{api.client}/usage"))["keys"] == used
    assert api.get("files").status_code == 200, "what uses nothing goes on"
    assert other_api.post("encrypt", MESSAGE).status_code == 200, "and so do others"


@requirement("I10")
@pytest.mark.parametrize(
    ("number", "used"),
    [({"N": "-5"}, -5), ({"N": "1000000"}, 1_000_000), ({"S": "many"}, 0), (None, 0)],
    ids=["less than none", "many", "no number", "absent"],
)
def test_who_writes_the_rollups_moves_a_count_and_nothing_else(stock, api, other_api, number, used):
    """Rollups carry no tag: they limit a budget, and give no right."""
    sealed = api.post("encrypt", MESSAGE).json()
    allow(api.client, keys=2)
    follow()
    for item in client("dynamodb").scan(TableName=RollupTable.Meta.table_name)["Items"]:
        changed = {**item, "number": number, "total": number}
        kept = {name: value for name, value in changed.items() if value is not None}
        client("dynamodb").put_item(TableName=RollupTable.Meta.table_name, Item=kept)
    quotas.forget()
    assert usages(api.get("usage"))["keys"]["used"] == used
    assert api.post("encrypt", MESSAGE).status_code == (403 if used > 2 else 200)
    assert other_api.post("encrypt", MESSAGE).status_code == 200, "who has no quota is not asked"
    assert other_api.post("decrypt", sealed).status_code == 400, "and can open nothing by it"
    assert api.post("decrypt", sealed).status_code == 200


def test_jobs_are_limited_where_they_start(stock, api, monkeypatch):
    monkeypatch.setattr("apps.sessions.tasks.generate_batch.apply_async", lambda *_, **__: None)
    allow(api.client, jobs=1)
    assert api.post("qkd/batches", {"count": 1}).status_code == 202
    follow()
    assert api.post("qkd/batches", {"count": 1}).status_code == 403
    later = api.call("POST", "qkd/generate", {"key_length": 256}, Prefer="respond-async")
    assert later.status_code == 403
    assert api.post("qkd/generate", {"key_length": 256}).status_code == 201, "this is no job"


def test_its_own_quota_comes_before_its_groups_and_these_before_the_platforms(aws, monkeypatch):
    monkeypatch.setattr(settings, "QUOTAS", {"keys": 1, "jobs": 7})
    small, large = (principals.make_group(name, actor=TESTS) for name in ("small", "large"))
    member = principals.make_service(
        "member", role=Role.CLIENT, groups=[small.principal_id, large.principal_id], actor=TESTS
    )
    allow(small.principal_id, keys=10, files=1)
    allow(large.principal_id, keys=20)
    assert quotas.allowed(member) == {Quota.KEYS: 20, Quota.FILES: 1, Quota.JOBS: 7}
    allow(member.principal_id, keys=5)
    assert quotas.allowed(principals.find(member.principal_id))[Quota.KEYS] == 5
    allow(member.principal_id)
    assert quotas.allowed(principals.find(member.principal_id))[Quota.KEYS] == 20


def test_what_a_group_owns_counts_for_the_group(stock, admin_api):
    group = principals.make_group("accounts", actor=TESTS)
    member = Api(Role.CLIENT)
    principals.change(str(member.client), groups=[group.principal_id], actor=TESTS)
    deliver(registered(member, b"abc", owner=group.principal_id).event)
    allow(group.principal_id, files=1)
    follow()
    assert usages(admin_api.get(f"principals/{group.principal_id}/usage"))["files"]["used"] == 1
    refused = member.post("files", {"name": "b", "owner": group.principal_id})
    assert (refused.status_code, refused.json()["quota"]) == (403, "files")
    assert member.post("files", {"name": "b"}).status_code == 201, "its own is counted apart"


def test_a_version_is_held_against_who_owns_the_document(stock, api, other_api):
    upload = registered(api, b"abc")
    deliver(upload.event)
    file_id = upload.file_id
    name = grants.file_object(file_id)
    grants.give(str(other_api.actor), name, Right.WRITE, owner=str(api.actor), actor=api.actor)
    allow(api.client, files=1)
    follow()
    refused = other_api.post(f"files/{file_id}/versions", {})
    assert (refused.status_code, refused.json().get("quota")) == (403, "files")
    assert str(api.client) in refused.json()["detail"]
    allow(api.client, files=2)
    quotas.forget()
    assert other_api.post(f"files/{file_id}/versions", {}).status_code == 201


def test_a_key_given_out_is_used_though_no_body_ever_comes(stock, api):
    told = {"name": "local", "upload_id": "one-upload"}
    first, again = api.post("local-files", told), api.post("local-files", told)
    assert (first.status_code, again.status_code) == (201, 200), "given out twice, it is one key"
    allow(api.client, keys=1)
    follow()
    used = {name: one["used"] for name, one in usages(api.get("usage")).items()}
    assert used == {"keys": 1, "files": 0, "bytes": 0, "jobs": 0}
    assert api.post("local-files", {"name": "another"}).status_code == 403


@pytest.mark.parametrize(("path", "body"), [("encrypt", MESSAGE), ("encrypt/batch", {"messages": [MESSAGE]})])
def test_what_used_the_last_of_a_quota_is_answered_again(stock, api, path, body):
    allow(api.client, keys=1)
    first = api.call("POST", path, body, IDEMPOTENCY_KEY="once")
    follow()
    again = api.call("POST", path, body, IDEMPOTENCY_KEY="once")
    assert (first.status_code, again.status_code, again["Idempotency-Replayed"]) == (200, 200, "true")
    assert api.call("POST", path, body, IDEMPOTENCY_KEY="twice").status_code == 403


def test_who_has_no_quota_costs_no_call_and_who_has_one_is_asked_for_once(stock, api, other_api):
    allow(api.client, keys=1000)
    for caller in (api, other_api):
        caller.post("encrypt", MESSAGE)
    with counted() as calls:
        other_api.post("encrypt", MESSAGE)
    without = len(calls)
    with counted() as calls:
        api.post("encrypt", MESSAGE)
    assert len(calls) == without


def test_a_month_ends(stock, api, later):
    allow(api.client, keys=1)
    api.post("encrypt", MESSAGE)
    follow()
    assert api.post("encrypt", MESSAGE).status_code == 403
    later(days=31)
    assert api.post("encrypt", MESSAGE).status_code == 200
    month = api.get("usage").json()
    assert month["begins"][8:10] == month["ends"][8:10] == "01"
    assert month["begins"] <= month["counted_at"] < month["ends"]


def test_without_counts_the_request_goes_on(stock, api):
    allow(api.client, keys=0)
    assert api.post("encrypt", MESSAGE).status_code == 403
    quotas.forget()
    RollupTable.delete_table()
    assert api.post("encrypt", MESSAGE).status_code == 200


@pytest.mark.parametrize(
    "given",
    [{"keys": -1}, {"keys": True}, {"keys": "5"}, {"keys": 10**16}, {"minutes": 1}, [], {"keys": None}],
)
def test_a_quota_that_is_none_is_refused(admin_api, api, given):
    assert admin_api.call("PATCH", f"principals/{api.client}", {"quotas": given}).status_code == 400


@pytest.mark.parametrize("given", [{"keys": -1}, {"keys": True}, {"requests": 1}])
def test_a_platform_whose_quotas_are_none_does_not_start(given):
    with pytest.raises(ImproperlyConfigured):
        conf._check_quotas(given)


def test_only_who_may_manage_sets_quotas(api, admin_api):
    assert api.call("PATCH", f"principals/{api.client}", {"quotas": {}}).status_code == 403
    assert api.get(f"principals/{admin_api.client}/usage").status_code == 403
    assert admin_api.get("principals/service:none/usage").status_code == 404
