"""Recalls from cold storage: S3 tells when a body is back, and the sweep looks for itself ever more seldom (E6, I11)."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from apps.common import clock
from apps.files import store
from apps.files.life import archive
from apps.files.records import StorageClass
from apps.files.states import FileStatus
from apps.files.store import FileTable
from tests import requirement
from tests.conftest import TESTS
from tests.events import body_thawed
from tests.faults import watched
from tests.files.test_documents import encrypted
from tests.tables import rows
from tests.uploads import deliver, plaintext_of, record_of


@pytest.fixture
def frozen():
    """S3 as long as it has not thawed anything: ``calls`` counts what it is asked."""
    state: dict[str, Any] = {"thawed": False, "calls": Counter()}

    def around(call, aws, operation, arguments):
        answer = call(aws, operation, arguments)
        state["calls"][operation] += 1
        if operation == "HeadObject" and not state["thawed"] and "Restore" in answer:
            answer["Restore"] = 'ongoing-request="true"'
        return answer

    with watched(around):
        yield state


def recalling(api, content=b"cold"):
    file_id = encrypted(api, content)["file_id"]
    assert api.post(f"files/{file_id}/archive", {"storage_class": "GLACIER"}).json()["status"] == "archived"
    assert api.post(f"files/{file_id}/restore").json()["status"] == "recalling"
    return file_id


@requirement("E6", "I11")
def test_the_sweep_asks_ten_times_in_twelve_hours_and_not_every_five_minutes(api, stock, frozen, later):
    file_id = recalling(api)
    frozen["calls"].clear()
    for _ in range(144):
        later(seconds=300)
        archive.finish_moves(actor=TESTS)
    assert frozen["calls"]["HeadObject"] <= 10
    assert frozen["calls"]["RestoreObject"] == 0, "it was asked for already"
    assert frozen["calls"]["BatchGetItem"] <= 10, "what is not due is not even read"
    frozen["thawed"] = True
    later(seconds=archive.LONGEST_LOOK + 1)
    assert archive.finish_moves(actor=TESTS) == 1
    assert record_of(file_id).status is FileStatus.ENCRYPTED, "though no event came"
    assert plaintext_of(file_id) == b"cold"


@requirement("E6")
def test_an_event_goes_on_with_its_own_file_only(api, stock, frozen):
    one, other = recalling(api, b"one"), recalling(api, b"other")
    frozen["thawed"] = True
    deliver(body_thawed(record_of(one).body["key"]))
    assert record_of(one).status is FileStatus.ENCRYPTED
    assert record_of(other).status is FileStatus.RECALLING


@requirement("E6", "C8")
@pytest.mark.parametrize("key", ["files/", "files/none/x", "downloads/x", "x", "files/%2F../x"])
def test_an_event_of_what_is_not_recalled_changes_nothing(api, stock, frozen, key):
    recalling(api)
    before = rows(FileTable.Meta.table_name)
    deliver(body_thawed(key))
    assert rows(FileTable.Meta.table_name) == before


@requirement("E6")
def test_an_event_of_a_body_that_was_moved_since_changes_nothing(api, stock, frozen):
    file_id = recalling(api)
    key = record_of(file_id).body["key"]
    frozen["thawed"] = True
    deliver(body_thawed(key))
    before = record_of(file_id)
    deliver(body_thawed(key))  # AWS delivers at least once
    api.post(f"files/{file_id}/archive", {"storage_class": "GLACIER"})
    deliver(body_thawed(key))
    assert record_of(file_id).status is FileStatus.ARCHIVED
    assert before.look_after is None


@requirement("E6", "I4")
def test_a_move_that_was_interrupted_is_due_in_time(api, stock, later, monkeypatch):
    file_id = encrypted(api, b"cold")["file_id"]

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(archive, "_go_on", die)
        archive.archive(file_id, storage_class=StorageClass.GLACIER_IR, actor=TESTS)
    assert archive.finish_moves(actor=TESTS) == 0
    later(seconds=archive.FIRST_LOOK + 1)
    assert archive.finish_moves(actor=TESTS) == 1
    assert record_of(file_id).status is FileStatus.ARCHIVED


@requirement("E6")
def test_a_large_file_is_left_to_the_next_sweep(api, stock, monkeypatch, later):
    file_id = encrypted(api, b"cold")["file_id"]
    monkeypatch.setattr(archive, "AT_ONCE_BYTES", 1)
    assert api.post(f"files/{file_id}/archive", {}).json()["status"] == "archiving"
    later(seconds=1)
    assert archive.finish_moves(actor=TESTS) == 1


@requirement("I10")
def test_when_a_move_is_looked_at_decides_nothing(api, stock, frozen):
    """A counter outside of the tag: who puts it off delays the sweep, not the event, and forges no record."""
    file_id = recalling(api)
    document = record_of(file_id)
    store.look_again(document, after=clock.now() + timedelta(days=400), looks=99)
    frozen["thawed"] = True
    deliver(body_thawed(document.body["key"]))
    assert record_of(file_id).status is FileStatus.ENCRYPTED
