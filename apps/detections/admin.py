"""Detections in the console: the detector's verdict on each session."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.access.console import actor_of
from apps.common.dynamodb import Page, Position
from apps.console import dashboard, render
from apps.console.filters import choice_filter
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin
from apps.detections import models, services
from apps.detections.records import WORTH_A_LOOK, Detection, Verdict, verdict_of
from apps.sessions.records import SessionStatus

VERDICTS = {Verdict.COMPROMISED: Tone.BAD, Verdict.ANOMALOUS: Tone.WAIT, Verdict.CLEAN: Tone.GOOD}
OUTCOMES = {
    SessionStatus.READY: Tone.GOOD,
    SessionStatus.ABORTED: Tone.MUTED,
    SessionStatus.STUDY: Tone.MUTED,
    SessionStatus.COMPROMISED: Tone.BAD,
}
LATEST = 6  # of each verdict in the overview


def codes(found: Detection | models.Detection) -> str:
    """Return the names of the reasons."""
    return ", ".join(render.words(reason["code"]) for reason in found.reasons) or render.NONE


@admin.register(models.Detection)
class DetectionAdmin(StoreAdmin):
    section, place = "Quantum keys", 2
    empty_text = "No verdicts yet. Each session is judged soon after it has run."
    search_fields = ("session_id",)
    search_help_text = "Exact session id"
    list_filter = (choice_filter("verdict", WORTH_A_LOOK),)
    list_display = ("identity", "verdict", "became", "rate", "chi_square", "confidence", "why", "on", "when")
    fieldsets = (
        (None, {"fields": ("verdict", "became", "when", "who", "on", "related")}),
        ("Statistics", {"fields": ("rate", "limit", "chi_square", "confidence", "tests")}),
        ("Reasons", {"fields": ("reasons_table",), "classes": ("whole",)}),
    )
    identity = column("session_id", render.short, "session")
    became = column("outcome", lambda value: render.badge(value, OUTCOMES), "outcome")
    limit = column("threshold", render.rate, "threshold")
    chi_square = column("chi_square_value", lambda value: f"{value:.2f}", "χ²")
    confidence = column("confidence_level", lambda value: render.rate(value, digits=1), "confidence")
    on = column("link", str, "link")
    who = column("owner", str, "started by")
    when = column("detected_at", render.moment, "judged (UTC)")
    tests = column("p_values", render.document, "p-values")

    @admin.display(description="verdict")
    def verdict(self, obj: models.Detection) -> Any:
        return render.badge(verdict_of(obj), VERDICTS)

    @admin.display(description="QBER")
    def rate(self, obj: models.Detection) -> Any:
        return render.rate(obj.qber_calculated, threshold=obj.threshold)

    @admin.display(description="reasons")
    def why(self, obj: models.Detection) -> str:
        return codes(obj)

    @admin.display(description="reasons")
    def reasons_table(self, obj: models.Detection) -> Any:
        if not obj.reasons:
            return "No findings."
        return render.table(
            ("Finding", "Details"),
            [(render.heading(reason["code"]), reason["detail"]) for reason in obj.reasons],
        )

    @admin.display(description="related")
    def related(self, obj: models.Detection) -> Any:
        session = render.link(obj.viewer, "qkd_sessions.session", obj.pk, "Session")
        return render.inline(
            [session, render.list_link(obj.viewer, "audit.entry", "Audit entries", session=obj.pk)]
        )

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Detection]:
        return services.listed(
            actor=actor_of(request), limit=limit, position=position, verdict=filters.get("verdict")
        )

    def find(self, request: HttpRequest, object_id: str) -> Detection:
        return services.find(object_id, actor=actor_of(request))


def _latest(request: HttpRequest) -> dashboard.Content:
    found = [
        detection
        for verdict in WORTH_A_LOOK
        for detection in services.listed(actor=actor_of(request), limit=LATEST, verdict=verdict).records
    ]
    found.sort(key=lambda detection: detection.detected_at, reverse=True)
    rows = [
        (
            render.link(request.user, "detections.detection", detection.session_id),
            render.badge(verdict_of(detection), VERDICTS),
            render.rate(detection.qber_calculated, threshold=detection.threshold),
            codes(detection),
            render.moment(detection.detected_at),
        )
        for detection in found[:LATEST]
    ]
    note = "" if rows else "No compromised or anomalous sessions."
    return dashboard.Content(
        columns=("Session", "Verdict", "QBER", "Reasons", "Judged (UTC)"), rows=rows, note=note
    )


dashboard.register(
    dashboard.Panel(
        name="detections", title="Compromised and anomalous sessions", permission="detections.view_detection",
        load=_latest, place=4, width="two-thirds", list_url="admin:detections_detection_changelist",
    )
)  # fmt: skip
