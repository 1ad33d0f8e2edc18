"""A job under way, as the function sees it that does the work, and the thread that tells that its worker lives."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from apps.common import tracing
from apps.common.deadline import seconds_left
from apps.jobs import control
from apps.jobs.control import JobCancelled, JobTakenOver
from apps.jobs.messages import keep_hidden, others_wait
from apps.jobs.records import Job

log = logging.getLogger(__name__)
T = TypeVar("T")
HEARTBEAT_SECONDS = 5.0  # half of what a cancellation may take
PROGRESS_SECONDS = 1.0  # between reports of short steps
HIDDEN_SECONDS = 15.0  # between extensions of the message's time-out: three may fail before it is shown again
HANDED_OVER_SECONDS = 60.0  # before the worker's end: a step that is longer should report in between
FAIR_SECONDS = (
    10.0  # of work before a job gives way to others: with a step of its own, the longest that these wait
)
LAST_SECONDS = 15.0  # before the worker's end: enough to end a step under way and to record that


class OutOfTime(Exception):
    """The worker ends before the step does; the next one tries again."""


class Work:
    """A job under way, as the function sees it that does the work.

    A thread tells meanwhile that the worker lives, whatever the work is at: it need not care for that.
    """

    def __init__(self, job: Job, *, request: Any, queue: str) -> None:
        self.job = job
        self._request, self._queue = request, queue
        self._lock = threading.Lock()  # of the job: the thread reports while an interruptible step computes
        self._heard = self._began = time.monotonic()
        left = seconds_left()
        self._until = None if left is None else self._began + left
        self._fair_until = self._began + FAIR_SECONDS
        self._done: int | None = None  # steps since the last report
        self._asked = False  # the thread saw that the job is no longer this worker's, or cancelled
        self._computing = False
        self._ended: JobCancelled | JobTakenOver | None = None
        keep_hidden(request, queue)
        self._hidden = time.monotonic()

    def report(self, *, done: int, results: Mapping[str, Any] | None = None) -> None:
        """Store how far the work is; call it at least every 10 s, as here a cancellation ends it.

        Raises:
            JobCancelled: stop here, and leave nothing half done.
            JobTakenOver: likewise; another worker goes on.
            OutOfTime: likewise; another one begins this step again.
        """
        with self._lock:
            self.job = control.report(self.job, done=done, results=results)
            self._done = None
        self._heard = time.monotonic()
        if self._until is not None and self._heard > self._until - LAST_SECONDS:
            raise OutOfTime(self.job.job_id)

    def count(self, total: int) -> None:
        """Tell how many steps there are: counted by the work, as whoever asked for it does not wait for that.

        Raises:
            JobCancelled, JobTakenOver: as ``report``.
        """
        with self._lock:
            self.job = control.report(self.job, done=int(self.settled.done), total=total)

    def progress(self, *, done: int) -> None:
        """Tell how far the work is after each of many short steps: it is stored once a second, and with the end.

        Raises:
            JobCancelled, JobTakenOver, OutOfTime: as ``report``.
        """
        if self._asked or time.monotonic() - self._heard >= PROGRESS_SECONDS:
            self.report(done=done)
        else:
            self._done = done

    @property
    def settled(self) -> Job:
        """The job as it is to be recorded when the work ends here."""
        return self.job if self._done is None else replace(self.job, done=self._done)

    def heartbeat(self) -> None:
        """See a cancellation where there is no progress to report; cheap, so call it often.

        Raises:
            JobCancelled, JobTakenOver, OutOfTime: as ``report``.
        """
        if self._asked or time.monotonic() - self._heard >= HEARTBEAT_SECONDS:
            self.report(done=int(self.settled.done))

    @property
    def must_hand_over(self) -> bool:
        """Return whether the function is to return False, so that the next message goes on.

        That is where the worker ends soon, or where it has been at this for a while and other jobs wait.
        """
        now = time.monotonic()
        if self._until is not None and now > self._until - HANDED_OVER_SECONDS:
            return True
        if now < self._fair_until:
            return False
        self._fair_until = now + FAIR_SECONDS
        return others_wait(self._queue)

    def compute(self, step: Callable[[Callable[[], None]], T]) -> T:
        """Run a long step that changes nothing, and that a cancellation stops.

        Args:
            step: is given a function to call often, which raises once the job has ended.

        Raises:
            JobCancelled, JobTakenOver: the job ended meanwhile, as the thread has recorded already.
        """
        with self._lock:
            self._computing = True
        try:
            made = step(self._check)
        finally:
            with self._lock:
                self._computing = False
        self._check()
        return made

    def _check(self) -> None:
        if self._ended is not None:
            raise self._ended

    def pause(self, seconds: float) -> None:
        """Wait, with heartbeats.

        Raises:
            JobCancelled, JobTakenOver, OutOfTime: as ``report``.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, HEARTBEAT_SECONDS))
            self.heartbeat()

    def complete(self, *, done: int) -> bool:
        """Say how far the work came when it ended: stored with the end, which no cancellation can precede."""
        self._done = done
        return True

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Have a thread beat until the block is left."""
        stop = threading.Event()
        thread = threading.Thread(
            target=tracing.in_thread(self._keep_beating), args=(stop,), name="heartbeats", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()  # from here on nobody else touches the job

    def _keep_beating(self, stop: threading.Event) -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            try:
                self._beat()
            except (JobCancelled, JobTakenOver) as ended:
                self._ended = ended
                return
            except Exception as error:  # noqa: BLE001 - one heartbeat less; the work's own report tells what is wrong
                log.warning("job %s: no heartbeat: %s", self.job.job_id, type(error).__name__)

    def _beat(self) -> None:
        if time.monotonic() - self._hidden >= HIDDEN_SECONDS:
            keep_hidden(self._request, self._queue)
            self._hidden = time.monotonic()
        with self._lock:
            if self._computing:  # nothing is half done, so the job may end at once
                self.job = control.report(self.job, done=int(self.settled.done))
            elif not control.beat(self.job):
                self._asked = True
