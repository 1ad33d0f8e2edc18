"""Rotations and approvals in the console: lists, pages, and what can be done to them."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.access import principals
from apps.access.console import actor_of
from apps.access.console.whose import whose
from apps.common import clock
from apps.common.dynamodb import Page, Position
from apps.console import people, render
from apps.console.actions import Action, Facts, NoForm
from apps.console.details import Related, Subject
from apps.console.filters import choice_filter, day_filters, exact_filter
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin, partial_of
from apps.custody import activation, approvals, destruction, models, retirement
from apps.custody import console as _overview
from apps.custody.console import exports
from apps.custody.console import root as _root
from apps.custody.records import Approval, ApprovalStatus, Guarded
from apps.files.keys import rewrap
from apps.keys import rotation
from apps.keys.records import Rotation, RotationStatus

__all__ = ["ApprovalAdmin", "RotationAdmin", "_overview", "_root"]
ROTATION_TONES = {RotationStatus.OPEN: Tone.WAIT, RotationStatus.DONE: Tone.GOOD}
APPROVAL_TONES = {
    ApprovalStatus.PENDING: Tone.WAIT,
    ApprovalStatus.APPROVED: Tone.GOOD,
    ApprovalStatus.REFUSED: Tone.BAD,
    ApprovalStatus.WITHDRAWN: Tone.MUTED,
    ApprovalStatus.USED: Tone.MUTED,
}


def _rotation_facts(_request: HttpRequest, obj: DisplayModel) -> Facts:
    if not isinstance(obj, models.Rotation):
        return ()
    return (
        ("Status", render.badge(obj.status, ROTATION_TONES)),
        ("Old key", render.code(obj.old_key_id)),
        ("Files that wait", render.number(rewrap.waiting_count(obj.old_key_id))),
        ("Job", render.code(obj.job_id)),
    )


def _resume(request: HttpRequest, rotation_id: str, given: dict[str, Any]) -> SafeString:
    del given
    job = retirement.start(rotation_id, actor=actor_of(request))
    return format_html("Job {} moves the files.", render.link(request.user, "jobs.job", job.job_id))


@admin.register(models.Rotation)
class RotationAdmin(StoreAdmin):
    section, place = "Keys", 3
    empty_text = "No rotations yet. A key that is taken out of use opens one."
    id_pattern = r"rot-.+"
    search_fields = ("rotation_id",)
    search_help_text = "Exact rotation id"
    moment_field = "started_at"
    list_filter = (choice_filter("status", RotationStatus), *day_filters())
    list_display = ("identity", "badge", "why", "new", "who", "started", "ended")
    record_actions = (
        Action(
            name="resume", label="Resume…", title="Resume rotations", permission="resume", button="Resume",
            warning="Starts a job that moves the files that still wait, where the one before failed or was cancelled.",
            done="resumed", destructive=False, act=_resume, form_class=NoForm, facts=_rotation_facts,
            offered=lambda obj: isinstance(obj, models.Rotation) and obj.status == RotationStatus.OPEN,
        ),
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("badge", "why", "old", "new", "job", "waiting")}),
        ("Times", {"fields": ("started", "who", "changed", "ended")}),
    )
    identity = column("rotation_id", render.code, "rotation")
    badge = column("status", lambda value: render.badge(value, ROTATION_TONES), "status")
    why = column("reason", render.name, "reason")
    who = column("started_by", people.who, "started by")
    started = column("started_at", render.moment, "started")
    changed = column("changed_at", render.moment, "changed")
    ended = column("ended_at", render.moment, "ended")

    @admin.display(description="old key")
    def old(self, obj: models.Rotation) -> Any:
        return render.link(obj.viewer, "keys.poolkey", obj.old_key_id, render.code(obj.old_key_id))

    @admin.display(description="new key")
    def new(self, obj: models.Rotation) -> Any:
        return render.link(obj.viewer, "keys.poolkey", obj.new_key_id)

    @admin.display(description="job")
    def job(self, obj: models.Rotation) -> Any:
        return render.link(obj.viewer, "jobs.job", obj.job_id)

    @admin.display(description="files that wait")
    def waiting(self, obj: models.Rotation) -> Any:
        return render.number(rewrap.waiting_count(obj.old_key_id))

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Rotation]:
        del request, filters
        return rotation.rotations_page(limit=limit, position=position)

    def find(self, request: HttpRequest, object_id: str) -> Rotation:
        del request
        return rotation.find(object_id)

    def subject_of(self, obj: DisplayModel) -> Subject:
        return Subject(by="key", value=str(getattr(obj, "old_key_id", "")))

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return both keys and the job."""
        del request
        if not isinstance(obj, models.Rotation):
            return ()
        rows = [("Old key", self.old(obj)), ("New key", self.new(obj)), ("Job", self.job(obj))]
        return [Related(title="Keys and job", columns=("What", "Record"), rows=rows)]

    def refresh_seconds(self, obj: DisplayModel) -> int | None:
        return 5 if isinstance(obj, models.Rotation) and obj.status == RotationStatus.OPEN else None


def _approval_facts(_request: HttpRequest, obj: DisplayModel) -> Facts:
    if not isinstance(obj, models.Approval):
        return ()
    return (
        ("Asked for", f"{render.words(obj.action)} of {obj.subject}"),
        ("Status", render.badge(obj.status, APPROVAL_TONES)),
        ("Requested by", people.who(obj.requested_by)),
        ("Reason", render.name(obj.reason)),
        ("Expires", render.moment(obj.expires_at)),
        *((render.heading(name), render.document(value)) for name, value in obj.parameters.items()),
    )


def _decide(service: Callable[..., Approval]) -> Callable[[HttpRequest, str, dict[str, Any]], None]:
    def act(request: HttpRequest, approval_id: str, given: dict[str, Any]) -> None:
        del given
        service(approval_id, actor=actor_of(request))

    return act


def _carry_out(request: HttpRequest, approval_id: str, given: dict[str, Any]) -> SafeString:
    """Destroy or activate what was allowed."""
    del given
    service = {Guarded.DESTROY_KEY: destruction.schedule, Guarded.ACTIVATE_KEY: activation.activate}
    key = service[approvals.find(approval_id).action](approval_id, actor=actor_of(request))
    link = render.link(request.user, "keys.poolkey", key.key_id)
    if key.destroy_after is None:
        return format_html("{}: {}.", link, key.state.label)
    until = render.moment(key.destroy_after)
    return format_html(
        "{} is destroyed after {}. Until then its destruction can be cancelled there.", link, until
    )


def _is(*states: ApprovalStatus) -> Callable[[DisplayModel], bool]:
    def offered(obj: DisplayModel) -> bool:
        return isinstance(obj, models.Approval) and obj.status in states and obj.expires_at > clock.now()

    return offered


def _can_be_carried_out(obj: DisplayModel) -> bool:
    here = {Guarded.DESTROY_KEY, Guarded.ACTIVATE_KEY}  # exports and recoveries answer with what they open
    return _is(ApprovalStatus.APPROVED)(obj) and getattr(obj, "action", "") in here


APPROVAL_ACTIONS = (
    Action(
        name="approve", label="Approve…", title="Approve requests", permission="decide", button="Approve",
        warning="Allows the person who asked to do this, once. You cannot approve what you asked for yourself.",
        done="approved", act=_decide(approvals.approve), form_class=NoForm, facts=_approval_facts,
        offered=_is(ApprovalStatus.PENDING),
    ),
    Action(
        name="refuse", label="Refuse…", title="Refuse requests", permission="decide", button="Refuse", done="refused",
        warning="Nothing is done. Whoever asked may ask again.", destructive=False, act=_decide(approvals.refuse),
        form_class=NoForm, facts=_approval_facts, offered=_is(ApprovalStatus.PENDING),
    ),
    Action(
        name="carry-out", label="Carry out…", title="Carry out what was allowed", permission="use",
        button="Carry out", warning="Does what a second person allowed. A destruction begins its waiting window.",
        done="carried out", several=False, act=_carry_out, form_class=NoForm, facts=_approval_facts,
        offered=_can_be_carried_out,
    ),
    Action(
        name="withdraw", label="Withdraw…", title="Withdraw requests", permission="use", button="Withdraw",
        warning="Ends requests that were not used yet.", done="withdrawn", destructive=False,
        act=_decide(approvals.withdraw), form_class=NoForm, facts=_approval_facts,
        offered=_is(ApprovalStatus.PENDING, ApprovalStatus.APPROVED),
    ),
)  # fmt: skip


@admin.register(models.Approval)
class ApprovalAdmin(StoreAdmin):
    section, place = "Keys", 4
    empty_text = "No approvals yet. Destroying, exporting or activating a key asks for one."
    id_pattern = r"ap-.+"
    search_fields = ("approval_id",)
    search_help_text = "Exact approval id"
    indexed = ("status",)
    moment_field = "requested_at"
    list_filter = (
        choice_filter("status", ApprovalStatus),
        choice_filter("action", Guarded),
        exact_filter("subject"),
        *day_filters(),
    )
    list_display = ("identity", "what", "about", "badge", "who", "asked_at", "decider")
    record_actions = APPROVAL_ACTIONS
    fieldsets = (
        (None, {"fields": ("what", "about", "badge", "why", "who", "asked_at", "void")}),
        ("Decision", {"fields": ("decider", "decided", "used")}),
        ("What exactly", {"fields": ("exactly",)}),
    )
    identity = column("approval_id", render.code, "approval")
    what = column("action", render.words, "action")
    badge = column("status", lambda value: render.badge(value, APPROVAL_TONES), "status")
    why = column("reason", render.name, "reason")
    who = column("requested_by", people.who, "requested by")
    asked_at = column("requested_at", render.moment, "requested")
    void = column("expires_at", render.moment, "expires")
    decider = column("decided_by", people.who, "decided by")
    decided = column("decided_at", render.moment, "decided")
    used = column("used_at", render.moment, "used")
    exactly = column("parameters", render.document, "parameters")

    @admin.display(description="subject")
    def about(self, obj: models.Approval) -> Any:
        if obj.action == Guarded.RECOVER:
            return render.name(obj.subject)
        if obj.action == Guarded.EXPORT_QUANTUM_KEY:  # which is shown with its session
            session = obj.subject.partition(".")[0]
            return render.link(obj.viewer, "qkd_sessions.session", session, render.short(obj.subject))
        return render.link(obj.viewer, "keys.poolkey", obj.subject)

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Approval]:
        del request
        status = ApprovalStatus(filters["status"]) if "status" in filters else None
        return approvals.approvals_page(limit=limit, position=position, status=status)

    def find(self, request: HttpRequest, object_id: str) -> Approval:
        del request
        return approvals.find(object_id)

    def applies(self, request: HttpRequest, obj: DisplayModel, action: Action) -> bool:
        """Return whether the user can do an action to a request: an approver decides, of another's; both may withdraw."""
        if not super().applies(request, obj, action) or not isinstance(obj, models.Approval):
            return False
        actor = actor_of(request)
        if action.name == "withdraw":
            return str(actor) in {obj.requested_by, obj.decided_by}
        if action.permission != "decide":
            return True
        is_own = action.name == "approve" and obj.requested_by == str(actor)
        return not is_own and principals.rights_of(actor)[1]

    def buttons_for(self, request: HttpRequest, obj: DisplayModel) -> list[dict[str, Any]]:
        """Return the actions, and first the export that a second person allowed: what it gives out is a file."""
        buttons = super().buttons_for(request, obj)
        if not (_is(ApprovalStatus.APPROVED)(obj) and getattr(obj, "action", "") in exports.EXPORTS):
            return buttons
        if not self.allows(request, "use"):
            return buttons
        url = exports.address(str(obj.pk))
        return [{"name": "export", "label": "Carry out…", "destructive": True, "url": url}, *buttons]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial_of(exports.export_view, self))
        return [
            path("<str:approval_id>/give-out/", view, name="custody_approval_give_out"),
            *super().get_urls(),
        ]

    def subject_of(self, obj: DisplayModel) -> Subject:
        return Subject(by="approval", value=str(obj.pk))

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return what it is about, and both persons."""
        if not isinstance(obj, models.Approval):
            return ()
        viewer = request.user
        rows = [
            ("Subject", self.about(obj)),
            ("Requested by", whose(viewer, obj.requested_by)),
            ("Decided by", whose(viewer, obj.decided_by)),
        ]
        return [Related(title="Subject and persons", columns=("What", "Record"), rows=rows)]
