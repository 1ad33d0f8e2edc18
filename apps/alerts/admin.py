"""Alerts in the console: list, page with what to do and where, acknowledgement, and how many wait on the overview."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from apps.access.console import actor_of
from apps.alerts import models, services
from apps.alerts.conditions import (
    ANOMALY,
    COMPROMISED,
    CONDITIONS,
    EXPIRING,
    KEYS_DIFFER,
    MANY,
    QUOTA_NEAR,
    STOCK_LOW,
    WAITING,
)
from apps.alerts.records import Alert, AlertStatus, Urgency
from apps.common.caching import TimedCache
from apps.common.dynamodb import Page, Position
from apps.console import attention, people, render
from apps.console.actions import Action, Facts, NoForm
from apps.console.attention import Item
from apps.console.details import Related, Subject
from apps.console.filters import choice_filter
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin

TONES = {AlertStatus.OPEN: Tone.BAD, AlertStatus.ACKNOWLEDGED: Tone.WAIT, AlertStatus.OVER: Tone.MUTED}
URGENCIES = {Urgency.CRITICAL: Tone.BAD, Urgency.WARNING: Tone.WAIT, Urgency.INFO: Tone.INFO}
TO_DO = {one.name: one.action for one in CONDITIONS}
NAMED = (  # what an alert's details name, and the records that these are
    ("Case", "cases.case", "case_id"),
    ("Verdict", "detections.detection", "session_id"),
    ("File", "files.file", "file_id"),
    ("Pool key", "keys.poolkey", "key_id"),
    ("Audit entry", "audit.entry", "entry"),
)
PAGES = {  # where a condition is looked into, and the permission that this needs
    STOCK_LOW.name: ("Stock", "stock", "qkd_sessions.view_session"),
    WAITING.name: ("Health", "health", "jobs.view_job"),
}
LINKED = {COMPROMISED.name, ANOMALY.name, KEYS_DIFFER.name}  # about a link between sites
ENDING = {"api_key": "access.apikey", "sae": "kme.sae"}  # of ``credential-expiring``
MOST = 50  # open alerts that the overview counts
WORST_FIRST = (Urgency.CRITICAL, Urgency.WARNING, Urgency.INFO)
# That there is none: an overview asks every ten seconds
_kept = TimedCache[list[Alert]](max_items=1, ttl_seconds=30.0)


def _facts(_request: HttpRequest, obj: DisplayModel) -> Facts:
    if not isinstance(obj, models.Alert):
        return ()
    return (
        ("Alert", obj.text),
        ("About", render.name(obj.about)),
        ("Status", render.badge(obj.status, TONES)),
        ("Severity", render.badge(obj.urgency, URGENCIES)),
    )


def _about(viewer: Any, obj: models.Alert) -> Any:
    """Link to what an alert is about, where it is a record: a link between sites, or a credential that ends."""
    if obj.condition in LINKED and obj.about != MANY:
        return render.link(viewer, "links.link", obj.about, render.name(obj.about))
    kind, _, name = obj.about.partition(" ")
    if obj.condition == EXPIRING.name and kind in ENDING:
        return render.link(viewer, ENDING[kind], name)
    return render.name(obj.about)


def _leads(request: HttpRequest, obj: models.Alert) -> list[tuple[str, Any]]:
    """List where to look into an alert, without what the user may not open."""
    viewer = request.user
    found = [(label, render.link(viewer, target, obj.detail.get(name))) for label, target, name in NAMED]
    if obj.condition in PAGES:
        label, page, permission = PAGES[obj.condition]
        address = reverse("admin:page", args=[page])
        found.append((label, render.url_link(address, label) if viewer.has_perm(permission) else render.NONE))
    if obj.condition == QUOTA_NEAR.name and viewer.has_perm("access.change_user"):
        address = reverse("admin:access_quotas", args=[obj.detail.get("principal", obj.about)])
        found.append(("Quotas", render.url_link(address, str(obj.detail.get("principal")))))
    return [(label, shown) for label, shown in found if shown != render.NONE]


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
    list_display = ("what", "badge", "urgent", "named", "times", "when", "taken")
    record_actions = ACTIONS
    fieldsets = (
        (None, {"fields": ("what", "badge", "urgent", "subject", "to_do", "times", "when", "again")}),
        ("Told", {"fields": ("sent", "escalated", "taken", "acknowledged")}),
        ("Details", {"fields": ("details",)}),
    )
    what = column("text", str, "alert")
    badge = column("status", lambda value: render.badge(value, TONES), "status")
    urgent = column("urgency", lambda value: render.badge(value, URGENCIES), "severity")
    named = column("about", render.name, "about")
    when = column("raised_at", render.moment, "raised")
    again = column("last_at", render.moment, "last noticed")
    sent = column("sent_at", render.moment, "sent")
    escalated = column("escalated_at", render.moment, "escalated")
    taken = column("acknowledged_by", people.who, "acknowledged by")
    acknowledged = column("acknowledged_at", render.moment, "acknowledged")
    details = column("detail", render.document, "details")

    @admin.display(description="what to do")
    def to_do(self, obj: models.Alert) -> str:
        """Tell what the condition asks for; what waits says so itself."""
        return str(obj.detail.get("action") or TO_DO.get(obj.condition, render.NONE))

    @admin.display(description="about")
    def subject(self, obj: models.Alert) -> Any:
        return _about(obj.viewer, obj)

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Alert]:
        del request  # an alert belongs to nobody
        status = AlertStatus(filters["status"]) if "status" in filters else None
        return services.listed(limit=limit, position=position, status=status)

    def name_of(self, obj: DisplayModel) -> str:
        return str(getattr(obj, "text", ""))

    def find(self, request: HttpRequest, object_id: str) -> Alert:
        del request
        return services.find(object_id)

    def subject_of(self, obj: DisplayModel) -> Subject | None:
        """Return what the trail is asked for: no index gives the entries of an alert alone."""
        detail = getattr(obj, "detail", {})
        ids = ((by, detail.get(f"{by}_id")) for by in ("session", "file", "key"))
        return next((Subject(by=by, value=str(value)) for by, value in ids if value), None)

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return where to look into it."""
        if not isinstance(obj, models.Alert):
            return ()
        rows = [("About", self.subject(obj)), *_leads(request, obj)]
        return [Related(title="Where to look", columns=("What", "Record"), rows=rows)]


def _is_told(one: Alert) -> bool:
    """Return whether the overview tells of an alert: what waits may be gone at the next look, which counts it again."""
    return one.condition != WAITING.name or one.times > 1


def _open(_request: HttpRequest) -> Iterator[Item]:
    """Alerts that nobody has taken on."""
    listed = _kept.get("open", lambda: services.listed(limit=MOST, status=AlertStatus.OPEN).records)
    if listed:  # what another process, or the API, acknowledges is gone at the next look
        _kept.clear()
    found = [one for one in listed if _is_told(one)]
    if not found:
        return
    worst = min(found, key=lambda one: WORST_FIRST.index(one.urgency))
    count = f"{len(found):,}{' or more' if len(listed) == MOST else ''}"
    many = "An alert is open:" if len(found) == 1 else f"{count} alerts are open, first of them:"
    yield Item(
        text=f"{many} {worst.text} ({render.spelt(worst.about)}).",
        tone=Tone.BAD if worst.urgency is Urgency.CRITICAL else Tone.WAIT,
        url=reverse("admin:alerts_alert_change", args=[worst.alert_id])
        if len(found) == 1
        else reverse("admin:alerts_alert_changelist") + f"?status={AlertStatus.OPEN}",
        since=min(one.raised_at for one in found),
    )


def forget() -> None:
    """Look for open alerts again, also where there was none."""
    _kept.clear()


attention.register(attention.Source(permission="alerts.view_alert", load=_open))
