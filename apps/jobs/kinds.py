"""Kinds of jobs, as the apps declare them: what does the work, and how one that stopped is started again."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Self

from celery import Task, current_app
from django.conf import settings

from apps.common.declarations import Declared, members, modules_named


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
    declared = all_kinds().get(kind)
    if declared is None or declared.task not in current_app.tasks:
        raise UnknownKind(
            f"No task works on jobs of kind {str(kind)!r}. Declare it in job_kinds.py and tasks.py."
        )
    task: Task[[str], None] = current_app.tasks[declared.task]
    return task


def queue_of(kind: str) -> str:
    """The queue that a kind's messages go through: its task's own, else the platform's."""
    own: Any = getattr(task_of(kind), "queue", None)
    return str(own or settings.JOBS_QUEUE)


def send(kind: str, job_id: str) -> None:
    """Send the message that has a worker take up a job. It carries nothing but the id.

    Raises:
        UnknownKind: no task works on such jobs.
    """
    task_of(kind).delay(job_id)
