"""API keys in the console: what calls, for whom, and an end to it."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from apps.access import api_keys, models, users_admin  # noqa: F401 - registers users and groups
from apps.access.console import actor_of
from apps.access.records import ApiKey, KeyStatus
from apps.common.dynamodb import Page, Position
from apps.console import render
from apps.console.confirmation import ReasonForm, ask_then_act
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin

TONES = {KeyStatus.ACTIVE: Tone.GOOD, KeyStatus.REVOKED: Tone.BAD}


@admin.register(models.ApiKey)
class ApiKeyAdmin(StoreAdmin):
    section, place = "Access", 1
    empty_text = "No API keys yet."
    search_fields = ("key_id",)
    search_help_text = "Exact id of a key: the part before the dot"
    list_display = ("identity", "whose", "name", "badge", "issued", "ends", "used")
    actions = ("revoke",)
    fieldsets = (
        (None, {"fields": ("whose", "name", "badge_and_why", "issued", "issuer", "ends", "used", "related")}),
        ("Limits", {"fields": ("may", "from_where")}),
    )
    identity = column("key_id", render.code, "key")
    whose = column("principal_id", str, "of")
    badge = column("status", lambda value: render.badge(value, TONES), "status")
    may = column("scopes", render.document, "limited to")
    from_where = column("networks", render.document, "networks")
    issued = column("created_at", render.moment, "created (UTC)")
    issuer = column("created_by", str, "created by")
    ends = column("expires_at", render.moment, "ends (UTC)")
    used = column("last_used_at", render.moment, "last used (UTC)")

    @admin.display(description="related")
    def related(self, obj: models.ApiKey) -> str:
        did = render.list_link(obj.viewer, "audit.entry", "Activity", actor=obj.principal_id)
        return render.inline([did])

    @admin.display(description="status")
    def badge_and_why(self, obj: models.ApiKey) -> str:
        return render.inline([render.badge(obj.status, TONES), obj.reason])

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[ApiKey]:
        del request, filters
        return api_keys.list_keys(limit=limit, position=position)

    def find(self, request: HttpRequest, object_id: str) -> ApiKey:
        del request
        return api_keys.find(object_id)

    def offers(self, obj: DisplayModel, action: str) -> bool:
        return isinstance(obj, models.ApiKey) and obj.status == KeyStatus.ACTIVE and action == "revoke"

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "revoke")

    @admin.action(description="Revoke…", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[models.ApiKey]) -> HttpResponse | None:
        return ask_then_act(
            self,
            request,
            queryset,
            lambda key_id, given: api_keys.revoke(key_id, reason=given["reason"], actor=actor_of(request)),
            title="Revoke API keys",
            warning="Refused within 30 seconds. This is permanent.",
            button="Revoke permanently",
            done="revoked",
            form_class=ReasonForm,
        )
