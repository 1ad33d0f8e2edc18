"""Root keys and the recovery key in the console: what is wrapped under which, and their replacement.

The shares of a recovery key pass no browser: they are made and typed where its officers sit (docs/custody.md).
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.access.console import actor_of
from apps.common.dynamodb import Page, Position
from apps.common.errors import NotFound, Refused
from apps.console import kept, pages, render
from apps.console.actions import NoForm, ReasonForm
from apps.console.details import Related
from apps.console.form_page import form_page
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin, partial_of
from apps.custody import models, recovery, rootkeys
from apps.custody.job_kinds import CustodyJob
from apps.custody.rootkeys import Holding
from apps.jobs import services as jobs
from apps.jobs.records import Job

REPLACE = "custody.replace_rootkey"
VIEW = "custody.view_rootkey"


@admin.register(models.RootKey)
class RootKeyAdmin(StoreAdmin):
    section, place = "Keys", 5
    is_whole = True
    intro = "Every private seed and final key is wrapped under a root key. An older one still opens what it wrapped."
    id_pattern = r"(?!)"
    search_fields = ()
    list_display = ("identity", "badge", "seeds", "finals")
    fieldsets = ((None, {"fields": ("badge", "seeds", "finals")}),)
    identity = column("root_key_id", render.code, "root key")
    badge = column(
        "current",
        lambda value: render.badge("current" if value else "older", Tone.GOOD if value else Tone.WAIT),
        "state",
    )
    seeds = column("pool_keys", render.number, "seeds of pool keys under it")
    finals = column("sessions", render.number, "final keys of sessions under it")

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Holding]:
        del request, limit, position, filters
        return Page(rootkeys.status())

    def find(self, request: HttpRequest, object_id: str) -> Holding:
        del request
        found = next((held for held in rootkeys.status() if held.root_key_id == object_id), None)
        if found is None:
            raise NotFound(f"There is no root key {object_id!r}.")
        return found

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        if not request.user.has_perm(REPLACE):
            return []
        return [
            {"label": "Rotate the root key…", "url": reverse("admin:custody_rootkey_rotate")},
            {"label": "Retire older ones…", "url": reverse("admin:custody_rootkey_retire")},
        ]

    def get_urls(self) -> list[URLPattern]:
        views = {"rotate": rotate_view, "retire": retire_view, "seal": seal_view, "recover": recover_view}
        guard = self.admin_site.admin_view
        return [
            *(
                path(f"{name}/", guard(partial_of(view, self)), name=f"custody_rootkey_{name}")
                for name, view in views.items()
            ),
            *super().get_urls(),
        ]


def _asked(
    model_admin: RootKeyAdmin,
    request: HttpRequest,
    submit: Callable[[Any], HttpResponse],
    *,
    title: str,
    intro: str,
    button: str,
    form_class: type[forms.Form] = NoForm,
) -> HttpResponse:
    if not request.user.has_perm(REPLACE):
        raise PermissionDenied
    context = model_admin.page_context(request, title)
    return form_page(
        request, context, form_class, submit, intro=intro, button=button, back_url=model_admin.list_url()
    )


def _at_job(model_admin: RootKeyAdmin, request: HttpRequest, job: Job) -> HttpResponse:
    if not render.may_view(request.user, "jobs.job"):
        return HttpResponseRedirect(model_admin.list_url())
    return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.job_id]))


@kept.keeps_what_was_typed
def rotate_view(model_admin: RootKeyAdmin, request: HttpRequest) -> HttpResponse:
    """Have everything wrapped under a new root key by a job."""

    def submit(_form: forms.Form) -> HttpResponse:
        held = sum(one.pool_keys + one.sessions for one in rootkeys.status())
        actor = actor_of(request)
        job = jobs.enqueue(CustodyJob.ROTATE_ROOT, total=max(1, held), parameters={}, actor=actor)
        return _at_job(model_admin, request, job)

    intro = (
        "A job wraps every secret under the current root key. A local root key is made first, unless an earlier rotation "
        "is not finished; with KMS, the new key is named in ROOT_KEY and the old one in ROOT_KEY_PREVIOUS before. "
        "Nothing becomes unreadable meanwhile."
    )
    return _asked(
        model_admin, request, submit, title="Rotate the root key", intro=intro, button="Rotate the root key"
    )


@kept.keeps_what_was_typed
def retire_view(model_admin: RootKeyAdmin, request: HttpRequest) -> HttpResponse:
    """Forget the older root keys, once nothing is under them."""

    def submit(_form: forms.Form) -> HttpResponse:
        if len(rootkeys.status()) == 1:
            raise Refused("There is no older root key.")
        rootkeys.retire(actor=actor_of(request))
        return HttpResponseRedirect(model_admin.list_url())

    intro = (
        "Forgets the older root keys. This is permanent, and refused while anything is wrapped under one of them. "
        "A backup from before their rotation opens only with them."
    )
    return _asked(
        model_admin, request, submit, title="Retire older root keys", intro=intro, button="Retire permanently"
    )


@kept.keeps_what_was_typed
def seal_view(model_admin: RootKeyAdmin, request: HttpRequest) -> HttpResponse:
    """Have everything sealed to the recovery key by a job."""

    def submit(_form: forms.Form) -> HttpResponse:
        recovery.current_id()
        held = sum(one.pool_keys + one.sessions for one in rootkeys.status())
        actor = actor_of(request)
        job = jobs.enqueue(CustodyJob.SEAL_SECRETS, total=max(1, held), parameters={}, actor=actor)
        return _at_job(model_admin, request, job)

    intro = "A job seals to the recovery key what was made before there was one. New secrets are sealed by themselves."
    return _asked(model_admin, request, submit, title="Seal what is not sealed", intro=intro, button="Seal")


@kept.keeps_what_was_typed
def recover_view(model_admin: RootKeyAdmin, request: HttpRequest) -> HttpResponse:
    """Ask for the use of the recovery key."""

    def submit(form: ReasonForm) -> HttpResponse:
        asked = recovery.request(reason=form.cleaned_data["reason"], actor=actor_of(request))
        if not render.may_view(request.user, "custody.approval"):
            return HttpResponseRedirect(model_admin.list_url())
        return HttpResponseRedirect(reverse("admin:custody_approval_change", args=[asked.approval_id]))

    intro = (
        "For when the root key is gone. A second person has to allow it; then its officers type their shares into "
        "manage.py recovery use --approval with this request's id."
    )
    return _asked(
        model_admin, request, submit,
        title="Ask for the use of the recovery key", intro=intro, button="Ask", form_class=ReasonForm,
    )  # fmt: skip


def _recovery_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show whether there is a recovery key, and what can be done with it."""
    try:
        state = render.inline([render.badge("configured", Tone.GOOD), render.copied(recovery.current_id())])
        what = "New secrets are sealed to it by themselves."
    except Refused:
        state = render.badge("none is configured", Tone.BAD)
        what = "Losing the root key would lose every file. Make a recovery key."
    may = request.user.has_perm(REPLACE)
    seal = render.url_link(reverse("admin:custody_rootkey_seal"), "Seal what is not sealed…")
    use = render.url_link(reverse("admin:custody_rootkey_recover"), "Ask for its use…")
    steps = [
        (
            "Make one",
            "manage.py recovery make --threshold 3 --shares 5",
            "where its officers sit; shares are shown once",
        ),
        ("Configure it", "RECOVERY_PUBLIC_KEY", "in the settings of every process"),
        ("Seal what is there", seal if may else "", "a job"),
        ("Check it", "manage.py recovery check", "with as many officers as are needed"),
        ("Use it", use if may else "", "a second person allows it, then manage.py recovery use"),
    ]
    parts = [
        Related(title="Recovery key", columns=("State",), rows=[(state,)], note=what),
        Related(
            title="The ceremony",
            columns=("Step", "By", "How"),
            rows=steps,
            note="Shares pass no browser: whoever saw enough of them there would hold the recovery key.",
        ),
    ]
    return TemplateResponse(request, "console/parts.html", context | {"parts": parts})


pages.register(
    pages.ConsolePage(
        name="recovery", title="Recovery", section="Keys", place=6, permission=VIEW, view=_recovery_page
    )
)
