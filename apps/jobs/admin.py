"""Jobs in the console: long-running work and its progress."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.access.console import actor_of
from apps.common.dynamodb import Page, Position
from apps.console import dashboard, render
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin
from apps.jobs import models, services
from apps.jobs.records import Job, JobState

TONES = {
    JobState.QUEUED: Tone.WAIT,
    JobState.RUNNING: Tone.INFO,
    JobState.SUCCEEDED: Tone.GOOD,
    JobState.FAILED: Tone.BAD,
    JobState.CANCELLED: Tone.MUTED,
}
LATEST = 5  # in the overview


@admin.register(models.Job)
class JobAdmin(StoreAdmin):
    section, place = "Oversight", 2
    empty_text = "No jobs yet. Long-running work, such as batches of sessions, appears here."
    search_fields = ("job_id",)
    search_help_text = "Exact job id"
    list_display = ("identity", "what", "badge", "progress", "who", "queued", "ended")
    fieldsets = (
        (None, {"fields": ("what", "badge_and_why", "progress", "who")}),
        ("Times", {"fields": ("queued", "started", "ended")}),
        ("Request", {"fields": ("asked",)}),
        ("Results", {"fields": ("results",)}),
    )
    identity = column("job_id", render.short, "job")
    what = column("kind", render.words, "kind")
    badge = column("state", lambda value: render.badge(value, TONES), "state")
    who = column("owner", str, "requested by")
    queued = column("created_at", render.moment, "queued (UTC)")
    started = column("started_at", render.moment, "started (UTC)")
    ended = column("ended_at", render.moment, "ended (UTC)")
    asked = column("parameters", render.document, "parameters")

    @admin.display(description="state")
    def badge_and_why(self, obj: models.Job) -> Any:
        return render.inline([render.badge(obj.state, TONES), obj.error])

    @admin.display(description="progress")
    def progress(self, obj: models.Job) -> Any:
        return render.progress(obj.done, obj.total)

    @admin.display(description="results")
    def results(self, obj: models.Job) -> Any:
        others = {name: value for name, value in obj.results.items() if name != "session_ids"}
        sessions = [
            render.link(obj.viewer, "qkd_sessions.session", session_id)
            for session_id in obj.results.get("session_ids", [])
        ]
        shown = [*sessions, render.document(others)] if others else sessions
        return render.inline(shown)

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Job]:
        del filters  # there is no index by state yet
        return services.listed(actor=actor_of(request), limit=limit, position=position)

    def find(self, request: HttpRequest, object_id: str) -> Job:
        return services.find(object_id, actor=actor_of(request))

    def refresh_seconds(self, obj: DisplayModel) -> int | None:
        return 5 if isinstance(obj, models.Job) and not JobState(obj.state).ended else None


def _latest(request: HttpRequest) -> dashboard.Content:
    found = services.listed(actor=actor_of(request), limit=LATEST).records
    rows = [
        (
            render.link(request.user, "jobs.job", job.job_id),
            render.badge(job.state, TONES),
            render.progress(job.done, job.total),
        )
        for job in found
    ]
    return dashboard.Content(
        columns=("Job", "State", "Progress"), rows=rows, note="" if rows else JobAdmin.empty_text
    )


dashboard.register(
    dashboard.Panel(
        name="jobs", title="Jobs", permission="jobs.view_job", load=_latest, place=5, width="third",
        list_url="admin:jobs_job_changelist",
    )
)  # fmt: skip
