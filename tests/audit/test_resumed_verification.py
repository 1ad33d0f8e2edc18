"""A verification whose worker ends goes on where it was, and what is kept of it cannot be forged."""

import json
from typing import Any

import pytest

from apps.audit import checkpointing, progress, reading, tasks, writing
from apps.audit.records import SWEEPER, system
from apps.audit.services import record
from apps.audit.store import EntryTable
from apps.audit.verifying import Depth
from apps.common.aws import client
from apps.files.trail import FileEvent
from apps.jobs import control
from apps.jobs import services as jobs
from apps.jobs.heartbeats import Work
from apps.jobs.records import JobState
from tests import requirement
from tests.conftest import TESTS

ACTOR = system("tests")
CHAINS = ("003", "009")


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def read(aws: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two chains; each page has one entry, and what is read is noted, chain by chain."""
    names = writing.known_chains().names = list(CHAINS[:1])
    for _ in range(8):
        record(ACTOR, FileEvent.READ)
    names[:] = CHAINS[1:]
    for _ in range(8):
        record(ACTOR, FileEvent.READ)
    checkpointing.make(actor=SWEEPER)
    noted: list[str] = []
    pages = reading.pages

    def one_by_one(chain: str, *, after: int = 0) -> Any:
        for page in pages(chain, after=after):
            for item in page:
                noted.append(f"{chain}-{item['sequence']['N']}")
                yield [item]

    monkeypatch.setattr(reading, "pages", one_by_one)
    monkeypatch.setattr(tasks, "SAVE_SECONDS", 0)
    monkeypatch.setattr(tasks.verify, "apply_async", lambda *_, **__: None)
    return noted


@pytest.fixture
def killed_after(monkeypatch: pytest.MonkeyPatch, later: Any) -> Any:
    """Work on a job whose worker is killed after so many pages."""
    save = progress.Progress.save

    def work(job_id: str, pages: int) -> None:
        left = [pages]

        def counted(self: Any, run: Any) -> None:
            save(self, run)
            left[0] -= 1
            if not left[0]:
                raise Killed

        monkeypatch.setattr(progress.Progress, "save", counted)
        with pytest.raises(Killed):
            tasks.verify(job_id)
        monkeypatch.setattr(progress.Progress, "save", save)
        later(seconds=300)

    return work


def kept() -> list[str]:
    from django.conf import settings

    found = client("s3").list_objects_v2(Bucket=settings.DOWNLOADS_BUCKET, Prefix=progress.PREFIX)
    return [one["Key"] for one in found.get("Contents", [])]


def finished(job_id: str) -> Any:
    tasks.verify(job_id)
    job = jobs.find(job_id, actor=TESTS)
    assert job.state is JobState.SUCCEEDED
    return job.results


@requirement("D5", "A9")
@pytest.mark.parametrize(
    ("depth", "pages"),
    [
        (Depth.SINCE_CHECKPOINT, 1),
        (Depth.ENTRIES, 5),
        (Depth.ENTRIES, 12),
        (Depth.RECORDS, 5),
        (Depth.RECORDS, 12),
    ],
)
def test_the_next_worker_reads_nothing_again(read: list[str], killed_after: Any, depth: Depth, pages: int):
    made = tasks.verify_later(depth=depth, actor=ACTOR)
    killed_after(made.job_id, pages)
    before = list(read)
    assert len(before) == pages
    results = finished(made.job_id)
    assert results["whole"]
    assert len(set(read)) == len(read), "no entry was read twice"
    assert kept() == []


@requirement("D5", "A9")
def test_what_was_found_before_is_told_in_the_end(read: list[str], killed_after: Any):
    EntryTable.get(CHAINS[0], 2).update([EntryTable.source_ip.set("192.0.2.7")])
    made = tasks.verify_later(depth=Depth.RECORDS, actor=ACTOR)
    killed_after(made.job_id, 7)
    assert finished(made.job_id)["named"] == [f"chain {CHAINS[0]}, entry 2: its content was changed"]


@requirement("D5", "I10")
def test_the_tags_of_records_that_were_read_before_still_count(read: list[str], killed_after: Any):
    """The job's own row is named by the entry that queued it: were its tag forgotten, the row would be a made-up one."""
    made = tasks.verify_later(depth=Depth.RECORDS, actor=ACTOR)
    killed_after(made.job_id, 19)
    assert any("tags-" in key for key in kept())
    results = finished(made.job_id)
    assert (results["whole"], results["records"]) == (True, 2), results


@requirement("D5", "A9")
def test_a_worker_whose_time_ends_hands_over_and_gets_further_each_time(read: list[str], monkeypatch: Any):
    made = tasks.verify_later(depth=Depth.ENTRIES, actor=ACTOR)
    monkeypatch.setattr(Work, "must_hand_over", property(lambda _: True))
    for turn in range(1, 4):
        tasks.verify(made.job_id)
        job = jobs.find(made.job_id, actor=TESTS)
        assert (job.state, job.done, len(read)) == (JobState.QUEUED, turn, turn)
    monkeypatch.setattr(Work, "must_hand_over", property(lambda _: False))
    assert finished(made.job_id)["entries"] == len(read)


@requirement("D5", "I10")
@pytest.mark.parametrize("harm", ["place", "job", "key", "nothing", "part"])
def test_progress_that_somebody_else_wrote_is_not_believed(
    read: list[str], killed_after: Any, harm: str, settings: Any, caplog: Any
):
    made = tasks.verify_later(depth=Depth.RECORDS, actor=ACTOR)
    killed_after(made.job_id, 18)
    place = {"Bucket": settings.DOWNLOADS_BUCKET, "Key": f"{progress.PREFIX}{made.job_id}/state.json"}
    key_id, mac, body = json.loads(client("s3").get_object(**place)["Body"].read())
    if harm == "place":
        body = body.replace('"ended":false', '"ended":true')
    elif harm == "key":
        key_id = "00000000"
    content = {"nothing": b"", "job": client("s3").get_object(**place)["Body"].read()}
    if harm == "job":  # of another job's
        other = tasks.verify_later(depth=Depth.RECORDS, actor=ACTOR)
        place["Key"] = f"{progress.PREFIX}{other.job_id}/state.json"
        made = other
    if harm == "part":
        [part] = [key for key in kept() if "tags-" in key][:1]
        client("s3").put_object(Bucket=settings.DOWNLOADS_BUCKET, Key=part, Body=b"x")
    else:
        client("s3").put_object(**place, Body=content.get(harm, json.dumps([key_id, mac, body]).encode()))
    read.clear()
    assert finished(made.job_id)["whole"]
    assert f"{CHAINS[0]}-1" in read, "it began at the beginning"
    assert "from the beginning" in caplog.text


@requirement("D5")
def test_what_was_read_long_ago_is_read_again(read: list[str], killed_after: Any, later: Any):
    made = tasks.verify_later(depth=Depth.ENTRIES, actor=ACTOR)
    killed_after(made.job_id, 12)
    later(hours=7)
    read.clear()
    assert finished(made.job_id)["whole"]
    assert f"{CHAINS[0]}-1" in read


@requirement("D5", "A9")
def test_a_cancelled_verification_leaves_nothing(read: list[str], monkeypatch: Any):
    made = tasks.verify_later(depth=Depth.ENTRIES, actor=ACTOR)
    monkeypatch.setattr(tasks, "REPORT_SECONDS", 0)
    save = progress.Progress.save

    def cancelling(self: Any, run: Any) -> None:
        save(self, run)
        if len(read) == 5:
            control.cancel(made.job_id, actor=ACTOR)

    monkeypatch.setattr(progress.Progress, "save", cancelling)
    tasks.verify(made.job_id)
    assert jobs.find(made.job_id, actor=TESTS).state is JobState.CANCELLED
    assert (kept(), len(read)) == ([], 5)


@requirement("D5")
def test_progress_that_cannot_be_kept_ends_nothing(
    read: list[str], settings: Any, monkeypatch: Any, caplog: Any
):
    made = tasks.verify_later(depth=Depth.ENTRIES, actor=ACTOR)
    settings.DOWNLOADS_BUCKET = "not-there"
    monkeypatch.setattr(progress.Progress, "load", lambda _: None)
    assert finished(made.job_id)["whole"]
    assert "was not kept: NoSuchBucket" in caplog.text
