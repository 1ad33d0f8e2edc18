"""What the overview says of jobs: those under way with their rate, those that failed, and dead letters."""

from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from apps.access.console import actor_of
from apps.common import aws, clock, health, standstill, turns
from apps.common.scheduling import Schedule
from apps.console import attention, dashboard, pages, render
from apps.console.attention import Item
from apps.console.details import Related
from apps.console.render import Tone
from apps.jobs import services
from apps.jobs.records import Job, JobState

TONES = {
    JobState.QUEUED: Tone.WAIT,
    JobState.RUNNING: Tone.INFO,
    JobState.SUCCEEDED: Tone.GOOD,
    JobState.FAILED: Tone.BAD,
    JobState.CANCELLED: Tone.MUTED,
}
MAY_VIEW = "jobs.view_job"
READ = 60  # newest jobs, among which the overview looks
SHOWN = 6


def pace(per_second: float | None, eta_seconds: float | None) -> str:
    """Return how fast a job is, and how long it will take."""
    if per_second is None:
        return str(render.NONE)
    rate = f"{per_second:,.1f} / s" if per_second >= 1 else f"{60 * per_second:,.1f} / min"
    return f"{rate}, {render.duration(eta_seconds)} left" if eta_seconds is not None else rate


def _newest(request: HttpRequest) -> list[Job]:
    return dashboard.shared(
        request, "jobs", lambda: services.listed(actor=actor_of(request), limit=READ).records
    )


def _jobs(request: HttpRequest) -> dashboard.Content:
    found = _newest(request)
    running = [job for job in found if not job.state.ended]
    rows = [
        (
            render.link(request.user, "jobs.job", job.job_id, render.words(job.kind)),
            render.badge(job.state, TONES),
            render.progress(int(job.done), int(job.total)),
            pace(job.per_second, job.eta_seconds),
        )
        for job in (running or found)[:SHOWN]
    ]
    note = "" if running else "No job is under way. The newest:" if rows else "No jobs yet."
    return dashboard.Content(columns=("Job", "State", "Progress", "Rate"), rows=rows, note=note)


def _failed(request: HttpRequest) -> Iterator[Item]:
    since = clock.now() - timedelta(hours=24)
    failed = [job for job in _newest(request) if job.state is JobState.FAILED and job.created_at >= since]
    if failed:
        url = reverse("admin:jobs_job_changelist") + f"?state={JobState.FAILED}"
        one = "job" if len(failed) == 1 else "jobs"
        yield Item(
            text=f"{len(failed):,} {one} failed in the last 24 h.",
            tone=Tone.BAD,
            url=url,
            since=min(job.created_at for job in failed),
        )


def _dead_letters(_request: HttpRequest) -> Iterator[Item]:
    count = dead_letters()
    if count:
        letters = "dead letter waits" if count == 1 else "dead letters wait"
        yield Item(
            text=f"{count:,} {letters}: what failed at every attempt.",
            tone=Tone.BAD,
            url=reverse("admin:operations_letter_changelist"),
        )


def dead_letters() -> int:
    """Count the messages of the dead-letter queue, about, as SQS does."""
    url = _url_of(settings.DEAD_LETTER_QUEUE)
    counts = aws.client("sqs").get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(counts["Attributes"]["ApproximateNumberOfMessages"])


@lru_cache
def _url_of(queue: str) -> str:
    """Ask for the address of a queue, which never changes."""
    url: str = aws.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
    return url


attention.register(attention.Source(permission=MAY_VIEW, load=_failed))
attention.register(attention.Source(permission="operations.view_letter", load=_dead_letters))
dashboard.register(
    dashboard.Panel(
        name="jobs", title="Jobs", permission=MAY_VIEW, load=_jobs, place=5, width="full",
        list_url="admin:jobs_job_changelist",
    )
)  # fmt: skip


def _found(example: str) -> SafeString:
    """Link to what the search box finds by an id."""
    return render.url_link(f"{reverse('admin:find')}?{urlencode({'q': example})}", render.spelt(example))


def _health_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show what answers, how fast, and what is stuck with what to do then."""
    checks = [
        (
            render.words(check.name),
            render.badge("answers" if check.ok else "does not answer", Tone.GOOD if check.ok else Tone.BAD),
            f"{check.milliseconds:,.0f} ms",
        )
        for check in health.readiness()
    ]
    stuck = [
        (
            one.what,
            f"{one.count:,}{' or more' if one.count >= standstill.MOST else ''}",
            render.moment(one.oldest),
            one.action,
            render.inline([_found(example) for example in one.examples]),
        )
        for one in standstill.found()
    ]
    turned = [
        (
            schedule.value,
            turn.part,
            render.moment(turn.whole_since or turn.started_at),
            render.badge("failed", Tone.BAD) if turn.failed else "",
        )
        for schedule in Schedule
        for turn in sorted(turns.known(schedule).values(), key=lambda turn: turn.part)
    ]
    parts = [
        Related(title="Parts of the platform", columns=("Part", "State", "Latency"), rows=checks),
        Related(
            title="Stuck",
            columns=("What", "How many", "Since", "What to do", "For example"),
            rows=stuck,
            note="" if stuck else "Nothing is stuck.",
        ),
        Related(
            title="Schedules",
            columns=("Schedule", "Part", "Last round", ""),
            rows=turned,
            note="" if turned else "No schedule has run yet.",
        ),
    ]
    return TemplateResponse(request, "console/parts.html", context | {"parts": parts})


pages.register(
    pages.ConsolePage(
        name="health", title="Health", section="Operations", place=6, permission=MAY_VIEW, view=_health_page
    )
)
