"""A stage is backed up and restored once nobody is at work in it any more: by the trail and by heartbeats."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from apps.audit.services import record
from apps.audit.store import HeadTable
from apps.common import aws as aws_clients
from apps.files.trail import FileEvent
from apps.jobs import control
from apps.jobs.records import SILENT_SECONDS
from apps.jobs.store import JobTable
from apps.sessions import tasks
from apps.sessions.services import GenerateRequest
from apps.stack.backups import BackupFailed
from deploy import at_work, backups
from qkdseal.__main__ import main as qkdseal
from tests import requirement
from tests.conftest import TESTS
from tests.queues import into

pytestmark = requirement("G5")
client: Any = aws_clients.client
REQUEST_SECONDS, WORKER_SECONDS = 29, 900  # the longest that Lambda lets either function work


@pytest.fixture
def time(aws, monkeypatch):
    """Time that passes by looks alone; with each comes the next thing that happens in the stage."""
    passed = SimpleNamespace(now=0.0, happens=[])

    def sleep(seconds):
        passed.now += seconds
        if passed.happens:
            passed.happens.pop(0)()

    monkeypatch.setattr(at_work, "time", SimpleNamespace(monotonic=lambda: passed.now, sleep=sleep))
    return passed


def change():
    record(TESTS, FileEvent.READ)


def nothing():
    """Nobody is seen at work."""


def wait():
    at_work.wait_for_rest(client, settings.TABLE_PREFIX)


def test_it_is_waited_until_the_trail_stands_still_and_no_worker_is_heard_of(time, monkeypatch):
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into([]))
    waits = tasks.generate_later(GenerateRequest(key_length=64), count=1, actor=TESTS)
    job = control.start(tasks.generate_later(GenerateRequest(key_length=64), count=1, actor=TESTS).job_id)
    assert job is not None
    time.happens = [change, nothing, lambda: control.beat(job), nothing, nothing, lambda: control.end(job)]
    ended = len(time.happens) * at_work.LOOK_SECONDS
    wait()
    assert time.happens == []
    assert time.now == ended + at_work.QUIET_SECONDS
    left = JobTable.find(waits.job_id)
    assert left is not None
    assert not left.state.ended, "what only waits is no work"


def test_a_stage_that_never_rests_is_left_alone(time, monkeypatch):
    monkeypatch.setattr(at_work, "LONGEST_SECONDS", 6 * at_work.LOOK_SECONDS)
    time.happens = [change] * 20
    with pytest.raises(BackupFailed, match="still changes the rows of the stage"):
        wait()


def test_whoever_works_shows_within_what_is_waited_for(aws):
    assert max(SILENT_SECONDS, REQUEST_SECONDS) < at_work.QUIET_SECONDS
    assert at_work.LONGEST_SECONDS > WORKER_SECONDS + at_work.QUIET_SECONDS
    assert f"{settings.TABLE_PREFIX}-{at_work.HEADS}" == HeadTable.Meta.table_name
    assert f"{settings.TABLE_PREFIX}-{at_work.JOBS}" == JobTable.Meta.table_name
    assert JobTable.by_unfinished.Meta.index_name == at_work.UNFINISHED
    assert at_work.signs(client, "no-stage") == ([], [])


def test_a_backup_beside_which_a_row_was_changed_is_not_kept(aws, monkeypatch, tmp_path, capsys):
    assert qkdseal(["recipient", "-o", str(tmp_path / "me.json")]) == 0
    (tmp_path / "public.json").write_text(capsys.readouterr().out)
    stage, out = backups.StageData(client, settings.TABLE_PREFIX), tmp_path / "monday"
    monkeypatch.setattr(stage, "_tables", lambda: change() or set())
    with pytest.raises(BackupFailed, match="was changed while it was read"):
        stage.make(recipient=tmp_path / "public.json", out=out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["me.json", "public.json"]
    monkeypatch.setattr(stage, "_tables", set)
    assert stage.make(recipient=tmp_path / "public.json", out=out)
