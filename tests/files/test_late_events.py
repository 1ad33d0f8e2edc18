"""Events that come hours late, twice, and in another order: every upload is encrypted, each once (C1, I4)."""

import random

import pytest

from apps.common.aws import client
from apps.files import store
from apps.files.life import sweeping
from apps.files.records import Document
from apps.files.uploads import pipeline
from apps.sessions.records import StockEmpty
from apps.sessions.store import QuantumKeyTable
from qkdplatform.lambda_handler import handler
from qkdplatform.schedules import sweep
from tests import requirement
from tests.conftest import TESTS
from tests.sessions.ready import long
from tests.tables import rows
from tests.uploads import plaintext_of, put, record_of, registered

COUNT = 6


@pytest.fixture
def plenty(pool):
    """A ready session with 1024 quantum keys."""
    return long(1024)


@requirement("C1", "I3", "I4")
@pytest.mark.parametrize("hours", [1, 30])
def test_events_that_are_late_twice_and_shuffled_leave_each_upload_encrypted_once(api, plenty, later, hours):
    uploads = [registered(api, f"content {number}".encode()) for number in range(COUNT)]
    uploads += [put(f"dropped {number}", f"dropped {number}".encode()) for number in range(COUNT)]
    events = [upload.event for upload in uploads for _ in range(2)]
    random.Random(hours).shuffle(events)
    later(hours=hours)
    for event in events:
        handler(event, None)
    assert all(upload.is_safe for upload in uploads)
    used = [row for row in rows(QuantumKeyTable.Meta.table_name) if row["state"]["S"] == "used"]
    assert len(used) == len(uploads)


@requirement("C1", "E6", "I4")
def test_versions_whose_events_come_in_reverse_are_all_kept(api, plenty, later):
    first = registered(api, b"first")
    handler(first.event, None)
    file_id, made = first.file_id, []
    for text in (b"second", b"third"):
        target = api.post(f"files/{file_id}/versions", {}).json()
        key = record_of(target["file"]["file_id"]).source["key"]
        made.append(put(key, text))
    later(hours=1)
    for upload in reversed(made):
        handler(upload.event, None)
    head = store.find_document(file_id)
    assert isinstance(head, Document)
    contents = {plaintext_of(file_id)} | {
        plaintext_of(f"{file_id}.v{number}") for number in range(1, int(head.version))
    }
    assert contents == {b"first", b"second", b"third"}


@requirement("C1", "I4")
def test_what_arrived_is_not_given_up_however_late_it_is_encrypted(api, plenty, later, monkeypatch):
    """Switched off for two days with the event in the queue, and then without a quantum key."""
    upload = registered(api, b"acknowledged")
    later(days=2)

    def no_keys(*_, **__):
        raise StockEmpty("No quantum key is ready.")

    with monkeypatch.context() as patch:
        patch.setattr("apps.files.uploads.attempts.begin", no_keys)
        with pytest.raises(ExceptionGroup):
            sweep()
        assert sweeping.give_up_uploads(actor=TESTS) == 0
    handler(upload.event, None)
    assert upload.is_safe


@requirement("C1")
def test_what_never_arrived_is_still_given_up(api, stock, later):
    upload = registered(api, b"removed by hand")
    client("s3").delete_object(
        Bucket=upload.event["Records"][0]["s3"]["bucket"]["name"], Key=upload.key, VersionId=upload.version
    )
    later(days=2)
    assert sweeping.give_up_uploads(actor=TESTS) == 1
    assert record_of(upload.file_id).status.value == "rejected"


@requirement("C1", "I4")
def test_an_upload_of_a_clock_that_was_set_back_since_is_encrypted_by_the_sweep(api, plenty, later):
    upload = registered(api, b"from tomorrow")
    assert pipeline.finish_overdue(seconds=300, actor=TESTS) == 0, "its event may still come"
    later(days=-1)
    assert pipeline.finish_overdue(seconds=300, actor=TESTS) == 1
    assert upload.is_safe
