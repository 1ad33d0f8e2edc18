"""API clients in the console: list, detail and revocation."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from apps.access import models, services
from apps.access.console import actor_of
from apps.access.records import ApiClient, ClientStatus
from apps.common.dynamodb import Page, Position
from apps.console import render
from apps.console.confirmation import ask_then_act
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin

TONES = {ClientStatus.ACTIVE: Tone.GOOD, ClientStatus.REVOKED: Tone.BAD}


@admin.register(models.ApiClient)
class ApiClientAdmin(StoreAdmin):
    section, place = "Access", 1
    empty_text = "No API clients yet."
    search_fields = ("client_id",)
    search_help_text = "Exact client id: the part of its API key before the dot"
    list_display = ("identity", "name", "role", "badge", "issued", "issuer")
    actions = ("revoke",)
    fieldsets = (
        (None, {"fields": ("name", "badge", "issued", "issuer", "related")}),
        ("Permissions", {"fields": ("role", "may")}),
    )
    identity = column("client_id", render.code, "client")
    badge = column("status", lambda value: render.badge(value, TONES), "status")
    may = column("scopes", render.document, "scopes")
    issued = column("created_at", render.moment, "issued (UTC)")
    issuer = column("created_by", str, "issued by")

    @admin.display(description="related")
    def related(self, obj: models.ApiClient) -> str:
        did = render.list_link(obj.viewer, "audit.entry", "Activity", actor=f"client:{obj.pk}")
        return render.inline([did])

    def as_display(self, record: ApiClient) -> DisplayModel:
        return models.ApiClient.of(record, scopes=sorted(record.scopes))

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[ApiClient]:
        del request, filters
        return services.clients_page(limit=limit, position=position)

    def find(self, request: HttpRequest, object_id: str) -> ApiClient:
        del request
        return services.find(object_id)

    def offers(self, obj: DisplayModel, action: str) -> bool:
        return isinstance(obj, models.ApiClient) and obj.status == ClientStatus.ACTIVE and action == "revoke"

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "revoke")

    @admin.action(description="Revoke…", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[models.ApiClient]) -> HttpResponse | None:
        return ask_then_act(
            self,
            request,
            queryset,
            lambda client_id, _given: services.revoke(client_id, actor=actor_of(request)),
            title="Revoke API clients",
            warning="The API keys of these clients are refused within 30 seconds. This is permanent.",
            button="Revoke permanently",
            done="revoked",
        )
