"""No request counts what grows with the whole: the job does, and the answer comes at once (E4, I11)."""

from dataclasses import fields, replace

import pytest

from apps.common import clock
from apps.custody import counting, destruction, reencryption, retirement, rotations, tasks
from apps.custody.reencryption import Suspect, SuspectKind
from apps.files import store
from apps.files.keys import rewrap
from apps.files.life import versions
from apps.files.records import Version, version_id_of
from apps.files.states import FileStatus
from apps.files.store import FileTable
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.keys import rotation
from apps.keys.records import rotation_id_of
from apps.sessions.records import KeyPurpose, QuantumKey, QuantumKeyState
from apps.sessions.store import QuantumKeyTable
from tests import requirement
from tests.conftest import TESTS
from tests.custody.files import rows_under
from tests.faults import counted, watched
from tests.files.test_documents import encrypted, replaced
from tests.queues import into
from tests.sessions.ready import long
from tests.tables import save


@pytest.fixture
def sent(monkeypatch):
    ids: list[str] = []
    for task in (tasks.rewrap_files, tasks.reencrypt_files):
        monkeypatch.setattr(task, "apply_async", into(ids))
    return ids


@pytest.fixture(autouse=True)
def _at_once(monkeypatch, settings):
    monkeypatch.setattr(rotations, "SETTLE_SECONDS", 0)
    settings.REWRAP_PER_SECOND = 1_000_000


@requirement("C5", "E4", "I11")
@pytest.mark.parametrize("end", [retirement.rotate, retirement.revoke])
def test_taking_a_key_out_of_use_reads_none_of_its_files(pool, sent, end):
    rows_under(pool[0], 3)
    asked = set()

    def around(call, aws, operation, arguments):
        asked.update({arguments.get("TableName"), *arguments.get("RequestItems", ())})
        return call(aws, operation, arguments)

    with watched(around):
        job = end(pool[0].key_id, reason="test", actor=TESTS).job
    assert FileTable.Meta.table_name not in asked
    assert job.total == 0
    tasks.rewrap_files(sent.pop())
    done = jobs.find(job.job_id, actor=TESTS)
    assert (done.state, done.done, done.total) == (JobState.SUCCEEDED, 3, 3)


@requirement("C6", "F5")
def test_a_job_tells_the_total_before_its_first_step_and_counts_again_what_it_did_not_see(
    pool, sent, monkeypatch
):
    rows_under(pool[0], 90)
    told: list[int] = []
    real = rewrap.rewrap_files

    def looked_at(*arguments, **named):
        told.append(
            int(jobs.find(str(rotation.find(rotation_id_of(pool[0].key_id)).job_id), actor=TESTS).total)
        )
        return real(*arguments, **named)

    monkeypatch.setattr(rewrap, "rewrap_files", looked_at)
    retirement.rotate(pool[0].key_id, reason="test", actor=TESTS)
    tasks.rewrap_files(sent.pop())
    assert told == [90, 90, 90]


def with_versions(head, session, count):
    """Rows of a document whose versions are each under a key of one session."""
    given = {one.name: getattr(head, one.name) for one in fields(Version) if one.name != "document_id"}
    for number in range(1, count + 1):
        key_id = f"{session.session_id}.{number}"
        if number < count:
            own = {
                "file_id": version_id_of(head.file_id, number),
                "version": number,
                "quantum_key_id": key_id,
            }
            save(
                FileTable.of(
                    Version(**given | own | {"status": FileStatus.SUPERSEDED}, document_id=head.file_id)
                )
            )
        else:
            save(FileTable.of(replace(head, version=count, quantum_key_id=key_id)))
        taken = QuantumKey(
            key_id,
            session.session_id,
            number,
            QuantumKeyState.USED,
            KeyPurpose.FILE,
            head.file_id,
            str(TESTS),
            clock.now(),
        )
        save(QuantumKeyTable.of(taken))


@requirement("C5", "C6", "E4")
def test_a_document_with_forty_versions_is_read_as_a_whole(pool, sent, monkeypatch):
    """It took a GetItem for each version, once for each of the session's keys that one of them is under: 1,601."""
    made = long(1024)
    [file_id] = rows_under(pool[0], 1)
    with_versions(store.find_document(file_id), made, 40)
    with counted() as calls:
        job = reencryption.start(Suspect(SuspectKind.SESSION, made.session_id), reason="test", actor=TESTS)
    assert len(calls) <= 6, calls
    with counted() as calls:
        found = list(reencryption._affected(Suspect(SuspectKind.SESSION, made.session_id)))
    assert len({file.file_id for file in found}) == len(found) == 40
    assert set(calls) == {"BatchGetItem", "GetItem", "Query"}
    assert len(calls) <= 4
    with monkeypatch.context() as patch:
        patch.setattr(reencryption, "_reencrypt", lambda *_: None)
        tasks.reencrypt_files(sent.pop())
    assert jobs.find(job.job_id, actor=TESTS).total == 40


@requirement("C6", "I4")
def test_a_version_that_somebody_changed_is_not_passed_over(api, pool):
    """Who removes what no version names would else remove its body."""
    long(1024)
    file_id = encrypted(api, b"1")["file_id"]
    replaced(api, file_id, b"2")
    [earlier] = [one for one in versions.contents(file_id) if one.file_id != file_id]
    FileTable(earlier.file_id).update([FileTable.size.set(5)])
    with pytest.raises(Exception, match="changed outside"):
        list(versions.contents(file_id))


@requirement("C5", "E4", "I5")
def test_what_a_request_counts_is_bounded(pool, sent, monkeypatch):
    monkeypatch.setattr(counting, "AT_ONCE", 5)
    rows_under(pool[0], 12)
    retirement.revoke(pool[0].key_id, reason="test", actor=TESTS)
    with counted() as calls, pytest.raises(destruction.KeyNeeded, match="5 or more files"):
        destruction.request(pool[0].key_id, reason="test", actor=TESTS)
    assert calls.count("Query") == 1
    assert rewrap.waiting_count(pool[0].key_id, limit=5) == 5
    assert rewrap.waiting_count(pool[0].key_id) == 12
    assert rewrap.waiting_count(pool[1].key_id) == 0
    assert counting.as_words(5) == "5 or more"
    assert counting.as_words(4) == "4"


@requirement("E4")
def test_a_count_goes_on_behind_a_page_and_over_all_shards(pool, settings):
    settings.FEED_SHARDS = 3
    names = rows_under(pool[0], 30)
    assert rewrap.waiting_count(pool[0].key_id) == len(names)
    assert rewrap.waiting_count(pool[0].key_id, limit=29) == 29
