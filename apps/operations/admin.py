"""Dead letters and schedules in the console: what is there, and what can be done to it."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.access.console import actor_of
from apps.common import scheduling, turns
from apps.common.dynamodb import Page, Position
from apps.common.errors import NotFound
from apps.common.scheduling import Schedule
from apps.common.slices import Turn
from apps.console import kept, render
from apps.console.actions import Action, Facts, NoForm
from apps.console.details import Related
from apps.console.form_page import form_page
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin, partial_of
from apps.jobs.records import Job
from apps.operations import console as _pages
from apps.operations import letters, models, running
from apps.operations.letters import Letter, LetterKind
from apps.operations.shown import ScheduleShown, schedules

__all__ = ["LetterAdmin", "ScheduleAdmin", "_pages"]
KINDS = {
    LetterKind.EVENT: "an event that was given up",
    LetterKind.JOB: "a job's message",
    LetterKind.UPLOAD: "an upload's notification",
    LetterKind.UNKNOWN: "none of the platform's",
}


def _kind(value: str) -> str:
    return KINDS[LetterKind(value)]


def _works(request: HttpRequest, job: Job, text: str) -> SafeString:
    return format_html("Job {} {}.", render.link(request.user, "jobs.job", job.job_id), text)


def _letter_facts(request: HttpRequest, obj: DisplayModel) -> Facts:
    if not isinstance(obj, models.Letter):
        return ()
    job = obj.facts.get("job")
    return (
        ("Kind", _kind(obj.kind)),
        ("Since", render.moment(obj.sent_at)),
        *((render.heading(name), render.spelt(value)) for name, value in obj.facts.items() if name != "job"),
        *([("Job", render.link(request.user, "jobs.job", job))] if job else []),
    )


def _redrive(request: HttpRequest, message_id: str, given: dict[str, Any]) -> SafeString:
    del given
    return _works(request, letters.redrive_later([message_id], actor=actor_of(request)), "tries it again")


def _drop(request: HttpRequest, message_id: str, given: dict[str, Any]) -> None:
    letters.drop(message_id, reason=given["reason"], actor=actor_of(request))


def _is_ours(obj: DisplayModel) -> bool:
    return isinstance(obj, models.Letter) and obj.kind != LetterKind.UNKNOWN


LETTER_ACTIONS = (
    Action(
        name="redrive", label="Try again…", title="Try dead letters again", permission="manage", button="Try again",
        warning="A worker tries each once more. Those that succeed are removed; those that fail stay. Fix the cause first.",
        done="queued to be tried again", destructive=False, act=_redrive, form_class=NoForm, facts=_letter_facts,
        offered=_is_ours,
    ),
    Action(
        name="drop", label="Drop…", title="Drop dead letters", permission="manage", button="Drop permanently",
        warning="They are never tried again. This is permanent. The sweep still finds uploads that they were about; "
        "a job is sent again unless it has ended.",
        done="dropped", act=_drop, facts=_letter_facts,
    ),
)  # fmt: skip


@admin.register(models.Letter)
class LetterAdmin(StoreAdmin):
    section, place = "Operations", 2
    is_whole = True
    empty_text = "No dead letters. What fails at every attempt appears here."
    intro = (
        "Events and jobs that failed at every attempt, oldest first. Contents are not shown. "
        f"At most {letters.MOST} are listed; one that is being tried right now is left out."
    )
    id_pattern = r"(?!)"  # looked for by nobody: a look receives them all
    search_fields = ()
    list_display = ("identity", "what", "about", "error", "since", "seen")
    record_actions = LETTER_ACTIONS
    fieldsets = (
        (None, {"fields": ("what", "since", "seen", "length", "sha")}),
        ("About", {"fields": ("known",)}),
    )
    identity = column("message_id", render.code, "dead letter")
    what = column("kind", _kind, "what it was")
    since = column("sent_at", render.moment, "since")
    seen = column("received", render.number, "times received, looks among them")
    length = column("size", render.size, "size")
    sha = column("digest", render.copied, "SHA-256")
    error = column("facts", lambda facts: render.name(facts.get("error")), "failed with")

    @admin.display(description="about")
    def about(self, obj: models.Letter) -> Any:
        job = obj.facts.get("job")
        if job:
            return render.link(obj.viewer, "jobs.job", job)
        return render.inline([obj.facts.get("what", ""), render.name(obj.facts.get("object"))])

    @admin.display(description="what is known of it")
    def known(self, obj: models.Letter) -> Any:
        return render.document(obj.facts)

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Letter]:
        del request, limit, position, filters  # SQS has no pages
        return Page(letters.look())

    def find(self, request: HttpRequest, object_id: str) -> Letter:
        del request
        return letters.find(object_id)

    def as_display(self, record: Letter) -> DisplayModel:
        return models.Letter.of(record, facts=dict(record.facts))

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return the job whose message it was."""
        job = getattr(obj, "facts", {}).get("job")
        return [Related(title="Job", note=render.link(request.user, "jobs.job", job))] if job else ()

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        if not self.allows(request, "manage"):
            return []
        return [{"label": "Try all again", "url": reverse("admin:operations_letter_redrive")}]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial_of(_redrive_all_view, self))
        return [path("redrive/", view, name="operations_letter_redrive"), *super().get_urls()]


@kept.keeps_what_was_typed
def _redrive_all_view(model_admin: LetterAdmin, request: HttpRequest) -> HttpResponse:
    """Have all dead letters tried again by a job."""
    if not model_admin.allows(request, "manage"):
        raise PermissionDenied

    def submit(_form: NoForm) -> HttpResponse:
        job = letters.redrive_later(actor=actor_of(request))
        if not render.may_view(request.user, "jobs.job"):
            return HttpResponseRedirect(model_admin.list_url())
        return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.job_id]))

    context = model_admin.page_context(request, "Try all dead letters again")
    intro = (
        f"A worker tries up to {letters.MOST} dead letters, once each. Those that succeed are removed; those that fail stay. "
        "The job's page shows how many. Fix the cause first."
    )
    return form_page(
        request, context, NoForm, submit, intro=intro, button="Try all again", back_url=model_admin.list_url()
    )


def _schedule_facts(_request: HttpRequest, obj: DisplayModel) -> Facts:
    if not isinstance(obj, models.Schedule):
        return ()
    return (
        ("What", obj.meaning),
        ("Parts", render.number(obj.parts)),
        ("Last run", render.moment(obj.started_at)),
        ("Next automatic run", render.moment(obj.next_at)),
    )


def _state_of(turn: Turn | None) -> Any:
    if turn is None:
        return render.badge("has not run", Tone.MUTED)
    if turn.failed:
        return render.badge("failed", Tone.BAD)
    return render.badge("behind", Tone.WAIT) if turn.is_starved else render.badge("in order", Tone.GOOD)


def _run(request: HttpRequest, name: str, given: dict[str, Any]) -> SafeString:
    del given
    return _works(request, running.run_later(Schedule(name), actor=actor_of(request)), "runs it")


SCHEDULE_ACTIONS = (
    Action(
        name="run", label="Run now…", title="Run schedules now", permission="manage", button="Run now",
        warning="A worker runs every part, as the schedule would. A part that is already running is skipped.",
        done="queued to run", destructive=False, act=_run, form_class=NoForm, facts=_schedule_facts,
    ),
)  # fmt: skip


@admin.register(models.Schedule)
class ScheduleAdmin(StoreAdmin):
    section, place = "Operations", 3
    is_whole = True
    intro = (
        "What runs automatically. Each part runs even if another fails; its next run picks up what was left."
    )
    id_pattern = r"(?!)"
    search_fields = ()
    list_display = ("identity", "about", "state", "many", "last", "next")
    record_actions = SCHEDULE_ACTIONS
    fieldsets = (
        (None, {"fields": ("about", "state", "last", "next")}),
        ("Parts", {"fields": ("each",), "classes": ("whole",)}),
    )
    identity = column("name", render.heading, "schedule")
    about = column("meaning", str, "what it does")
    many = column("parts", render.number, "parts")
    last = column("started_at", render.moment, "last run")
    next = column("next_at", render.moment, "next automatic run")

    @admin.display(description="state")
    def state(self, obj: models.Schedule) -> Any:
        if obj.failed:
            return render.badge(f"{obj.failed:,} failed", Tone.BAD)
        if obj.starved:
            return render.badge(f"{obj.starved:,} behind", Tone.WAIT)
        return (
            render.badge("in order", Tone.GOOD) if obj.started_at else render.badge("has not run", Tone.MUTED)
        )

    @admin.display(description="parts")
    def each(self, obj: models.Schedule) -> Any:
        known = turns.known(str(obj.pk))
        rows = []
        for part in scheduling.parts_of(Schedule(str(obj.pk))):
            turn = known.get(part.name)
            state = _state_of(turn)
            rows.append(
                (
                    part.name,
                    render.moment(turn.started_at if turn else None),
                    render.moment(turn.whole_since if turn else None),
                    state,
                )
            )
        return render.table(("Part", "Last turn", "Last time all was done", "State"), rows)

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[ScheduleShown]:
        del request, limit, position, filters
        return Page(schedules())

    def find(self, request: HttpRequest, object_id: str) -> ScheduleShown:
        del request
        found = next((one for one in schedules() if one.name == object_id), None)
        if found is None:
            raise NotFound(f"There is no schedule {object_id!r}.")
        return found
