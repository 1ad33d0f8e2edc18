"""Alerts in the console: list, page, acknowledgement."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.access.console import actor_of
from apps.alerts import models, services
from apps.alerts.records import Alert, AlertStatus, Urgency
from apps.common.dynamodb import Page, Position
from apps.console import people, render
from apps.console.actions import Action, Facts, NoForm
from apps.console.filters import choice_filter
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin

TONES = {AlertStatus.OPEN: Tone.BAD, AlertStatus.ACKNOWLEDGED: Tone.WAIT, AlertStatus.OVER: Tone.MUTED}
URGENCIES = {Urgency.CRITICAL: Tone.BAD, Urgency.WARNING: Tone.WAIT, Urgency.INFO: Tone.INFO}


def _facts(_request: HttpRequest, obj: DisplayModel) -> Facts:
    if not isinstance(obj, models.Alert):
        return ()
    return (
        ("Alert", obj.text),
        ("About", render.name(obj.about)),
        ("Status", render.badge(obj.status, TONES)),
        ("Severity", render.badge(obj.urgency, URGENCIES)),
    )


def _acknowledge(request: HttpRequest, alert_id: str, given: dict[str, Any]) -> None:
    del given
    services.acknowledge(alert_id, actor=actor_of(request))


def _end(request: HttpRequest, alert_id: str, given: dict[str, Any]) -> None:
    del given
    services.end(alert_id, actor=actor_of(request))


def _is(*statuses: AlertStatus) -> Any:
    def offered(obj: DisplayModel) -> bool:
        return isinstance(obj, models.Alert) and obj.status in statuses

    return offered


ACTIONS = (
    Action(
        name="acknowledge", label="Acknowledge…", title="Acknowledge alerts", permission="manage", button="Acknowledge",
        warning="You take these alerts on. They are no longer escalated.", done="acknowledged", destructive=False,
        act=_acknowledge, form_class=NoForm, facts=_facts, offered=_is(AlertStatus.OPEN),
    ),
    Action(
        name="end", label="End…", title="End alerts", permission="manage", button="End", done="ended",
        warning="Marks these conditions as over. If they are noticed again, they are sent again.", destructive=False,
        act=_end, form_class=NoForm, facts=_facts, offered=_is(AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED),
    ),
)  # fmt: skip


@admin.register(models.Alert)
class AlertAdmin(StoreAdmin):
    section, place = "Operations", 5
    empty_text = "No alerts. What needs somebody's attention appears here."
    search_fields = ("alert_id",)
    search_help_text = "Exact alert id"
    id_pattern = r"al-.+"
    indexed = ("status",)
    moment_field = "raised_at"
    list_filter = (choice_filter("status", AlertStatus),)
    list_display = ("what", "badge", "urgent", "subject", "times", "when", "taken")
    record_actions = ACTIONS
    fieldsets = (
        (None, {"fields": ("what", "badge", "urgent", "subject", "times", "when", "again")}),
        ("Told", {"fields": ("sent", "escalated", "taken", "acknowledged")}),
        ("Details", {"fields": ("details",)}),
    )
    what = column("text", str, "alert")
    badge = column("status", lambda value: render.badge(value, TONES), "status")
    urgent = column("urgency", lambda value: render.badge(value, URGENCIES), "severity")
    subject = column("about", render.name, "about")
    when = column("raised_at", render.moment, "raised")
    again = column("last_at", render.moment, "last noticed")
    sent = column("sent_at", render.moment, "sent")
    escalated = column("escalated_at", render.moment, "escalated")
    taken = column("acknowledged_by", people.who, "acknowledged by")
    acknowledged = column("acknowledged_at", render.moment, "acknowledged")
    details = column("detail", render.document, "details")

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Alert]:
        del request  # an alert belongs to nobody
        status = AlertStatus(filters["status"]) if "status" in filters else None
        return services.listed(limit=limit, position=position, status=status)

    def find(self, request: HttpRequest, object_id: str) -> Alert:
        del request
        return services.find(object_id)
