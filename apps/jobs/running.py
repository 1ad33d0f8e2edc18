"""The one way in which a task works on a job: started, reported, ended, whatever happens in between."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ParamSpec, Self, TypeVar

from celery import Task, shared_task

from apps.common.errors import PlatformError
from apps.jobs import control, services
from apps.jobs.control import JobCancelled, JobTakenOver
from apps.jobs.kinds import JobKind
from apps.jobs.messages import keep_hidden
from apps.jobs.records import Job

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
HEARTBEAT_SECONDS = (
    5.0  # between heartbeats of work that has nothing to report: half of what a cancellation may take
)
HIDDEN_SECONDS = 60.0  # between extensions of the message's time-out: far below that (900 seconds)


class Work:
    """A job under way, as the function sees it that does the work."""

    def __init__(self, job: Job, *, request: Any) -> None:
        self.job = job
        self._request = request
        self._heard = time.monotonic()
        keep_hidden(request)
        self._hidden = time.monotonic()

    def report(self, *, done: int, results: Mapping[str, Any] | None = None) -> None:
        """Store how far the work is, and keep its message from being delivered again. Call it at least every 10 s.

        Raises:
            JobCancelled: stop here, and leave nothing half done.
            JobTakenOver: likewise; another worker goes on.
        """
        self.job = control.report(self.job, done=done, results=results)
        self._heard = time.monotonic()
        if self._heard - self._hidden >= HIDDEN_SECONDS:
            keep_hidden(self._request)
            self._hidden = self._heard

    def heartbeat(self) -> None:
        """Tell that the worker lives, where there is no progress to report; cheap, so call it often.

        Raises:
            JobCancelled, JobTakenOver: as ``report``.
        """
        if time.monotonic() - self._heard >= HEARTBEAT_SECONDS:
            self.report(done=int(self.job.done))

    def with_heartbeats(self, step: Callable[P, T]) -> Callable[P, T]:
        """Have a thread tell that the worker lives while a long step runs that cannot.

        A cancellation ends the job at the thread's next heartbeat. The step itself runs to its end, and raises then
        instead of returning what it made; so record that after the step, not within.

        Raises (when the step is called):
            JobCancelled, JobTakenOver: as ``report``.
        """

        def called(*arguments: P.args, **named: P.kwargs) -> T:
            with _Heartbeats(self) as beside:
                made = step(*arguments, **named)
            if beside.ended is not None:
                raise beside.ended
            return made

        return called

    def pause(self, seconds: float) -> None:
        """Wait, with heartbeats.

        Raises:
            JobCancelled, JobTakenOver: as ``report``.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, HEARTBEAT_SECONDS))
            self.heartbeat()

    def complete(self, *, done: int) -> bool:
        """Say how far the work came when it ended: stored with the end, which no cancellation can precede."""
        self.job = replace(self.job, done=done)
        return True


class _Heartbeats:
    """A thread that calls a job's heartbeat until the block is left, or until the job has ended."""

    def __init__(self, work: Work) -> None:
        self.ended: JobCancelled | JobTakenOver | None = None
        self._work = work
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeats", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()  # from here on nobody else touches the work

    def _run(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            try:
                self._work.report(done=int(self._work.job.done))
            except (JobCancelled, JobTakenOver) as ended:
                self.ended = ended
                return
            except Exception as error:  # noqa: BLE001 - one heartbeat less; the step's own report tells what is wrong
                log.warning("job %s: no heartbeat: %s", self._work.job.job_id, type(error).__name__)


Run = Callable[[Work], bool]


def job_task(kind: JobKind, *, failure: str, alone: bool = False) -> Callable[[Run], "Task[[str], None]"]:
    """Make the Celery task of a kind of job from the function that does the work.

    The function returns whether the work is done. If it is not, another message goes on with it: so a job may last
    longer than a worker may run.

    Args:
        kind: what is declared.
        failure: what the job says where the work fails for a reason that is not told; never the exception's text.
        alone: the work starts from its beginning each time, so a second delivery leaves it to the worker at it.
    """

    def decorate(run: Run) -> "Task[[str], None]":
        def task(self: "Task[[str], None]", job_id: str) -> None:
            job = control.start(job_id, alone=alone)
            if job is not None:
                _work(run, Work(job, request=self.request), failure)

        task.__doc__, task.__module__ = run.__doc__, run.__module__
        made: Task[[str], None] = shared_task(name=kind.task, bind=True)(task)
        return made

    return decorate


def _work(run: Run, work: Work, failure: str) -> None:
    job_id = work.job.job_id
    try:
        is_done = run(work)
    except JobCancelled:
        log.info("job %s was cancelled", job_id)
    except JobTakenOver:
        log.info("job %s is done by another worker", job_id)
    except Exception as error:
        log.exception("job %s failed", job_id)
        control.end(work.job, error=error.detail if isinstance(error, PlatformError) else failure)
    else:
        if is_done:
            control.end(work.job)
        else:
            services.dispatch(work.job)
