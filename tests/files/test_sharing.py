"""Files of groups, and files that were granted: read or written by whom the owner let, as long as they let."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.client import BaseClient

from apps.access import grants, principals
from apps.access.authentication import as_actor
from apps.access.known import callers
from apps.access.records import Right
from apps.access.roles import Role
from apps.audit.records import Actor
from apps.common import clock
from tests import requirement
from tests.conftest import TESTS, Api
from tests.uploads import deliver, registered


def encrypted(api: Api, **described: Any) -> str:
    upload = registered(api, **described)
    deliver(upload.event)
    return str(upload.file_id)


def allow(owner: Api, grantee: Any, name: str, right: Right = Right.READ, **until: Any) -> None:
    grants.give(str(grantee), name, right, owner=str(owner.actor), actor=owner.actor, **until)


READS: dict[str, Callable[[Api, str], Any]] = {
    "look": lambda api, file_id: api.get(f"files/{file_id}"),
    "content": lambda api, file_id: api.get(f"files/{file_id}/content"),
    "versions": lambda api, file_id: api.get(f"files/{file_id}/versions"),
}
WRITES: dict[str, Callable[[Api, str], Any]] = {
    "delete": lambda api, file_id: api.delete(f"files/{file_id}"),
    "archive": lambda api, file_id: api.post(f"files/{file_id}/archive", {}),
    "replace": lambda api, file_id: api.post(f"files/{file_id}/versions", {}),
}


@requirement("C16", "E8")
@pytest.mark.parametrize("read", READS)
def test_what_was_granted_is_read_and_nothing_before(api: Api, other_api: Api, stock: Any, read: str) -> None:
    file_id = encrypted(api)
    assert READS[read](other_api, file_id).status_code == 404
    allow(api, other_api.actor, grants.file_object(file_id))
    assert READS[read](other_api, file_id).status_code == 200
    grants.revoke(str(other_api.actor), grants.file_object(file_id), actor=api.actor)
    assert READS[read](other_api, file_id).status_code == 404


@requirement("C16", "E8")
@pytest.mark.parametrize("write", WRITES)
def test_who_may_read_does_not_write(api: Api, other_api: Api, stock: Any, write: str) -> None:
    file_id = encrypted(api)
    allow(api, other_api.actor, grants.file_object(file_id))
    assert WRITES[write](other_api, file_id).status_code == 404
    allow(api, other_api.actor, grants.file_object(file_id), Right.WRITE)
    assert WRITES[write](other_api, file_id).status_code in {200, 201, 202}


@requirement("C16", "E8")
def test_a_document_type_is_granted_as_a_whole_until_its_end(
    api: Api, other_api: Api, stock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = encrypted(api, document_type="invoice")
    other = encrypted(api, document_type="letter")
    kind = grants.type_object(str(api.actor), "invoice")
    allow(api, other_api.actor, kind, until=clock.now() + timedelta(hours=1))
    assert other_api.get(f"files/{invoice}/content").status_code == 200
    assert other_api.get(f"files/{other}/content").status_code == 404
    later = clock.now() + timedelta(hours=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert other_api.get(f"files/{invoice}/content").status_code == 404


@requirement("E8")
def test_a_groups_file_is_its_members_and_stays_when_one_leaves(api: Api, other_api: Api, stock: Any) -> None:
    group = principals.make_group("payroll", actor=TESTS).principal_id
    refused = api.post("files", {"name": "a", "owner": group})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "owner")
    for member in (api, other_api):
        principals.change(str(member.actor), groups=[group], actor=TESTS)
    api.actor = as_actor(member_of(api), source_ip="127.0.0.1")
    file_id = encrypted(api, owner=group)
    assert other_api.get(f"files/{file_id}/content").status_code == 200
    assert [f["file_id"] for f in other_api.get(f"files?owner={group}").json()["items"]] == [file_id]
    assert other_api.get("files?owner=me").json()["items"] == []
    principals.change(str(api.actor), groups=[], actor=TESTS)
    assert api.get(f"files/{file_id}").status_code == 404
    assert other_api.get(f"files/{file_id}").status_code == 200
    assert api.get(f"files?owner={group}").status_code == 400


def member_of(api: Api) -> Any:
    from apps.access import api_keys

    callers.clear()
    return api_keys.authenticate(api.key, source_ip="127.0.0.1")


@requirement("C16", "E1")
def test_what_is_shared_with_me_is_a_list_of_its_own(api: Api, other_api: Api, stock: Any) -> None:
    shared, kept, gone = (encrypted(api) for _ in range(3))
    for file_id in (shared, gone):
        allow(api, other_api.actor, grants.file_object(file_id))
    grants.revoke(str(other_api.actor), grants.file_object(gone), actor=api.actor)
    assert [f["file_id"] for f in other_api.get("files?owner=shared").json()["items"]] == [shared]
    assert other_api.get("files").json()["items"] == []
    assert kept


@requirement("C16", "E2")
@pytest.mark.parametrize("owner", ["service:x", "group:", "all", "group:../x", "user:1"])
def test_whose_files_is_one_of_three_words(api: Api, owner: str) -> None:
    assert api.get(f"files?owner={owner}").status_code == 400


@requirement("C16", "G6")
def test_only_who_does_not_own_a_file_costs_a_call_more(
    api: Api, other_api: Api, stock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = encrypted(api)
    allow(api, other_api.actor, grants.file_object(file_id))
    seen: list[str] = []
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def counted(self: Any, operation: str, arguments: Any) -> Any:
        seen.append(operation)
        return original(self, operation, arguments)

    for reader in (api, other_api):
        reader.get("files")
    monkeypatch.setattr(BaseClient, "_make_api_call", counted)
    api.get(f"files/{file_id}")
    assert seen == ["GetItem"]
    seen.clear()
    other_api.get(f"files/{file_id}")
    assert seen == ["GetItem", "BatchGetItem"]


@requirement("I10", "C16")
def test_a_grant_that_nobody_gave_gives_nothing(api: Api, other_api: Api, stock: Any) -> None:
    from apps.access.store import GrantTable
    from apps.common.aws import client

    file_id = encrypted(api)
    helper = Actor(other_api.actor.kind, other_api.actor.id)
    name = grants.file_object(file_id)
    mine = encrypted(other_api)
    third = principals.make_service("third", role=Role.CLIENT, actor=TESTS)
    grants.give(third.principal_id, grants.file_object(mine), Right.READ, owner=str(helper), actor=helper)
    table = GrantTable.Meta.table_name
    real = client("dynamodb").scan(TableName=table)["Items"][0]
    forged = real | {
        "grant_id": {"S": f"{helper}|{name}"},
        "grantee": {"S": str(helper)},
        "object": {"S": name},
    }
    client("dynamodb").put_item(TableName=table, Item=forged)
    assert other_api.get(f"files/{file_id}").status_code == 404
    assert other_api.get(f"files/{file_id}/content").status_code == 404
