"""What somebody who writes the tables, but has none of the platform's keys, tries on files (I10)."""

import threading
from typing import Any

import pytest
from django.conf import settings

from apps.audit.services import entries_page
from apps.common import clock
from apps.common.authenticated import RecordForged
from apps.common.aws import client
from apps.files import services, store
from apps.files.keys import reencrypt, rewrap
from apps.files.life import archive, orphans, shredding, sweeping
from apps.files.records import Orphan, StorageClass
from apps.files.states import FileStatus
from apps.files.store import FileTable
from apps.files.uploads import client_side, giving_up
from apps.keys import services as keys
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS, Api, forget_everything
from tests.files.test_documents import encrypted, replaced
from tests.tables import every, everything, tamper, versions
from tests.uploads import put, record_of

FORGED = (409, "http://127.0.0.1:8000/api/problems/record-forged")
OTHERS_BODY = '{"bucket":"%s","key":"%s","version":"%s"}'


def item_of(file_id: str) -> dict[str, Any]:
    return client("dynamodb").get_item(TableName=FileTable.Meta.table_name, Key=key_of(file_id))["Item"]


def key_of(file_id: str) -> dict[str, Any]:
    return {"file_id": {"S": file_id}}


def attack(file_id: str, **changed: Any) -> None:
    tamper(FileTable, key_of(file_id), **changed)
    forget_everything()  # as another process finds it


def status_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("type", "")


@requirement("E3", "I10")
def test_a_file_does_not_change_hands(api: Api, other_api: Api, stock: Any) -> None:
    file_id = encrypted(api, b"mine")["file_id"]
    owner = str(other_api.actor)
    attack(file_id, owner={"S": owner}, owner_feed={"S": f"{owner}#0"})
    for answer in (
        other_api.get(f"files/{file_id}"),
        other_api.get(f"files/{file_id}/content"),
        other_api.post(f"files/{file_id}/digest", {}),
        other_api.post(f"files/{file_id}/key", {}),
    ):
        assert status_of(answer) == FORGED
        assert file_id in answer.json()["detail"]


CHANGES: dict[str, dict[str, Any]] = {
    "owner": {"S": "service:another"},
    "status": {"S": "deleted"},
    "kind": {"S": "version"},
    "name": {"S": "another"},
    "document_type": {"S": "another"},
    "media_type": {"S": "text/html"},
    "body": {"S": "{}"},
    "envelope": {"S": "{}"},
    "suite": {"S": "another"},
    "pool_key_id": {"S": "pk-another"},
    "quantum_key_id": {"S": "another.0"},
    "size": {"N": "1"},
    "storage_class": {"S": "GLACIER"},
    "version": {"N": "7"},
    "moved_from": {"S": OTHERS_BODY % (settings.ENCRYPTED_BUCKET, "bodies/another", "1")},
    "shred_after": {"S": "2020-01-01T00:00:00.000000Z"},
    "sealed_digest": {"B": b"x" * 60},
    "tag": {"S": "x"},
}


@requirement("C5", "I4", "I10")
def test_nothing_is_done_with_a_changed_file(api: Api, stock: Any) -> None:
    file_id = encrypted(api, b"content")["file_id"]
    row, before = item_of(file_id), everything()
    for name, value in CHANGES.items():
        attack(file_id, **{name: value})
        attacked = item_of(file_id)
        answers = [
            api.get(f"files/{file_id}/content"),
            api.post(f"files/{file_id}/digest", {}),
            api.post(f"files/{file_id}/download", {}),
            api.post(f"files/{file_id}/key", {}),
            api.post(f"files/{file_id}/archive", {}),
            api.post(f"files/{file_id}/restore"),
            api.post(f"files/{file_id}/versions", {}),
            api.delete(f"files/{file_id}"),
        ]
        assert [status_of(answer) for answer in answers] == [FORGED] * len(answers), name
        with pytest.raises(RecordForged, match=file_id):
            reencrypt.reencrypt(file_id, actor=TESTS)
        assert item_of(file_id) == attacked, name
        client("dynamodb").put_item(TableName=FileTable.Meta.table_name, Item=row)
    assert everything() == before
    assert api.get(f"files/{file_id}/content").content == b"content"


@requirement("I10", "C9")
def test_one_file_does_not_take_the_place_of_another(api: Api, other_api: Api, stock: Any) -> None:
    theirs, mine = (encrypted(who, b"text")["file_id"] for who in (api, other_api))
    attack(
        mine, **{name: value for name, value in item_of(theirs).items() if name not in {"file_id", "owner"}}
    )
    assert status_of(other_api.get(f"files/{mine}/content")) == FORGED
    assert api.get(f"files/{theirs}/content").content == b"text"


@requirement("E6", "I10")
def test_a_deleted_file_does_not_come_back_by_a_write(api: Api, stock: Any) -> None:
    file_id = encrypted(api)["file_id"]
    api.delete(f"files/{file_id}")
    attack(file_id, status={"S": "encrypted"}, shred_after=None)
    assert status_of(api.get(f"files/{file_id}/content")) == FORGED


@requirement("C4", "I10")
def test_an_upload_is_not_encrypted_for_somebody_else_or_with_another_passphrase(
    api: Api, other_api: Api, stock: Any
) -> None:
    mine, theirs = (
        who.post("files", {"name": "x", "passphrase": "a long passphrase"}).json()["file"]["file_id"]
        for who in (api, other_api)
    )
    for changed in ({"passphrase": item_of(theirs)["passphrase"]}, {"owner": {"S": str(other_api.actor)}}):
        before = item_of(mine)
        attack(mine, **changed)
        upload = put(f"uploads/{mine}", b"text")
        with pytest.RaisesGroup(pytest.RaisesExc(RecordForged, match=mine)):
            handler(upload.event, None)
        assert not upload.is_gone, "the plaintext is kept"
        client("dynamodb").put_item(TableName=FileTable.Meta.table_name, Item=before)


@requirement("C4", "I10")
def test_a_passphrase_is_not_taken_away_from_an_upload(api: Api, stock: Any) -> None:
    file_id = api.post("files", {"name": "x", "passphrase": "a long passphrase"}).json()["file"]["file_id"]
    attack(file_id, passphrase={"S": "{}"})
    upload = put(f"uploads/{file_id}", b"text")
    with pytest.RaisesGroup(pytest.RaisesExc(RecordForged, match=file_id)):
        handler(upload.event, None)
    assert not upload.is_gone


@requirement("I4", "I10")
@pytest.mark.parametrize("how", ["made up", "changed"])
def test_an_orphan_does_not_remove_somebodys_body(api: Api, stock: Any, later: Any, how: str) -> None:
    file_id = encrypted(api, b"precious")["file_id"]
    body = record_of(file_id).body
    _, secret = client_side.announce(name="x", actor=TESTS)
    giving_up.abort(secret.file.file_id, actor=TESTS)
    (note,) = store.orphans_before(clock.now())
    pointing = {"S": OTHERS_BODY % (body["bucket"], body["key"], body["version"])}
    if how == "changed":
        attack(note.file_id, body=pointing)
    else:
        client("dynamodb").put_item(
            TableName=FileTable.Meta.table_name,
            Item=item_of(note.file_id) | {"file_id": {"S": "orphan.made-up"}, "body": pointing},
        )
    later(days=2)
    assert orphans.remove_due(actor=TESTS) == (0 if how == "changed" else 1)
    assert [one["Key"] for one in versions(settings.ENCRYPTED_BUCKET)] == [body["key"]]
    assert api.get(f"files/{file_id}/content").content == b"precious"


@requirement("I4", "I10")
def test_a_file_in_a_list_where_it_does_not_belong_is_not_acted_on(api: Api, stock: Any, later: Any) -> None:
    """Index keys carry no tag: the record says whether it belongs there."""
    file_id = encrypted(api, b"precious")["file_id"]
    for feed in ("orphan", "awaiting_upload", "awaiting_body", "archiving", "recalling"):
        moved = {"move_feed": {"S": "all#0"}, "look_after": {"S": "2020-01-01T00:00:00.000000Z"}}
        attack(file_id, status_feed={"S": f"{feed}#0"}, shred_feed={"S": "all#0"}, **moved)
        later(days=40)
        assert orphans.remove_due(actor=TESTS) == 0
        assert sweeping.give_up_uploads(actor=TESTS) == 0
        assert archive.finish_moves(actor=TESTS) == 0
        assert shredding.shred_due(actor=TESTS) == 0
    assert api.get(f"files/{file_id}/content").content == b"precious"


@requirement("E6", "I10")
def test_one_forged_row_does_not_keep_the_others_from_being_shredded(
    api: Api, stock: Any, later: Any
) -> None:
    bad, good = (encrypted(api)["file_id"] for _ in range(2))
    for file_id in (bad, good):
        api.delete(f"files/{file_id}")
    attack(bad, owner={"S": "service:another"})
    later(days=40)
    assert shredding.shred_due(actor=TESTS) == 1
    assert record_of(good).status is FileStatus.SHREDDED
    assert item_of(bad)["status"] == {"S": "deleted"}


@requirement("I5", "I10")
def test_an_earlier_version_that_was_changed_is_refused_and_named(api: Api, stock: Any) -> None:
    file_id = encrypted(api, b"one")["file_id"]
    replaced(api, file_id, b"two")
    attack(f"{file_id}.v1", document_id={"S": "another"})
    answer = api.get(f"files/{file_id}.v1/content")
    assert status_of(answer) == FORGED
    assert f"{file_id}.v1" in answer.json()["detail"]
    assert api.get(f"files/{file_id}/content").content == b"two"


@requirement("I10")
def test_racing_changes_of_one_file_leave_a_row_that_its_tag_fits(api: Api, stock: Any, pool: Any) -> None:
    file_id = encrypted(api, b"content")["file_id"]
    file = record_of(file_id)
    source = keys.find(file.pool_key_id)
    target = next(key for key in pool if key.key_id != source.key_id)
    acts = [
        lambda: rewrap.rewrap_files([file], source=source, target=keys.find(target.key_id), actor=TESTS),
        lambda: services.delete(file_id, actor=TESTS),
        lambda: archive.archive(file_id, storage_class=StorageClass.GLACIER_IR, actor=TESTS),
        lambda: reencrypt.reencrypt(file_id, actor=TESTS),
    ] * 3
    start = threading.Barrier(len(acts))
    failures: list[Exception] = []

    def race(act: Any) -> None:
        start.wait()
        try:
            act()
        except Exception as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    threads = [threading.Thread(target=race, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [failure for failure in failures if isinstance(failure, RecordForged)]
    assert [row.row_name for row in FileTable.scan() if not row.is_authentic()] == []
    assert any(entry.file_id == file_id for entry in every(entries_page))
    assert all(isinstance(row.record(), Orphan) or row.owner for row in FileTable.scan())
