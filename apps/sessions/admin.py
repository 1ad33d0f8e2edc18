"""Sessions in the console: list, detail, the form that generates one, and the overview's panels."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.access.console import actor_of
from apps.common.dynamodb import Page, Position
from apps.common.errors import PlatformError
from apps.console import dashboard, render
from apps.console.filters import choice_filter, exact_filter
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin
from apps.jobs.records import Job
from apps.sessions import finals, models, services, stock, tasks
from apps.sessions.display import LENGTHS, TONES, by_basis, qber
from apps.sessions.forms import GenerateForm
from apps.sessions.records import Session, SessionStatus

RECENT = 60  # sessions in the overview's chart: one Query, and still one point every ten pixels


@admin.register(models.Session)
class SessionAdmin(StoreAdmin):
    section, place = "Quantum keys", 1
    empty_text = "No sessions yet. Generate one to see BB84 at work."
    search_fields = ("session_id",)
    search_help_text = "Exact session id"
    list_filter = (choice_filter("status", SessionStatus), exact_filter("link"))
    list_display = ("identity", "state", "rate", "bits", "keys", "on", "who", "when")
    fieldsets = (
        (None, {"fields": ("state_and_why", "when", "judged", "who", "on", "related")}),
        ("Error rate", {"fields": ("rate", "interval", "expected", "compared", "corrected_bits")}),
        ("Key", {"fields": ("asked_bits", "bits", "keys", "random", "wrapped", "expires")}),
        ("Where the bits went", {"fields": ("lengths",), "classes": ("whole",)}),
        ("Request", {"fields": ("asked",)}),
        ("Protocol details", {"fields": ("details",)}),
    )
    identity = column("session_id", render.short, "session")
    state = column("status", lambda value: render.badge(value, TONES), "status")
    rate = column("estimated_qber", qber, "QBER")
    bits = column("final_key_length", render.number, "key bits")
    on = column("link", str, "link")
    who = column("owner", str, "started by")
    when = column("timestamp", render.moment, "started (UTC)")
    judged = column("judged_at", render.moment, "judged (UTC)")
    expected = column("expected_qber", render.rate, "expected QBER")
    compared = column("counts", by_basis, "compared bits")
    asked_bits = column("key_length", render.number, "requested bits")
    random = column("secret", lambda value: "yes" if value else "no (a study: encrypts nothing)", "secret")
    asked = column("parameters", render.document, "parameters")

    @admin.display(description="status")
    def state_and_why(self, obj: models.Session) -> Any:
        return render.inline([render.badge(obj.status, TONES), obj.reason])

    @admin.display(description="99 % interval")
    def interval(self, obj: models.Session) -> str:
        return f"{100 * obj.qber_low:.2f} to {100 * obj.qber_high:.2f} %"

    @admin.display(description="quantum keys")
    def keys(self, obj: models.Session) -> str:
        return (
            f"{obj.keys_total - obj.keys_taken} of {obj.keys_total} left" if obj.keys_total else render.NONE
        )

    @admin.display(description="wrapped by")
    def wrapped(self, obj: models.Session) -> Any:
        final = finals.find(obj.pk)
        return render.NONE if final is None else render.code(final.root_key_id)

    @admin.display(description="expires (UTC)")
    def expires(self, obj: models.Session) -> Any:
        return (
            render.moment(datetime.fromtimestamp(obj.ttl, UTC))
            if obj.ttl
            else "never (a file or message needs it)"
        )

    @admin.display(description="related")
    def related(self, obj: models.Session) -> Any:
        verdict = (
            render.link(obj.viewer, "detections.detection", obj.pk, "Verdict")
            if obj.judged_at
            else "No verdict yet"
        )
        entries = render.list_link(obj.viewer, "audit.entry", "Audit entries", session=obj.pk)
        return render.inline([verdict, entries])

    @admin.display(description="bits")
    def lengths(self, obj: models.Session) -> Any:
        found = obj.ledger.get("lengths", {})
        return render.bars(
            [(name, found[name], meaning) for name, meaning in LENGTHS.items() if name in found]
        )

    @admin.display(description="ledger")
    def details(self, obj: models.Session) -> Any:
        told = (
            "attack",
            "channel",
            "families",
            "round_trips",
            "eve_known_bits",
            "epsilon_sec",
            "epsilon_cor",
        )
        found = {name: obj.ledger[name] for name in told if name in obj.ledger}
        return render.document(found | {"duration_ms": obj.duration_ms})

    @admin.display(description="corrected bits")
    def corrected_bits(self, obj: models.Session) -> Any:
        return by_basis(obj.ledger["corrected"]) if "corrected" in obj.ledger else render.NONE

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Session]:
        status = SessionStatus(filters["status"]) if "status" in filters else None
        return services.listed(
            actor=actor_of(request), limit=limit, position=position, link=filters.get("link"), status=status
        )

    def find(self, request: HttpRequest, object_id: str) -> Session:
        return services.find(object_id, actor=actor_of(request))

    def refresh_seconds(self, obj: DisplayModel) -> int | None:
        return 3 if isinstance(obj, models.Session) and obj.status == SessionStatus.PENDING else None

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        if not self.allows(request, "generate"):
            return []
        return [{"label": "Generate a session", "url": reverse("admin:qkd_sessions_session_generate")}]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.generate_view)
        return [path("generate/", view, name="qkd_sessions_session_generate"), *super().get_urls()]

    def generate_view(self, request: HttpRequest) -> HttpResponse:
        """Generate a session from the form."""
        if not self.allows(request, "generate"):
            raise PermissionDenied
        form = GenerateForm(request.POST or None)
        answer = self._answer(request, form) if form.is_valid() else None
        if answer is None:
            context = {
                **self.admin_site.each_context(request),
                "title": "Generate a session",
                "intro": "Runs BB84 from the first photon to the final key. The detector then judges the session.",
                "form": form,
                "button": "Generate",
                "opts": self.opts,
                "back_url": self.list_url(),
            }
            return TemplateResponse(request, "console/form_page.html", context)
        return answer

    def _answer(self, request: HttpRequest, form: GenerateForm) -> HttpResponse | None:
        """Generate the session, or queue a job where it takes too long for a request, and redirect there."""
        try:
            made = tasks.generate_now_or_later(form.to_request(), actor=actor_of(request))
        except PlatformError as error:
            form.show_errors(error)
            return None
        if isinstance(made, Job):
            messages.success(request, "This session takes too long for a request, so a job runs it.")
            return self._onwards(request, "jobs.job", made.job_id)
        if made.reason:
            messages.warning(request, f"The session produced no key: {made.reason}.")
        else:
            messages.success(
                request,
                f"The session produced a key of {made.final_key_length:,} bits. It is now being judged.",
            )
        return self._onwards(request, "qkd_sessions.session", made.session_id)

    @staticmethod
    def _onwards(request: HttpRequest, target: str, pk: str) -> HttpResponse:
        if not render.may_view(request.user, target):
            return HttpResponseRedirect(reverse("admin:index"))
        return HttpResponseRedirect(reverse(f"admin:{target.replace('.', '_')}_change", args=[pk]))


def _recent(request: HttpRequest) -> dashboard.Content:
    found = services.listed(actor=actor_of(request), limit=RECENT).records
    counted = Counter(session.status for session in found)
    one_day = len({session.timestamp.date() for session in found}) == 1
    listed_at = reverse("admin:qkd_sessions_session_changelist")
    figures = [
        dashboard.Figure(
            label=status.value.capitalize(), value=str(counted[status]), tone=TONES[status] if counted[status] else None,
            url=f"{listed_at}?status={status}",
        )
        for status in (SessionStatus.READY, SessionStatus.PENDING, SessionStatus.ABORTED, SessionStatus.COMPROMISED)
    ]  # fmt: skip
    points = [
        dashboard.Point(
            label=session.timestamp.strftime("%H:%M:%S" if one_day else "%d %b %H:%M"),
            value=100 * session.estimated_qber, low=100 * session.qber_low, high=100 * session.qber_high,
            tone=TONES[session.status],
            url=reverse("admin:qkd_sessions_session_change", args=[session.session_id]),
        )
        for session in reversed(found)
    ]  # fmt: skip
    note = f"The last {len(found)} sessions." if found else SessionAdmin.empty_text
    return dashboard.Content(
        figures=figures, points=points, threshold=100 * settings.QBER_THRESHOLD, note=note
    )


def _stock(_request: HttpRequest) -> dashboard.Content:
    ready, low = stock.stock().total, settings.STOCK_LOW_WATER
    tone = Tone.GOOD if ready >= low else Tone.WAIT if ready else Tone.BAD
    note = f"Each key encrypts one file or message. Below {low} keys the platform generates more."
    return dashboard.Content(
        figures=[dashboard.Figure(label="Ready", value=f"{ready:,}", tone=tone)], note=note
    )


_MAY_VIEW = "qkd_sessions.view_session"
dashboard.register(
    dashboard.Panel(
        name="qber", title="QBER of recent sessions", permission=_MAY_VIEW, load=_recent, place=1, width="two-thirds",
        has_chart=True, list_url="admin:qkd_sessions_session_changelist",
    )
)  # fmt: skip
dashboard.register(
    dashboard.Panel(
        name="stock", title="Quantum-key stock", permission=_MAY_VIEW, load=_stock, place=2, width="third"
    )
)
