"""What may be stuck of the jobs, their queues and the schedules."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from django.conf import settings

from apps.common import aws, turns
from apps.common.scheduling import Schedule
from apps.common.standstill import MOST, Stuck, of
from apps.jobs import kinds, services, shares
from apps.jobs.records import Job, JobState

LOOKED_AT = 5 * MOST  # jobs, the oldest first: those that are stuck are among them
LATE = 3  # times the time after which the sweep should have taken it up


def _jobs() -> list[Stuck]:
    unfinished = list(islice(services.unfinished(), LOOKED_AT))
    silent = [job for job in unfinished if job.is_silent and _since(job, services.LOST_SECONDS)]
    untaken = [job for job in unfinished if job.state is JobState.QUEUED and _is_untaken(job)]
    postponed = [job for job in unfinished if job.state is JobState.QUEUED and job.due_at is not None]
    return [
        *of(
            "silent jobs",
            _told(silent),
            action="Look whether the workers and the sweep run; or cancel them: POST /api/v1/jobs/{id}/cancel.",
        ),
        *of(
            "jobs that no worker takes up",
            _told(untaken),
            action="Look whether the workers of their queue run, and whether messages wait in it.",
        ),
        *of(
            "jobs that wait after a failure that should pass by itself",
            _told(postponed),
            action="Read their errors: what they need is away. They are tried again for a day.",
        ),
    ]


def _since(job: Job, seconds: int) -> bool:
    return job.is_overdue(seconds=LATE * seconds)


def _is_untaken(job: Job) -> bool:
    if not _since(job, services.UNTAKEN_SECONDS):
        return False
    return not kinds.is_known(job.kind) or not kinds.is_shared(job.kind) or shares.has_room(job)


def _told(jobs: list[Job]) -> Iterator[tuple[str, datetime]]:
    return ((f"{job.job_id} ({job.kind})", job.awaited_since) for job in jobs)


_QUEUES = {
    "JOBS_QUEUE": "Look whether the workers run.",
    "CUSTODY_QUEUE": "Look whether the workers of custody run.",
    "UPLOAD_EVENTS_QUEUE": "Look whether the relay, or the function of the uploads, runs.",
    "DEAD_LETTER_QUEUE": "Find the cause in the log, then try them again: at Operations, Dead letters, or manage.py redrive.",
}


def _messages() -> Iterator[Stuck]:
    sqs = aws.client("sqs")
    for setting, action in _QUEUES.items():
        url = sqs.get_queue_url(QueueName=getattr(settings, setting))["QueueUrl"]
        counts = sqs.get_queue_attributes(
            QueueUrl=url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        waiting = int(counts["ApproximateNumberOfMessages"])
        in_flight = int(counts["ApproximateNumberOfMessagesNotVisible"])
        if setting == "DEAD_LETTER_QUEUE" and waiting + in_flight:
            yield Stuck("dead letters", waiting + in_flight, action)
        elif waiting:
            what = f"messages that wait in {setting} ({in_flight} in flight)"
            yield Stuck(what, waiting, action, may_pass=True)


def _parts() -> list[Stuck]:
    starved = [turn for schedule in Schedule for turn in turns.starved(schedule)]
    return of(
        "parts of schedules that do not come to their end",
        ((f"{turn.schedule}: {turn.part}", turn.whole_since) for turn in starved),
        action="More is due than their slices take, or they fail: look into the log for their names.",
    )


CHECKS = [_jobs, _messages, _parts]
