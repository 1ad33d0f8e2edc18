"""A file is shared over the API: given, listed, ended at its time, revoked."""

from datetime import timedelta

import pytest

from apps.access import principals
from apps.access.known import callers
from apps.audit.services import entries_page
from apps.common import clock
from tests import requirement
from tests.conftest import TESTS
from tests.files.test_documents import encrypted
from tests.uploads import record_of


@pytest.fixture
def file_id(api, stock):
    return encrypted(api, b"shared")["file_id"]


def share(api, file_id, grantee, **more):
    return api.post(f"files/{file_id}/grants", {"grantee": str(grantee), **more})


def status(api, file_id):
    return api.get(f"files/{file_id}/content").status_code


@requirement("C16", "E3")
def test_a_file_is_shared_read_and_taken_back(api, other_api, file_id):
    assert status(other_api, file_id) == 404
    answer = share(api, file_id, other_api.actor)
    assert (answer.status_code, answer.json()["right"], answer.json()["until"]) == (201, "read", None)
    assert status(other_api, file_id) == 200
    assert other_api.delete(f"files/{file_id}").status_code == 404
    shared = other_api.get("files?owner=shared").json()["items"]
    assert [one["file_id"] for one in shared] == [file_id]
    gone = api.delete(f"files/{file_id}/grants/{other_api.actor}")
    assert (gone.status_code, gone.json()) == (200, {"grantee": str(other_api.actor)})
    assert status(other_api, file_id) == 404
    assert api.delete(f"files/{file_id}/grants/{other_api.actor}").status_code == 404


@requirement("C16")
def test_a_share_ends_at_its_time(api, other_api, file_id, later):
    until = clock.as_text(clock.now() + timedelta(hours=1))
    assert share(api, file_id, other_api.actor, until=until).json()["until"] is not None
    assert status(other_api, file_id) == 200
    later(hours=2)
    callers.clear()
    assert status(other_api, file_id) == 404


@requirement("C16")
def test_who_may_write_may_share_on_no_more_than_they_may_give(api, other_api, admin_api, file_id):
    share(api, file_id, other_api.actor, right="write")
    assert other_api.delete(f"files/{file_id}").status_code == 200
    assert share(other_api, file_id, admin_api.actor).status_code == 404
    assert other_api.get(f"files/{file_id}/grants").status_code == 404


@requirement("C16")
def test_grants_are_listed_newest_first_and_given_again_replaced(api, other_api, admin_api, file_id):
    for grantee in (other_api.actor, admin_api.actor):
        share(api, file_id, grantee)
    share(api, file_id, other_api.actor, right="write")
    found = api.get(f"files/{file_id}/grants?limit=10").json()["items"]
    assert [(one["grantee"], one["right"]) for one in found] == [
        (str(other_api.actor), "write"),
        (str(admin_api.actor), "read"),
    ]
    assert {one["granted_by"] for one in found} == {str(api.actor)}


@requirement("C16", "E8")
def test_a_group_is_shared_with(api, other_api, file_id):
    group = principals.make_group("friends", actor=TESTS).principal_id
    principals.change(str(other_api.actor), groups=[group], actor=TESTS)
    callers.clear()
    assert share(api, file_id, group).status_code == 201
    assert status(other_api, file_id) == 200


@requirement("C16", "I8")
@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"grantee": "nobody"}, 400), ({"grantee": "service:nobody"}, 404), ({"grantee": "me"}, 400),
        ({"until": "2020-01-01T00:00:00Z"}, 400), ({"until": "tomorrow"}, 400), ({"right": "own"}, 400),
    ],
)  # fmt: skip
def test_what_cannot_be_given_is_refused_by_name(api, other_api, file_id, asked, code):
    answer = api.post(f"files/{file_id}/grants", {"grantee": str(other_api.actor)} | asked)
    assert answer.status_code == code, answer.content


@requirement("C16", "D1")
def test_who_gave_what_to_whom_is_recorded(api, other_api, file_id):
    share(api, file_id, other_api.actor)
    entry = next(e for e in entries_page(limit=20).records if e.event == "grant.given")
    assert (entry.actor, entry.detail["grantee"]) == (str(api.actor), str(other_api.actor))
    assert entry.detail["object"] == f"file:{file_id}"


@requirement("C16", "E3")
def test_what_is_another_s_cannot_be_shared(api, other_api, file_id):
    assert share(other_api, file_id, other_api.actor).status_code == 404
    assert other_api.delete(f"files/{file_id}/grants/{api.actor}").status_code == 404
    assert record_of(file_id).owner == str(api.actor)
