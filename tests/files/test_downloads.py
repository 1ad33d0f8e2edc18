"""Decrypted copies: at once where that is quick, else by a job; asked for again, the copy that is there is found."""

import os

import pytest
import requests
from django.conf import settings as django_settings

from apps.access import grants
from apps.access.records import Right
from apps.audit.services import entries_page
from apps.common.aws import client
from apps.files import tasks
from apps.files.bodies import objects
from apps.files.keys import reencrypt
from apps.files.reading import downloads
from apps.jobs import control
from apps.jobs.records import JobState
from apps.sessions import reservations
from tests import requirement
from tests.conftest import TESTS
from tests.faults import counted, watched
from tests.files.test_documents import encrypted, replaced
from tests.queues import into
from tests.tables import versions

# The id of a job that makes a copy is of a half hour
pytestmark = pytest.mark.usefixtures("within_half_an_hour")
CONTENT = os.urandom(50_000)
DOWNLOADS = django_settings.DOWNLOADS_BUCKET


@pytest.fixture
def sent(monkeypatch):
    """Ids of jobs sent to the worker."""
    ids: list[str] = []
    monkeypatch.setattr(tasks.decrypt_download, "apply_async", into(ids))
    return ids


@pytest.fixture
def small(settings):
    settings.DOWNLOAD_AT_ONCE_BYTES = 1000


def ask(api, file_id, **body):
    return api.post(f"files/{file_id}/download", body)


def got(answer):
    return requests.get(answer.json()["url"], timeout=5).content


@requirement("C8", "C9")
def test_a_repeated_request_decrypts_nothing_again(api, stock):
    file_id = encrypted(api, CONTENT)["file_id"]
    first = ask(api, file_id)
    with counted() as calls:
        again = ask(api, file_id)
    assert (first.status_code, again.status_code) == (201, 200)
    assert got(first) == got(again) == CONTENT
    assert len(versions(DOWNLOADS)) == 1
    assert "GetObject" not in calls


@requirement("D1", "I1")
def test_each_request_has_its_entry(api, stock):
    file_id = encrypted(api, CONTENT)["file_id"]
    for _ in range(3):
        ask(api, file_id)
    read = [e for e in entries_page(limit=50, by="file", value=file_id).records if e.event == "file.read"]
    assert [entry.detail.get("purpose") for entry in read] == ["download"] * 3


@requirement("C8", "C6")
def test_another_content_is_another_copy(api, stock):
    file_id = encrypted(api, CONTENT)["file_id"]
    ask(api, file_id)
    replaced(api, file_id, b"second")
    assert got(ask(api, file_id)) == b"second"
    assert got(ask(api, f"{file_id}.v1")) == CONTENT
    reencrypt.reencrypt(file_id, actor=TESTS)
    assert got(ask(api, file_id)) == b"second"


@requirement("C4", "C8")
def test_a_copy_of_a_file_with_a_passphrase_is_given_to_who_has_it(api, stock):
    file_id = encrypted(api, CONTENT, passphrase="correct horse")["file_id"]
    assert got(ask(api, file_id, passphrase="correct horse")) == CONTENT
    assert ask(api, file_id).status_code == 400
    assert ask(api, file_id, passphrase="wrong battery").status_code == 400
    assert ask(api, file_id, passphrase="correct horse").status_code == 200


@requirement("E3", "C8")
def test_a_copy_is_found_by_those_only_who_may_read_the_file(api, other_api, stock):
    file_id = encrypted(api, CONTENT)["file_id"]
    ask(api, file_id)
    assert ask(other_api, file_id).status_code == 404


@requirement("C8", "C9")
def test_a_large_copy_is_made_by_a_job_that_is_found_again(api, stock, sent, small):
    file_id = encrypted(api, CONTENT)["file_id"]
    first, again = ask(api, file_id), ask(api, file_id)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json() == {"url": None, "expires_at": None, "job_id": sent[0]}
    assert first["Location"] == f"/api/v1/jobs/{sent[0]}"
    assert int(first["Retry-After"]) > 0
    assert len(sent) == 1
    assert versions(DOWNLOADS) == []
    tasks.decrypt_download(sent[0])
    job = api.get(f"jobs/{sent[0]}").json()
    assert (job["state"], job["kind"]) == ("succeeded", "decrypt_download")
    ready = ask(api, file_id)
    assert (ready.status_code, got(ready)) == (200, CONTENT)
    tasks.decrypt_download(sent[0])
    assert len(versions(DOWNLOADS)) == 1


@requirement("C8", "C4")
def test_a_large_file_with_a_passphrase_waits_as_the_passphrase_is_kept_nowhere(api, stock, sent, small):
    file_id = encrypted(api, CONTENT, passphrase="correct horse")["file_id"]
    answer = ask(api, file_id, passphrase="correct horse")
    assert (answer.status_code, sent) == (201, [])
    assert got(answer) == CONTENT


@requirement("C8", "E3")
def test_two_callers_jobs_are_their_own(api, other_api, stock, sent, small):
    file_id = encrypted(api, CONTENT)["file_id"]
    name = grants.file_object(file_id)
    grants.give(str(other_api.actor), name, Right.READ, owner=str(api.actor), actor=api.actor)
    jobs = {ask(api, file_id).json()["job_id"], ask(other_api, file_id).json()["job_id"]}
    assert len(jobs) == 2
    for job_id in jobs:
        tasks.decrypt_download(job_id)
    assert len(versions(DOWNLOADS)) == 1


@requirement("C8")
def test_a_cancelled_job_leaves_nothing_and_asked_again_another_begins(api, stock, sent, small):
    file_id = encrypted(api, CONTENT)["file_id"]
    job_id = ask(api, file_id).json()["job_id"]
    control.cancel(job_id, actor=TESTS)
    tasks.decrypt_download(job_id)
    assert versions(DOWNLOADS) == []
    assert ask(api, file_id).json()["job_id"] != job_id
    assert len(sent) == 2


@requirement("C8", "C9", "I8")
def test_a_job_that_finds_the_body_damaged_says_so_once_and_for_who_asks_again(api, stock, sent, small):
    file_id = encrypted(api, CONTENT)["file_id"]
    [body] = versions(django_settings.ENCRYPTED_BUCKET)
    ask(api, file_id)
    objects.remove(objects.ObjectRef(django_settings.ENCRYPTED_BUCKET, body["Key"], body["VersionId"]))
    tasks.decrypt_download(sent[0])
    assert api.get(f"jobs/{sent[0]}").json()["state"] == JobState.FAILED
    answer = ask(api, file_id)
    assert (answer.status_code, "damaged" in answer.json()["detail"]) == (409, True)
    assert versions(DOWNLOADS) == []


@requirement("C8")
def test_an_old_copy_is_made_again_before_it_is_removed(api, stock, later):
    """A URL that is given out works until its end."""
    file_id = encrypted(api, CONTENT)["file_id"]
    ask(api, file_id)
    later(seconds=downloads.REUSED_SECONDS + 1)
    assert ask(api, file_id).status_code == 201
    longest = downloads.REUSED_SECONDS + django_settings.PRESIGNED_SECONDS
    assert longest < django_settings.PRESIGNED_SECONDS + reservations.RESERVED_SECONDS


@requirement("C8", "I4")
def test_a_copy_that_was_written_in_part_is_none(api, stock, sent, small, monkeypatch):
    monkeypatch.setattr(objects, "PART_BYTES", 20_000)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    file_id = encrypted(api, CONTENT)["file_id"]
    job_id = ask(api, file_id).json()["job_id"]

    def around(call, aws, operation, arguments):
        if operation == "CompleteMultipartUpload":
            raise ConnectionError
        return call(aws, operation, arguments)

    with watched(around):
        tasks.decrypt_download(job_id)
    assert client("s3").list_multipart_uploads(Bucket=DOWNLOADS).get("Uploads", []) == []
    assert versions(DOWNLOADS) == []
