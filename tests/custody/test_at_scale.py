"""Ten thousand files and ten thousand picks on the embedded AWS: figures for docs/custody.md (C5, C6, I4, I5)."""

import random
import time
from collections import Counter

import pytest

from apps.custody import retirement, rotations, tasks
from apps.files.keys.rewrap import waiting_count
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.keys import services as keys
from apps.keys.records import KeyState
from tests import requirement
from tests.conftest import TESTS, forget_everything
from tests.custody.files import opened, rows_under
from tests.embedded import on_embedded_aws
from tests.faults import counted
from tests.keys.test_evenness import uses_after
from tests.queues import into

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
BODY_CALLS = {"GetObject", "PutObject", "UploadPart", "CopyObject"}


@pytest.fixture
def embedded(tmp_path):
    forget_everything()
    with on_embedded_aws(tmp_path / "aws"):
        yield
        forget_everything()


@requirement("C6", "I4", "I5")
def test_ten_thousand_files_move_to_another_key(embedded, monkeypatch, settings, capsys):
    monkeypatch.setattr(rotations, "SETTLE_SECONDS", 0)
    settings.REWRAP_PER_SECOND = 1_000_000
    sent: list[str] = []
    monkeypatch.setattr(tasks.rewrap_files, "apply_async", into(sent))
    old, total = keys.create(4, actor=TESTS)[0], 10_000
    file_keys = rows_under(old, total)
    retirement.rotate(old.key_id, reason="test", actor=TESTS)
    [job_id] = sent
    began = time.monotonic()
    with counted() as calls:
        while sent:
            tasks.rewrap_files(sent.pop(0))
    seconds = time.monotonic() - began
    job = jobs.find(job_id, actor=TESTS)
    assert (job.state, job.done) == (JobState.SUCCEEDED, total)
    assert waiting_count(old.key_id) == 0
    assert keys.find(old.key_id).state is KeyState.EXPIRED
    sample = random.Random(1).sample(sorted(file_keys), 200)
    assert all(opened(file_id)[1] == file_keys[file_id] for file_id in sample)
    assert not BODY_CALLS & set(calls), "bytes of body rewritten: 0"
    assert len(calls) <= 0.2 * total
    with capsys.disabled():
        print(  # noqa: T201 - the figure
            f"\n{total} files in {seconds:.1f} s: {total / seconds:.0f} files/s, {len(calls) / total:.3f} AWS calls "
            f"a file, {Counter(calls)}"
        )


@requirement("C5")
def test_ten_thousand_picks_by_fifty_threads_stay_even(embedded, capsys):
    began = time.monotonic()
    uses = uses_after(10_000, keys=100, threads=50)
    seconds = time.monotonic() - began
    mean = sum(uses) / len(uses)
    spread = (sum((use - mean) ** 2 for use in uses) / len(uses)) ** 0.5
    assert mean == 100
    assert uses[-1] - uses[0] <= 80, uses
    with capsys.disabled():
        print(  # noqa: T201 - the figure
            f"\n10,000 picks by 50 threads in {seconds:.0f} s: uses of 100 keys {uses[0]} to {uses[-1]}, "
            f"standard deviation {spread:.2f}"
        )
