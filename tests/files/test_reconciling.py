"""The bucket of bodies against the records, both ways: what nothing names is removed, what is missing is reported."""

import os

import pytest
from django.conf import settings as django_settings

from apps.audit.services import entries_page
from apps.common.aws import client
from apps.files import services, tasks
from apps.files.bodies import objects
from apps.files.bodies.objects import ObjectRef
from apps.files.keys import reencrypt
from apps.files.life import archive, reconciling
from apps.files.records import StorageClass
from apps.files.store import FileTable
from apps.files.uploads import attempts, client_side
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.sessions import reservations
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS
from tests.faults import watched
from tests.files.test_client_side import uploaded
from tests.files.test_documents import encrypted, replaced
from tests.queues import into
from tests.tables import tamper, versions
from tests.uploads import plaintext_of, record_of, registered

ENCRYPTED = django_settings.ENCRYPTED_BUCKET


@pytest.fixture
def sent(monkeypatch):
    ids: list[str] = []
    monkeypatch.setattr(tasks.reconcile_bodies, "apply_async", into(ids))
    return ids


@pytest.fixture
def run(sent, later):
    """Let a day pass, and compare; the job as it ended."""

    def compare():
        later(days=1, hours=1)
        assert tasks.reconcile_daily() == 1
        tasks.reconcile_bodies(sent[-1])
        return jobs.find(sent[-1], actor=TESTS)

    return compare


def stray(key):
    answer = client("s3").put_object(Bucket=ENCRYPTED, Key=key, Body=b"stray")
    return (key, answer["VersionId"])


def bodies():
    return {(one["Key"], one["VersionId"]) for one in versions(ENCRYPTED)}


@requirement("C6", "C9", "I4")
def test_what_no_record_names_is_removed_and_all_else_stays(api, stock, run):
    file_id = encrypted(api, b"one")["file_id"]
    replaced(api, file_id, b"two")
    cold = encrypted(api, b"cold")["file_id"]
    archive.archive(cold, storage_class=StorageClass.GLACIER_IR, actor=TESTS)
    deleted = encrypted(api, b"deleted")["file_id"]
    services.delete(deleted, actor=TESTS)
    uploaded(api, b"of a client")
    waiting, _ = client_side.announce(name="x", actor=api.actor)
    client("s3").put_object(**keys_of(waiting.file.body), Body=b"to be finished")
    kept = bodies()
    strays = {stray(record_of(file_id).body["key"]), stray(f"files/{file_id}/x.7"), stray("client-files/a/b")}
    job = run()
    assert (job.state, job.results["removed"]) == (JobState.SUCCEEDED, 3)
    assert bodies() == kept
    assert not strays & bodies()
    events = [entry.event for entry in entries_page(limit=50, by="file", value=file_id).records]
    assert events.count("body.removed") == 2
    assert plaintext_of(f"{file_id}.v1") == b"one"


def keys_of(body):
    return {"Bucket": body["bucket"], "Key": body["key"]}


@requirement("I4", "C9")
def test_a_body_that_may_still_be_committed_stays_however_old(api, stock, run):
    attempt = attempts.begin(document_id="d", file_id="d", owner="o", actor=TESTS)
    place = stray(attempt.place.key)
    assert run().results["removed"] == 0
    assert place in bodies()
    reservations.discard([attempt.reserved], actor=TESTS)
    assert run().results["removed"] == 1


@requirement("I4", "C6")
def test_what_is_committed_while_it_looks_stays(api, stock, run, monkeypatch):
    file_id = encrypted(api, b"content")["file_id"]
    listed = objects.stored_versions

    def committed_meanwhile(bucket, **where):
        found = list(listed(bucket, **where))
        monkeypatch.setattr(objects, "stored_versions", listed)
        reencrypt.reencrypt(file_id, actor=TESTS)
        return iter(found)

    monkeypatch.setattr(objects, "stored_versions", committed_meanwhile)
    run()
    assert plaintext_of(file_id) == b"content"


@requirement("C6")
def test_new_bodies_are_left_alone(api, stock):
    stray("files/a/b")
    assert reconciling.remove_unnamed("", actor=TESTS).removed == 0


@requirement("I4", "D1")
@pytest.mark.parametrize("harm", ["removed", "cut"])
def test_a_body_that_is_missing_or_cut_is_reported(api, stock, run, harm):
    whole, harmed = encrypted(api, b"whole")["file_id"], encrypted(api, b"harmed")["file_id"]
    body = ObjectRef.of(record_of(harmed).body)
    if harm == "removed":
        objects.remove(body)
        job = run()
    else:
        with watched(cutting(body.key)):
            job = run()
    assert (job.state, job.results["missing"]) == (JobState.FAILED, [harmed])
    assert "missing" in str(job.error)
    entry = entries_page(limit=1, by="file", value=harmed).records[0]
    assert (entry.event, entry.outcome) == ("body.missing", "failed")
    assert plaintext_of(whole) == b"whole"


def cutting(key):
    def around(call, aws, operation, arguments):
        answer = call(aws, operation, arguments)
        if operation == "HeadObject" and arguments["Key"] == key:
            answer["ContentLength"] -= 1
        return answer

    return around


@requirement("C9")
def test_a_worker_that_ends_is_followed_by_one_that_goes_on(api, stock, sent, later, monkeypatch):
    monkeypatch.setattr(reconciling, "PAGE", 1)
    for _ in range(3):
        file_id = encrypted(api, os.urandom(10))["file_id"]
        stray(
            f"files/{file_id}/!"
        )  # before the file's own body: moto lists nothing behind a key that is gone
    later(days=1)
    tasks.reconcile_daily()
    seen = []
    step = reconciling.remove_unnamed

    def killed_at_the_third(after, *, actor):
        seen.append(after)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return step(after, actor=actor)

    monkeypatch.setattr(reconciling, "remove_unnamed", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        tasks.reconcile_bodies(sent[0])
    later(hours=1)  # its heartbeats have ended
    tasks.reconcile_bodies(sent[0])
    job = jobs.find(sent[0], actor=TESTS)
    assert (job.state, job.results["removed"], job.results["phase"]) == (JobState.SUCCEEDED, 3, "done")
    assert seen[3] == seen[2] != ""


@requirement("C9")
@pytest.mark.usefixtures("within_half_an_hour")
def test_once_a_day(sent, aws, later):
    assert [tasks.reconcile_daily() for _ in range(3)] == [1, 0, 0]
    later(days=1)
    assert tasks.reconcile_daily() == 1


@requirement("C6", "C9")
def test_a_second_version_that_arrives_late_is_found(api, stock, run):
    """The answer to a write was lost, and the network delivered it once more after the commit."""
    upload = registered(api, b"content")
    handler(upload.event, None)
    place = record_of(upload.file_id).body["key"]
    late = stray(place)
    run()
    assert late not in bodies()
    assert plaintext_of(upload.file_id) == b"content"


@requirement("I10", "I4")
def test_a_forged_row_stops_nothing_and_loses_no_body(api, stock, run):
    forged, other = encrypted(api, b"forged")["file_id"], encrypted(api, b"other")["file_id"]
    replaced(api, forged, b"second")
    tamper(FileTable, {"file_id": {"S": f"{forged}.v1"}}, body={"S": "{}"})
    stray(f"files/{other}/!")
    kept = bodies() - {stray(f"files/{other}/!")}
    job = run()
    assert (job.state, job.results["removed"]) == (JobState.SUCCEEDED, 2)
    assert {key for key, _ in bodies()} >= {key for key, _ in kept if forged in key}
    assert plaintext_of(forged) == b"second"
