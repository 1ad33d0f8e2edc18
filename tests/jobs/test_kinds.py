"""Kinds of jobs: each declared once by its app, with a task that does the work (A9, C6)."""

from types import ModuleType

import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.common.declarations import members, modules_named
from apps.jobs import heartbeats, kinds
from apps.jobs import services as jobs
from apps.jobs.kinds import JobKind, UnknownKind
from apps.jobs.store import JobTable
from qkdplatform.celery import app
from tests import requirement
from tests.conftest import TESTS
from tests.tables import rows


class Orphaned(JobKind):
    """Declared, but done by nobody."""

    NOTHING = "nothing", "Does nothing.", "tests.nothing", "steps", "Never."


@requirement("A9")
def test_every_kind_has_a_task_a_queue_and_says_how_it_is_started_again(settings):
    assert kinds.all_kinds()
    for name, kind in kinds.all_kinds().items():
        assert kinds.task_of(name).name == kind.task
        assert kinds.queue_of(name) in {settings.JOBS_QUEUE, settings.CUSTODY_QUEUE}, (
            "the stack makes no other"
        )
        for sentence in (kind.meaning, kind.again):
            assert sentence[0].isupper()
            assert sentence.endswith(".")
        assert kind.step


@requirement("A9")
def test_every_task_of_ours_is_the_one_of_a_declared_kind():
    modules_named("tasks")
    ours = {name for name in app.tasks if not name.startswith("celery.")}
    assert ours == {kind.task for kind in kinds.all_kinds().values()}


@requirement("A9")
def test_no_two_kinds_share_a_task():
    tasks = [kind.task for kind in kinds.all_kinds().values()]
    assert len(set(tasks)) == len(tasks)


@requirement("A9")
def test_a_kind_that_is_declared_twice_is_an_error():
    class Same(JobKind):
        FIRST = "same", "Is the same.", "tests.first", "steps", "Never."

    class Other(JobKind):
        SECOND = "same", "Is the same.", "tests.second", "steps", "Never."

    module = ModuleType("apps.example.job_kinds")
    for declared in (Same, Other):
        declared.__module__ = module.__name__
        setattr(module, declared.__name__, declared)
    with pytest.raises(ImproperlyConfigured, match="'same' is declared twice"):
        members(JobKind, [module])


@requirement("A9")
def test_a_kind_that_nobody_works_on_is_not_recorded(aws):
    with pytest.raises(UnknownKind, match="No task works on jobs of kind 'nothing'"):
        jobs.enqueue(Orphaned.NOTHING, total=1, parameters={}, actor=TESTS)
    assert rows(JobTable.Meta.table_name) == []


@requirement("C6")
def test_a_cancellation_is_seen_within_ten_seconds_of_any_pause():
    assert heartbeats.HEARTBEAT_SECONDS <= 5
