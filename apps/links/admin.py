"""Links in the console: list and page, with their sessions."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from apps.access.console import actor_of
from apps.common.dynamodb import Page, Position
from apps.console import finding, kept, people, render
from apps.console.actions import Action, Facts
from apps.console.details import Related
from apps.console.filters import choice_filter
from apps.console.form_page import differences, form_page
from apps.console.models import DisplayModel
from apps.console.render import column
from apps.console.store_admin import StoreAdmin, partial_of
from apps.links import models, services, transitions
from apps.links.console import related
from apps.links.console.related import STATES
from apps.links.forms import ChangeLinkForm, LinkForm, SettingsForm
from apps.links.records import EVERYONE, TRANSITIONS, Link, LinkSource, LinkState

LOOKED_THROUGH = 200  # links among which a name is looked for


def _users(value: list[str]) -> Any:
    return "everybody" if EVERYONE in value else render.inline([people.who(one) for one in value])


def _facts(_request: HttpRequest, obj: DisplayModel) -> Facts:
    if not isinstance(obj, models.Link):
        return ()
    return (
        ("State", render.badge(obj.state, STATES)),
        ("Name", render.name(obj.name)),
        ("May use it", _users(obj.users)),
        ("Kept in stock over it", _stock(obj.low_water)),
    )


def _stock(value: int | None) -> Any:
    return "nothing by itself" if value is None else f"at least {value:,} quantum keys"


def _to(state: LinkState) -> Any:
    """The action's service: bring a link to a state."""

    def act(request: HttpRequest, link_id: str, given: dict[str, Any]) -> None:
        transitions.move(link_id, state, reason=given["reason"], actor=actor_of(request))

    return act


def _may_become(state: LinkState) -> Any:
    def offered(obj: DisplayModel) -> bool:
        return isinstance(obj, models.Link) and state in TRANSITIONS[LinkState(obj.state)] and not obj.case_id

    return offered


ACTIONS = (
    Action(
        name="pause", label="Pause…", title="Pause links", permission="manage", button="Pause", done="paused",
        warning="No session is run over these links until they are resumed. Keys that are ready stay usable.",
        destructive=False, act=_to(LinkState.PAUSED), offered=_may_become(LinkState.PAUSED), facts=_facts,
    ),
    Action(
        name="resume", label="Resume…", title="Resume links", permission="manage", button="Resume", done="resumed",
        warning="Sessions are run over these links again.", destructive=False, act=_to(LinkState.ACTIVE),
        offered=_may_become(LinkState.ACTIVE), facts=_facts,
    ),
    Action(
        name="retire", label="Retire…", title="Retire links", permission="manage", button="Retire permanently",
        done="retired", act=_to(LinkState.RETIRED), offered=_may_become(LinkState.RETIRED), facts=_facts,
        warning="No session is ever run over these links again. This is permanent. Their sessions and keys stay.",
    ),
)  # fmt: skip


@admin.register(models.Link)
class LinkAdmin(StoreAdmin):
    section, place = "Quantum", 1
    empty_text = "No links yet. The first session over the default link makes it."
    id_pattern = services.ID.strip("^$")
    search_fields = ("link_id",)
    search_help_text = "Exact link id"
    indexed = ()
    list_filter = (choice_filter("state", LinkState),)
    list_display = ("identity", "called", "badge", "between", "kept", "usable", "made")
    record_actions = ACTIONS
    fieldsets = (
        (None, {"fields": ("called", "badge_and_why", "between", "owned_by", "usable")}),
        ("Settings", {"fields": ("fed", "set_to", "alarm", "kept", "filled", "times")}),
        ("Made", {"fields": ("made", "maker", "changed")}),
    )
    badge = column("state", lambda value: render.badge(value, STATES), "state")
    set_to = column("parameters", render.document, "parameters")
    alarm = column(
        "qber_threshold",
        lambda value: "the platform's" if value is None else render.rate(value),
        "alarm threshold (QBER)",
    )
    kept = column("low_water", _stock, "kept in stock")
    filled = column("target", render.number, "filled up to (quantum keys)")
    times = column(
        "schedule",
        lambda value: "at any time" if value is None else ", ".join(value),
        "produced at (UTC)",
    )
    changed = column("changed_at", render.moment, "changed")
    identity = column("link_id", render.code, "link")
    called = column("name", render.name, "name")
    fed = column("source", render.words, "source of keys")
    who = column("owner", people.who, "owner")
    owned_by = column("owner", people.who_whole, "owner")
    usable = column("users", _users, "may use it")
    made = column("created_at", render.moment, "created")
    maker = column("created_by", people.who_whole, "created by")

    @admin.display(description="state")
    def badge_and_why(self, obj: models.Link) -> Any:
        case = render.link(obj.viewer, "cases.case", obj.case_id) if obj.case_id else ""
        return render.inline(
            [render.badge(obj.state, STATES), render.name(obj.reason) if obj.reason else "", case]
        )

    @admin.display(description="between")
    def between(self, obj: models.Link) -> Any:
        if not obj.site_a and not obj.site_b:
            return render.NONE
        return render.inline([render.name(obj.site_a), render.name(obj.site_b)])

    def name_of(self, obj: DisplayModel) -> str:
        return render.spelt(str(getattr(obj, "name", "")))

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        if not self.allows(request, "manage"):
            return []
        return [{"label": "Make a link", "url": reverse("admin:links_link_make")}]

    def buttons_for(self, request: HttpRequest, obj: DisplayModel) -> list[dict[str, Any]]:
        """Return the actions, and first the change of what the link is set to."""
        buttons = super().buttons_for(request, obj)
        if getattr(obj, "state", "") == LinkState.RETIRED or not self.allows(request, "manage"):
            return buttons
        url = reverse("admin:links_link_settings", args=[obj.pk])
        return [{"name": "settings", "label": "Change…", "destructive": False, "url": url}, *buttons]

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("make/", guard(partial_of(_make_view, self)), name="links_link_make"),
            path(
                "<str:link_id>/settings/", guard(partial_of(_settings_view, self)), name="links_link_settings"
            ),
            *super().get_urls(),
        ]

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Link]:
        del request, filters
        return services.links_page(limit=limit, position=position)

    def find(self, request: HttpRequest, object_id: str) -> Link:
        del request
        return services.find(object_id)

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return the link's newest sessions, where its charts stand, its cases and its history."""
        link = str(obj.pk)
        return [
            related.newest_sessions(request, link),
            *(related.lasting_shifts(request, obj) if isinstance(obj, models.Link) else ()),
            related.cases_of(request, link),
            related.history_of(link),
        ]


@kept.keeps_what_was_typed
def _make_view(model_admin: LinkAdmin, request: HttpRequest) -> HttpResponse:
    """Make a link known."""
    if not model_admin.allows(request, "manage"):
        raise PermissionDenied

    def submit(form: LinkForm) -> HttpResponse:
        given = form.cleaned_data
        made = services.make(
            given["link_id"], source=LinkSource(given["source"]), actor=actor_of(request), **form.chosen()
        )
        return HttpResponseRedirect(reverse("admin:links_link_change", args=[made.link_id]))

    context = model_admin.page_context(request, "Make a link")
    intro = "Whoever may use it can run sessions over it at once."
    return form_page(
        request, context, LinkForm, submit, intro=intro, button="Make", back_url=model_admin.list_url()
    )


@kept.keeps_what_was_typed
def _settings_view(model_admin: LinkAdmin, request: HttpRequest, link_id: str) -> HttpResponse:
    """Change what a link is set to."""
    if not (model_admin.allows(request, "manage") and model_admin.has_view_permission(request)):
        raise PermissionDenied
    link = model_admin.find_or_none(request, link_id)
    if link is None:
        raise Http404
    page = reverse("admin:links_link_change", args=[link.link_id])

    def submit(form: ChangeLinkForm) -> HttpResponse:
        changes = differences(form.chosen(), SettingsForm.told(link), what="the link")
        services.change(link.link_id, reason=form.cleaned_data["reason"], actor=actor_of(request), **changes)
        return HttpResponseRedirect(page)

    context = model_admin.page_context(request, f"Change link {link.link_id}")
    intro = "Takes effect for new sessions. The link's history keeps what was changed, by whom and why."
    return form_page(
        request, context, ChangeLinkForm, submit,
        intro=intro, button="Change", back_url=page, changes=SettingsForm.of(link),
    )  # fmt: skip


def _by_name(_request: HttpRequest, text: str) -> Iterator[finding.Hit]:
    for link in services.links_page(limit=LOOKED_THROUGH).records:
        if finding.begins(link.name, text) or finding.begins(link.link_id, text):
            url = reverse("admin:links_link_change", args=[link.link_id])
            yield finding.Hit(url=url, label=link.link_id, kind="link", detail=render.spelt(link.name))


finding.register(finding.Names(permission="links.view_link", find=_by_name))
