"""Applications that keys are delivered to, in the console: list, page, and what can be done to them."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from apps.access.console import actor_of
from apps.common.dynamodb import Page, Position
from apps.console import kept, people, render
from apps.console.actions import Action, Facts
from apps.console.details import Related, Subject
from apps.console.filters import choice_filter, day_filters
from apps.console.form_page import differences, form_page
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin, partial_of
from apps.kme import models, saes
from apps.kme.forms import ChangeSaeForm, SaeForm, SettingsForm
from apps.kme.records import ANY_PEER, Sae, SaeState

TONES = {SaeState.ACTIVE: Tone.GOOD, SaeState.REVOKED: Tone.BAD}


def _peers(value: Sequence[str]) -> Any:
    return "every application" if ANY_PEER in value else render.document(list(value))


def _many(value: int | None) -> Any:
    return "any number" if value is None else render.number(value)


def _facts(_request: HttpRequest, obj: DisplayModel) -> Facts:
    if not isinstance(obj, models.Sae):
        return ()
    return (
        ("Name", render.name(obj.name)),
        ("State", render.badge(obj.state, TONES)),
        ("May ask for keys with", _peers(obj.peers)),
        ("Keys a day", _many(obj.keys_a_day)),
    )


def _revoke(request: HttpRequest, sae_id: str, given: dict[str, Any]) -> None:
    saes.revoke(sae_id, reason=given["reason"], actor=actor_of(request))


ACTIONS = (
    Action(
        name="revoke", label="Revoke…", title="Revoke applications", permission="manage", button="Revoke permanently",
        warning="They receive no more keys, and nobody receives keys that they asked for. This is permanent.", done="revoked",
        act=_revoke, facts=_facts, offered=lambda obj: isinstance(obj, models.Sae) and obj.state == SaeState.ACTIVE,
    ),
)  # fmt: skip


@admin.register(models.Sae)
class SaeAdmin(StoreAdmin):
    section, place = "Access", 3
    empty_text = "No applications yet. Register those that keys are delivered to by ETSI GS QKD 014."
    intro = "Applications that keys are delivered to by ETSI GS QKD 014. Each comes with a certificate."
    id_pattern = r"[A-Za-z0-9._:@-]{1,64}"
    search_fields = ("sae_id",)
    search_help_text = "Exact id of an application"
    list_filter = (choice_filter("state", SaeState), *day_filters())
    list_display = ("identity", "called", "badge", "asks", "a_day", "made")
    record_actions = ACTIONS
    fieldsets = (
        (None, {"fields": ("called", "badge_and_why", "acts", "made", "maker", "changed")}),
        ("Certificates", {"fields": ("prints", "of_subject", "refused")}),
        ("May", {"fields": ("asks", "a_day", "over", "collects")}),
    )
    identity = column("sae_id", render.code, "application")
    called = column("name", render.name, "name")
    badge = column("state", lambda value: render.badge(value, TONES), "state")
    asks = column("peers", _peers, "asks for keys with")
    a_day = column("keys_a_day", _many, "keys a day")
    acts = column("principal_id", render.copied, "acts as")
    made = column("created_at", render.moment, "registered")
    maker = column("created_by", people.who_whole, "registered by")
    changed = column("changed_at", render.moment, "changed")
    prints = column("fingerprints", render.document, "SHA-256 of its own")
    of_subject = column("subject", render.code, "subject")
    refused = column("revoked", render.document, "refused")

    @admin.display(description="state")
    def badge_and_why(self, obj: models.Sae) -> Any:
        return render.inline([render.badge(obj.state, TONES), render.name(obj.reason)])

    @admin.display(description="over link")
    def over(self, obj: models.Sae) -> Any:
        return render.link(obj.viewer, "links.link", obj.link) if obj.link else "any of the platform's"

    @admin.display(description="collects its keys")
    def collects(self, obj: models.Sae) -> Any:
        if not obj.site:
            return "here"
        return render.inline(["at the other site of link", render.link(obj.viewer, "links.link", obj.site)])

    def name_of(self, obj: DisplayModel) -> str:
        return render.spelt(str(getattr(obj, "name", "")))

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Sae]:
        del request, filters
        return saes.listed(limit=limit, position=position)

    def find(self, request: HttpRequest, object_id: str) -> Sae:
        del request
        return saes.find(object_id)

    def subject_of(self, obj: DisplayModel) -> Subject:
        return Subject(by="actor", value=str(getattr(obj, "principal_id", "")))

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return its peers and its link."""
        if not isinstance(obj, models.Sae):
            return ()
        viewer = request.user
        peers = [(render.link(viewer, "kme.sae", one),) for one in obj.peers if one != ANY_PEER]
        note = "It may ask for keys with every application." if ANY_PEER in obj.peers else ""
        return [
            Related(
                title="Peers", columns=("Application",), rows=peers, note=note or ("" if peers else "None.")
            ),
            Related(title="Link", note=self.over(obj)),
        ]

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        if not self.allows(request, "manage"):
            return []
        return [{"label": "Register an application", "url": reverse("admin:kme_sae_register")}]

    def buttons_for(self, request: HttpRequest, obj: DisplayModel) -> list[dict[str, Any]]:
        """Return the actions, and first the change of what the application may do."""
        buttons = super().buttons_for(request, obj)
        if getattr(obj, "state", "") != SaeState.ACTIVE or not self.allows(request, "manage"):
            return buttons
        url = reverse("admin:kme_sae_settings", args=[obj.pk])
        return [{"name": "settings", "label": "Change…", "destructive": False, "url": url}, *buttons]

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("register/", guard(partial_of(_register_view, self)), name="kme_sae_register"),
            path("<str:sae_id>/settings/", guard(partial_of(_settings_view, self)), name="kme_sae_settings"),
            *super().get_urls(),
        ]


@kept.keeps_what_was_typed
def _register_view(model_admin: SaeAdmin, request: HttpRequest) -> HttpResponse:
    """Register an application."""
    if not model_admin.allows(request, "manage"):
        raise PermissionDenied

    def submit(form: SaeForm) -> HttpResponse:
        made = saes.register(form.cleaned_data["sae_id"], actor=actor_of(request), **form.chosen())
        return HttpResponseRedirect(reverse("admin:kme_sae_change", args=[made.sae_id]))

    context = model_admin.page_context(request, "Register an application")
    intro = "Creates a service, which the trail names for what it does. It receives keys as soon as it presents a certificate."
    return form_page(
        request, context, SaeForm, submit, intro=intro, button="Register", back_url=model_admin.list_url()
    )


@kept.keeps_what_was_typed
def _settings_view(model_admin: SaeAdmin, request: HttpRequest, sae_id: str) -> HttpResponse:
    """Change what an application may do."""
    if not (model_admin.allows(request, "manage") and model_admin.has_view_permission(request)):
        raise PermissionDenied
    sae = model_admin.find_or_none(request, sae_id)
    if sae is None:
        raise Http404
    page = reverse("admin:kme_sae_change", args=[sae_id])

    def submit(form: ChangeSaeForm) -> HttpResponse:
        changes = differences(form.chosen(), SettingsForm.told(sae), what="the application")
        saes.change(sae_id, reason=form.cleaned_data["reason"], actor=actor_of(request), **changes)
        return HttpResponseRedirect(page)

    context = model_admin.page_context(request, f"Change application {sae_id}")
    intro = "Takes effect with its next request."
    return form_page(
        request, context, ChangeSaeForm, submit,
        intro=intro, button="Change", back_url=page, changes=SettingsForm.of(sae),
    )  # fmt: skip
