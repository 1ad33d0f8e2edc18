"""Jobs in the console: long-running work, its progress, and what came of it."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.access import quotas
from apps.access.console import actor_of
from apps.access.console.whose import whose
from apps.access.quotas import Quota
from apps.common.dynamodb import Page, Position
from apps.console import people, render
from apps.console.actions import Action, Facts, NoForm
from apps.console.details import Related, Subject
from apps.console.filters import choice_filter, day_filters, exact_filter
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import UUID, StoreAdmin
from apps.jobs import console as _overview
from apps.jobs import control, kinds, models, results, services
from apps.jobs.console import TONES, pace
from apps.jobs.records import Job, JobState

__all__ = ["JobAdmin", "_overview"]
ABOUT = {  # a job's parameters, and the records that they name
    "session_id": "qkd_sessions.session",
    "key_id": "keys.poolkey",
    "old_key_id": "keys.poolkey",
    "file_id": "files.file",
    "rotation_id": "custody.rotation",
    "case_id": "cases.case",
}


def _facts(_request: HttpRequest, obj: DisplayModel) -> Facts:
    if not isinstance(obj, models.Job):
        return ()
    return (
        ("Kind", render.words(obj.kind)),
        ("State", render.badge(obj.state, TONES)),
        ("Done", f"{obj.done:,} of {obj.total:,}"),
        ("Requested by", people.who(obj.owner)),
    )


def _cancel(request: HttpRequest, job_id: str, given: dict[str, Any]) -> str:
    del given
    job = control.cancel(job_id, actor=actor_of(request))
    kept = f"{int(job.done):,} of {int(job.total):,} steps were done and are kept"
    if job.state is JobState.CANCELLED:
        return f"Job {job_id} is cancelled; {kept}."
    return f"Job {job_id} ends at its worker's next report, within seconds; {kept} so far."


def _left(_request: HttpRequest, chosen: list[DisplayModel]) -> list[str]:
    kept = sum(obj.done for obj in chosen if isinstance(obj, models.Job))
    return [f"{kept:,} steps that were done are kept; nothing of them is undone."]


def _retry(request: HttpRequest, job_id: str, given: dict[str, Any]) -> str:
    del given
    actor = actor_of(request)
    failed = services.find(job_id, actor=actor)
    if kinds.is_shared(failed.kind):  # as when it was first queued; custody's own jobs are not limited
        quotas.check_owner(failed.owner, {Quota.JOBS})
    job = services.retry(job_id, actor=actor)
    return f"Job {job_id} waits for a worker; it goes on after {int(job.done):,} of {int(job.total):,} steps."


ACTIONS = (
    Action(
        name="retry", label="Retry…", title="Retry jobs", permission="cancel", button="Retry",
        warning="Queues jobs again that failed. What they have done is kept: they go on with the rest. Fix the cause "
        "first.",
        done="queued again", destructive=False, act=_retry, form_class=NoForm, facts=_facts,
        offered=lambda obj: isinstance(obj, models.Job) and obj.state == JobState.FAILED,
    ),
    Action(
        name="cancel", label="Cancel job…", title="Cancel jobs", permission="cancel", button="Cancel the jobs",
        warning="Their workers stop within seconds, and leave nothing half done.", done="asked to stop",
        act=_cancel, form_class=NoForm, facts=_facts, left=_left,
        offered=lambda obj: isinstance(obj, models.Job) and not JobState(obj.state).ended,
    ),
)  # fmt: skip


@admin.register(models.Job)
class JobAdmin(StoreAdmin):
    section, place = "Operations", 1
    empty_text = "No jobs yet. Long-running work, such as batches of sessions, appears here."
    search_fields = ("job_id",)
    search_help_text = "Exact job id"
    id_pattern = rf"{UUID}|[a-z-]+-\d{{4}}-\d\d-\d\d|[a-z-]+-{UUID}"
    indexed = ("owner",)
    list_filter = (
        choice_filter("kind", kinds.all_kinds()),
        choice_filter("state", JobState),
        exact_filter("owner", title="requested by (id or user name)"),
        *day_filters(),
    )
    unlisted = ("results",)
    list_display = ("identity", "badge", "what", "progress", "who", "queued", "ended")
    record_actions = ACTIONS
    fieldsets = (
        (None, {"fields": ("what", "badge_and_why", "progress", "speed", "requested_by", "again")}),
        ("Times", {"fields": ("queued", "started", "heard", "again_at", "ended")}),
        ("Request", {"fields": ("asked",)}),
        ("Results", {"fields": ("came_of_it",)}),
    )
    identity = column("job_id", render.code, "job")
    what = column("kind", render.words, "kind")
    who = column("owner", people.who, "requested by")
    requested_by = column("owner", people.who_whole, "requested by")
    queued = column("created_at", render.moment, "queued")
    started = column("started_at", render.moment, "started")
    heard = column("heard_at", render.moment, "last heard of")
    again_at = column("due_at", render.moment, "tried again at")
    ended = column("ended_at", render.moment, "ended")

    @admin.display(description="state")
    def badge(self, obj: models.Job) -> Any:
        state = render.badge(obj.state, TONES)
        if obj.results.get("whole") is not False:
            return state
        # As a job it succeeded; nobody who looks at it should take the trail for whole
        return render.inline([state, render.badge("found damage", Tone.BAD)])

    @admin.display(description="parameters")
    def asked(self, obj: models.Job) -> Any:
        return render.document({name: value for name, value in obj.parameters.items() if name not in ABOUT})

    @admin.display(description="state")
    def badge_and_why(self, obj: models.Job) -> Any:
        asked = "asked to stop" if obj.cancel_requested and obj.state != JobState.CANCELLED else ""
        return render.inline([self.badge(obj), asked, render.name(obj.error)])

    @admin.display(description="progress")
    def progress(self, obj: models.Job) -> Any:
        return render.progress(obj.done, obj.total)

    @admin.display(description="rate")
    def speed(self, obj: models.Job) -> str:
        return pace(obj.per_second, obj.eta_seconds)

    @admin.display(description="to start it again")
    def again(self, obj: models.Job) -> str:
        declared = kinds.all_kinds().get(obj.kind)
        stopped = obj.state in {JobState.FAILED, JobState.CANCELLED}
        return declared.again if declared is not None and stopped else str(render.NONE)

    @admin.display(description="results")
    def came_of_it(self, obj: models.Job) -> Any:
        others = {name: value for name, value in obj.results.items() if name != "session_ids"}
        return render.document(others) if others else render.NONE

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Job]:
        owner = people.id_of(filters["owner"]) if "owner" in filters else None
        return services.listed(actor=actor_of(request), limit=limit, position=position, owner=owner)

    def fits(self, record: Job, name: str, value: str) -> bool:
        """Return whether a job is one that a filter wants."""
        return str(getattr(record, name)) == (people.id_of(value) if name == "owner" else value)

    def name_of(self, obj: DisplayModel) -> str:
        return render.words(str(getattr(obj, "kind", "")))

    def find(self, request: HttpRequest, object_id: str) -> Job:
        return results.with_first(services.find(object_id, actor=actor_of(request)))

    def subject_of(self, obj: DisplayModel) -> Subject | None:
        """Return who asked for the job: no index gives the entries of a job alone."""
        return Subject(by="actor", value=str(getattr(obj, "owner", "")))

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return what the job is about, and what it made."""
        if not isinstance(obj, models.Job):
            return ()
        viewer = request.user
        about = [
            (render.heading(name.removesuffix("_id")), render.link(viewer, target, obj.parameters.get(name)))
            for name, target in ABOUT.items()
            if obj.parameters.get(name)
        ]
        if obj.parameters.get("link"):
            name = str(obj.parameters["link"])
            about.append(("Link", render.link(viewer, "links.link", name, render.name(name))))
        made = [
            (render.link(viewer, "qkd_sessions.session", one),) for one in obj.results.get("session_ids", [])
        ]
        more: str | SafeString = (
            f"The first {len(made):,} of {obj.done:,}; the API lists all." if len(made) < obj.done else ""
        )
        others = render.list_link(viewer, "jobs.job", "Other jobs of theirs", owner=obj.owner)
        return [
            Related(
                title="About",
                columns=("What", "Record"),
                rows=about,
                note="" if about else "It is about no single record.",
            ),
            Related(title="Requested by", note=render.inline([whose(request.user, obj.owner), others])),
            *([Related(title="Sessions", columns=("Session",), rows=made, more=more)] if made else []),
        ]

    def refresh_seconds(self, obj: DisplayModel) -> int | None:
        return 5 if isinstance(obj, models.Job) and not JobState(obj.state).ended else None
