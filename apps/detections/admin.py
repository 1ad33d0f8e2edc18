"""Detections in the console: the detector's verdict on each session."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html

from apps.access.console import actor_of
from apps.cases.records import case_id_of
from apps.common.dynamodb import Page, Position
from apps.console import people, render
from apps.console.details import Related, Subject
from apps.console.filters import choice_filter, day_filters, exact_filter
from apps.console.models import DisplayModel
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


def codes(found: Detection | models.Detection) -> str:
    """Return the names of the reasons."""
    return ", ".join(render.words(reason["code"]) for reason in found.reasons) or render.NONE


def _ruled_out(confidence: float) -> Any:
    """Render how surely an honest link is ruled out; no rounding makes a certainty of it."""
    if confidence > 0.999:
        return format_html('<span class="number">&gt; {}&#8239;%</span>', "99.9")
    return render.rate(confidence, digits=1)


def _case_of(request: HttpRequest, obj: DisplayModel) -> list[Related]:
    """Link to the case that a verdict which is not clean has opened."""
    if not isinstance(obj, models.Detection) or verdict_of(obj) is Verdict.CLEAN:
        return []
    return [Related(title="Case", note=render.link(request.user, "cases.case", case_id_of(str(obj.pk))))]


@admin.register(models.Detection)
class DetectionAdmin(StoreAdmin):
    section, place = "Quantum", 3
    empty_text = "No verdicts yet. Each session is judged soon after it has run."
    search_fields = ("session_id",)
    search_help_text = "Exact session id"
    id_pattern = r"(?!)"  # a session's id leads to the session, which leads to its verdict
    indexed = ("verdict",)
    moment_field = "detected_at"
    list_filter = (choice_filter("verdict", WORTH_A_LOOK), exact_filter("link"), *day_filters())
    list_display = ("identity", "verdict", "became", "rate", "chi_square", "confidence", "why", "on", "when")
    fieldsets = (
        (None, {"fields": ("verdict", "became", "when", "who", "on_link")}),
        ("Statistics", {"fields": ("rate", "limit", "chi_square", "confidence")}),
        ("Tests", {"fields": ("tests_table",), "classes": ("whole",)}),
        ("Reasons", {"fields": ("reasons_table",), "classes": ("whole",)}),
    )
    identity = column("session_id", render.code, "session")
    became = column("outcome", lambda value: render.badge(value, OUTCOMES), "outcome")
    limit = column("threshold", render.rate, "threshold")
    chi_square = column("chi_square_value", lambda value: f"{value:.2f}", "statistic χ²")
    confidence = column("confidence_level", _ruled_out, "honest link ruled out")
    on = column("link", render.name, "link")
    who = column("owner", people.who_whole, "started by")
    when = column("detected_at", render.moment, "judged")

    @admin.display(description="tests")
    def tests_table(self, obj: models.Detection) -> Any:
        if not obj.tests:
            return "No test could be made."
        return render.table(
            ("Test", "Finding", "Chance on an honest link", "May convict"),
            [
                (
                    render.heading(test["name"]),
                    test["detail"],
                    render.chance(test["p"]),
                    "yes" if test["convicts"] else "no",
                )
                for test in obj.tests
            ],
        )

    @admin.display(description="verdict")
    def verdict(self, obj: models.Detection) -> Any:
        return render.badge(verdict_of(obj), VERDICTS)

    @admin.display(description="link")
    def on_link(self, obj: models.Detection) -> Any:
        return render.link(obj.viewer, "links.link", obj.link, render.name(obj.link))

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

    def subject_of(self, obj: DisplayModel) -> Subject:
        return Subject(by="session", value=str(obj.pk))

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return the session that was judged, and its link."""
        link = str(getattr(obj, "link", ""))
        session = render.link(request.user, "qkd_sessions.session", str(obj.pk))
        taken = render.inline([session, "what its keys encrypted is among its related records"])
        return [
            Related(title="Session", note=taken),
            *_case_of(request, obj),
            Related(title="Link", note=render.link(request.user, "links.link", link, render.name(link))),
        ]

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Detection]:
        return services.listed(
            actor=actor_of(request), limit=limit, position=position, verdict=filters.get("verdict")
        )

    def find(self, request: HttpRequest, object_id: str) -> Detection:
        return services.find(object_id, actor=actor_of(request))
