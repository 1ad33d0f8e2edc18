"""API keys in the console; persons and roles are in ``console.people``."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse

from apps.access import api_keys, models
from apps.access.console import (
    actor_of,
    found,  # noqa: F401 - lets the search box find people and services
    people,  # noqa: F401 - registers persons and roles
    usage,
)
from apps.access.console.issuing import issue_view, rotate_view
from apps.access.console.tabs import owned
from apps.access.console.whose import whose
from apps.access.records import ApiKey, KeyStatus
from apps.common.dynamodb import Page, Position
from apps.console import people as people_shown
from apps.console import render
from apps.console.actions import Action, Facts
from apps.console.details import Related, Subject
from apps.console.filters import exact_filter
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin, partial_of

TONES = {KeyStatus.ACTIVE: Tone.GOOD, KeyStatus.REVOKED: Tone.BAD}


def _key_facts(_request: HttpRequest, obj: DisplayModel) -> Facts:
    if not isinstance(obj, models.ApiKey):
        return ()
    return (
        ("Status", render.badge(obj.status, TONES)),
        ("Of", render.code(obj.principal_id)),
        ("Name", render.name(obj.name)),
        ("Last used", render.moment(obj.last_used_at)),
    )


def _revoke(request: HttpRequest, key_id: str, given: dict[str, Any]) -> None:
    api_keys.revoke(key_id, reason=given["reason"], actor=actor_of(request))


ACTIONS = (
    Action(
        name="revoke", label="Revoke…", title="Revoke API keys", permission="revoke", button="Revoke permanently",
        warning="Refused within 30 seconds. This is permanent.", done="revoked", act=_revoke, facts=_key_facts,
        offered=lambda obj: isinstance(obj, models.ApiKey) and obj.status == KeyStatus.ACTIVE,
    ),
)  # fmt: skip


@admin.register(models.ApiKey)
class ApiKeyAdmin(StoreAdmin):
    section, place = "Access", 1
    empty_text = "No API keys yet."
    search_fields = ("key_id",)
    search_help_text = "Exact id (before the dot)"
    indexed = ("owner",)
    list_filter = (exact_filter("owner", title="of (id or user name)"),)
    list_display = ("identity", "whose", "called", "badge", "issued", "ends", "used")
    id_pattern = r"qk[A-Za-z0-9]+"
    record_actions = ACTIONS
    fieldsets = (
        (None, {"fields": ("whole", "called", "badge_and_why", "issued", "issuer", "ends", "used")}),
        ("Limits", {"fields": ("may", "from_where")}),
    )
    identity = column("key_id", render.code, "key")
    called = column("name", render.name, "name")
    whose = column("principal_id", people_shown.who, "of")
    badge = column("status", lambda value: render.badge(value, TONES), "status")
    may = column("scopes", render.document, "limited to")
    from_where = column("networks", render.document, "networks")
    issued = column("created_at", render.moment, "created")
    ends = column("expires_at", render.moment, "ends")
    used = column("last_used_at", render.moment, "last used")

    @admin.display(description="of")
    def whole(self, obj: models.ApiKey) -> Any:
        return whose(obj.viewer, obj.principal_id)

    @admin.display(description="created by")
    def issuer(self, obj: models.ApiKey) -> Any:
        return whose(obj.viewer, obj.created_by)

    @admin.display(description="status")
    def badge_and_why(self, obj: models.ApiKey) -> str:
        return render.inline([render.badge(obj.status, TONES), obj.reason])

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[ApiKey]:
        del request
        principal = people_shown.id_of(filters["owner"]) if "owner" in filters else None
        return api_keys.keys_page(limit=limit, position=position, principal_id=principal)

    def name_of(self, obj: DisplayModel) -> str:
        return render.spelt(str(getattr(obj, "name", "")))

    def find(self, request: HttpRequest, object_id: str) -> ApiKey:
        del request
        return api_keys.find(object_id)

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        if not self.allows(request, "issue"):
            return []
        return [{"label": "Issue an API key", "url": reverse("admin:access_apikey_issue")}]

    def buttons_for(self, request: HttpRequest, obj: DisplayModel) -> list[dict[str, Any]]:
        """Return the actions, and first the rotation of a key that is valid, and what its principal may use."""
        buttons = super().buttons_for(request, obj)
        if request.user.has_perm(usage.MAY_CHANGE):
            url = usage.address(str(getattr(obj, "principal_id", "")))
            buttons.insert(0, {"name": "quotas", "label": "Quotas…", "destructive": False, "url": url})
        if getattr(obj, "status", "") != KeyStatus.ACTIVE or not self.allows(request, "issue"):
            return buttons
        url = reverse("admin:access_apikey_rotate", args=[obj.pk])
        return [{"name": "rotate", "label": "Rotate…", "destructive": False, "url": url}, *buttons]

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("issue/", guard(partial_of(issue_view, self)), name="access_apikey_issue"),
            path(
                "quotas/<str:principal_id>/", guard(partial_of(usage.quotas_view, self)), name="access_quotas"
            ),
            path("<str:key_id>/rotate/", guard(partial_of(rotate_view, self)), name="access_apikey_rotate"),
            *super().get_urls(),
        ]

    def subject_of(self, obj: DisplayModel) -> Subject | None:
        return Subject(by="actor", value=str(getattr(obj, "principal_id", "")))

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> list[Related]:
        """Return what else the key's principal has."""
        owner = str(getattr(obj, "principal_id", ""))
        return [owned(request, owner), usage.used_this_month(owner)]
