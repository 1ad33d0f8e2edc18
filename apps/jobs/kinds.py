"""Kinds of jobs, as the apps declare them: what does the work, and how one that stopped is started again."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.utils.module_loading import import_string

from apps.common import tracing
from apps.common.declarations import Declared, members, modules_named

if TYPE_CHECKING:
    from celery import Task

TRACE = "qkd_trace"
"""The header of a message that says which request led to it."""
SHARED = "JOBS_QUEUE"
"""The setting of the queue that all principals share, each with a few places."""


class JobKind(Declared):
    """What a job does, and by which task. Each app declares its own in its ``job_kinds.py``.

    A member is written as ``NAME = value, meaning, task, step, again``.
    """

    task: str
    """Name of the Celery task, which ``apps.jobs.running.job_task`` makes in the app's ``tasks.py``."""
    step: str
    """What ``done`` and ``total`` count."""
    again: str
    """How a job that failed or was cancelled is started again, in a sentence."""

    @property
    def queue_setting(self) -> str:
        """Return the setting that names its queue; a kind with workers of its own names another one."""
        return SHARED

    @property
    def names(self) -> str:
        """Return by what name a job shows the ids of what its steps made; nothing where it keeps none."""
        return ""

    def __new__(cls, value: str, meaning: str, task: str, step: str, again: str) -> Self:
        # Not super().__new__: an enumeration that is made looks members up there
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning, member.task, member.step, member.again = meaning, task, step, again
        return member


class UnknownKind(LookupError):
    """No app declares this kind of job, or no task does its work."""


@cache
def all_kinds() -> Mapping[str, JobKind]:
    """Every kind that an app declares.

    Raises:
        ImproperlyConfigured: two apps declare the same.
    """
    return members(JobKind, modules_named("job_kinds"))


def task_of(kind: str) -> "Task[[str], None]":
    """The Celery task that works on jobs of a kind.

    Raises:
        UnknownKind: none does.
    """
    modules_named("tasks")  # a process that only sends has not imported the others' tasks
    # Celery, a twentieth of a cold start, is imported by the first job that is sent or run
    known, declared = import_string(settings.CELERY_APP).tasks, all_kinds().get(kind)
    if declared is None or declared.task not in known:
        raise UnknownKind(
            f"No task works on jobs of kind {str(kind)!r}. Declare it in job_kinds.py and tasks.py."
        )
    task: Task[[str], None] = known[declared.task]
    return task


def task_named(name: str) -> "Task[[str], None]":
    """The Celery task of a name that a message brings.

    Raises:
        UnknownKind: it works on no kind of job; Celery's own tasks, which run others, are among these.
    """
    for kind, declared in all_kinds().items():
        if declared.task == name:
            return task_of(kind)
    raise UnknownKind("No kind of job has this task.")


def is_known(kind: str) -> bool:
    """Return whether an app declares a kind: a job may be of one that another release had."""
    return kind in all_kinds()


def is_shared(kind: str) -> bool:
    """Return whether jobs of a kind go through the queue that all principals share."""
    return _declared(kind).queue_setting == SHARED


def queue_of(kind: str) -> str:
    """The queue that a kind's messages go through."""
    return str(getattr(settings, _declared(kind).queue_setting))


def _declared(kind: str) -> JobKind:
    declared = all_kinds().get(kind)
    if declared is None:
        raise UnknownKind(f"No app declares jobs of kind {str(kind)!r}.")
    return declared


def send(kind: str, job_id: str, *, seconds: int = 0) -> None:
    """Send the message that has a worker take up a job. It carries the id, and in a header which request led to it.

    Args:
        kind: of the job.
        job_id: of the job.
        seconds: until a worker is shown the message, at most 900.

    Raises:
        UnknownKind: no task works on such jobs.
    """
    # Of delay_seconds kombu makes SQS's DelaySeconds
    options: dict[str, Any] = {"queue": queue_of(kind), "delay_seconds": seconds}
    options["headers"] = {TRACE: tracing.carried() or ""}
    task_of(kind).apply_async((job_id,), **options)
