"""Sessions in the console: list, page, the form that generates them, and what can be done to them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.access.console import actor_of
from apps.access.console.whose import whose
from apps.common.dynamodb import Page, Position
from apps.console import people, render
from apps.console.actions import Action, Facts
from apps.console.details import Related, Subject
from apps.console.filters import choice_filter, day_filters, exact_filter
from apps.console.models import DisplayModel
from apps.console.render import column
from apps.console.store_admin import UUID, StoreAdmin, partial_of
from apps.custody import reencryption
from apps.custody.reencryption import Suspect, SuspectKind
from apps.sessions import blocks, finals, models, quantum_keys, services, transitions
from apps.sessions import console as _overview
from apps.sessions.display import LENGTHS, TONES, by_basis, qber, taken_for
from apps.sessions.records import Session, SessionStatus
from apps.sessions.views import generate_view, outlook_view, picture_view

__all__ = ["SessionAdmin", "_overview"]
RELATED = 25  # quantum keys of a session


def _session_facts(_request: HttpRequest, obj: DisplayModel) -> Facts:
    """Return what a session is now, and what was encrypted with its keys."""
    if not isinstance(obj, models.Session):
        return ()
    left = max(0, obj.keys_total - obj.keys_taken)
    return (
        ("Status", render.badge(obj.status, TONES)),
        ("Link", obj.link),
        ("Owner", people.who(obj.owner)),
        ("Quantum keys taken", render.number(obj.keys_taken)),
        ("Quantum keys left", render.number(left)),
    )


def _left_of_sessions(_request: HttpRequest, chosen: list[DisplayModel]) -> list[str]:
    found = [obj for obj in chosen if isinstance(obj, models.Session) and obj.status == SessionStatus.READY]
    lost = sum(max(0, obj.keys_total - obj.keys_taken) for obj in found)
    taken = sum(obj.keys_taken for obj in found)
    one = "quantum key leaves the stock and is" if lost == 1 else "quantum keys leave the stock and are"
    told = [f"{lost:,} {one} never used."]
    if taken:
        one = "that was taken still opens what it" if taken == 1 else "that were taken still open what they"
        told.append(f"{taken:,} {one} encrypted. Re-encrypt it if it may be known.")
    return told


def _revoke(request: HttpRequest, session_id: str, given: dict[str, Any]) -> None:
    transitions.revoke(session_id, reason=given["reason"], actor=actor_of(request))


def _reencrypt(request: HttpRequest, session_id: str, given: dict[str, Any]) -> SafeString:
    suspect = Suspect(SuspectKind.SESSION, session_id)
    job = reencryption.start(suspect, reason=given["reason"], actor=actor_of(request))
    link = render.link(request.user, "jobs.job", job.job_id)
    return format_html("Job {} re-encrypts {} files.", link, f"{job.total:,}")


def _has_taken(obj: DisplayModel) -> bool:
    return isinstance(obj, models.Session) and obj.keys_taken > 0


def _is_ready(obj: DisplayModel) -> bool:
    return isinstance(obj, models.Session) and obj.status == SessionStatus.READY


ACTIONS = (
    Action(
        name="reencrypt", label="Re-encrypt files…", title="Re-encrypt the files of sessions", permission="custody.reencrypt_rotation",
        button="Re-encrypt", done="queued for re-encryption", destructive=False, act=_reencrypt, offered=_has_taken,
        facts=_session_facts,
        warning="Encrypts every file again that was encrypted with a key of these sessions: envelope and body, with "
        "new keys. A file with a passphrase is left: its owner must upload it again.",
    ),
    Action(
        name="revoke", label="Revoke…", title="Revoke sessions", permission="revoke", button="Revoke permanently",
        done="revoked", act=_revoke, offered=_is_ready, facts=_session_facts, left=_left_of_sessions,
        warning="Takes every quantum key of these sessions out of use. This is permanent.",
    ),
)  # fmt: skip


@admin.register(models.Session)
class SessionAdmin(StoreAdmin):
    section, place = "Quantum", 2
    empty_text = "No sessions yet. Generate one to see BB84 at work."
    search_fields = ("session_id",)
    search_help_text = "Exact session id"
    id_pattern = rf"{UUID}(\.\d+(/\d+)?)?"  # of a session, or of a quantum key cut from it
    indexed = ("link", "owner", "status")
    moment_field = "timestamp"
    list_filter = (
        choice_filter("status", SessionStatus),
        exact_filter("link"),
        exact_filter("owner", title="started by (id or user name)"),
        *day_filters(),
    )
    unlisted = ("keys_taken",)
    list_display = ("identity", "state", "rate", "bits", "made_keys", "on", "who", "when")
    record_actions = ACTIONS
    fieldsets = (
        (None, {"fields": ("state_and_why", "when", "judged", "started_by", "on_link", "picture")}),
        ("Error rate", {"fields": ("rate", "interval", "expected", "compared", "corrected_bits")}),
        ("Key", {"fields": ("asked_bits", "bits", "keys", "random", "wrapped", "expires")}),
        ("Where the bits went", {"fields": ("lengths",), "classes": ("whole",)}),
        ("Request", {"fields": ("asked",)}),
        ("Protocol details", {"fields": ("details",)}),
    )
    identity = column("session_id", render.code, "session")
    state = column("status", lambda value: render.badge(value, TONES), "status")
    rate = column("estimated_qber", qber, "QBER")
    bits = column("final_key_length", render.number, "key bits")
    made_keys = column("keys_total", render.number, "quantum keys made")
    on = column("link", render.name, "link")
    who = column("owner", people.who, "started by")
    started_by = column("owner", people.who_whole, "started by")
    when = column("timestamp", render.moment, "started")
    judged = column("judged_at", render.moment, "judged")
    expected = column("expected_qber", render.rate, "expected QBER")
    compared = column("counts", by_basis, "compared bits")
    asked_bits = column("key_length", render.number, "requested bits")
    random = column("secret", lambda value: "yes" if value else "no (a study: encrypts nothing)", "secret")
    asked = column("parameters", render.document, "parameters")

    @admin.display(description="status")
    def state_and_why(self, obj: models.Session) -> Any:
        return render.inline([render.badge(obj.status, TONES), render.name(obj.reason)])

    @admin.display(description="link")
    def on_link(self, obj: models.Session) -> Any:
        return render.link(obj.viewer, "links.link", obj.link, render.name(obj.link))

    @admin.display(description="BB84")
    def picture(self, obj: models.Session) -> Any:
        return render.url_link(
            reverse("admin:qkd_sessions_session_picture", args=[obj.pk]), "See how this session went"
        )

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

    @admin.display(description="expires")
    def expires(self, obj: models.Session) -> Any:
        return (
            render.moment(datetime.fromtimestamp(obj.ttl, UTC))
            if obj.ttl
            else "never (a file or message needs it)"
        )

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
        owner = people.id_of(filters["owner"]) if "owner" in filters else None
        return services.listed(
            actor=actor_of(request),
            limit=limit,
            position=position,
            link=filters.get("link"),
            status=status,
            owner=owner,
        )

    def fits(self, record: Session, name: str, value: str) -> bool:
        """Return whether a session is one that a filter wants."""
        return str(getattr(record, name)) == (people.id_of(value) if name == "owner" else value)

    def find(self, request: HttpRequest, object_id: str) -> Session:
        found = services.find(object_id.partition(".")[0], actor=actor_of(request))
        return blocks.counted(found)

    def subject_of(self, obj: DisplayModel) -> Subject:
        return Subject(by="session", value=str(obj.pk))

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return the verdict, and the quantum keys taken with what they encrypted."""
        if not isinstance(obj, models.Session):
            return ()
        viewer = request.user
        verdict = render.link(viewer, "detections.detection", obj.pk, "Verdict") if obj.judged_at else ""
        link = render.link(viewer, "links.link", obj.link, render.name(obj.link))
        others = render.list_link(
            viewer, "qkd_sessions.session", "Other sessions of who started it", owner=obj.owner
        )
        return [
            Related(title="Verdict", note=verdict or "Not judged yet."),
            Related(title="Link", note=link),
            _taken(request, obj.pk),
            Related(title="Started by", note=render.inline([whose(viewer, obj.owner), others])),
        ]

    def refresh_seconds(self, obj: DisplayModel) -> int | None:
        return 3 if isinstance(obj, models.Session) and obj.status == SessionStatus.PENDING else None

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        if not self.allows(request, "generate"):
            return []
        return [{"label": "Generate a session", "url": reverse("admin:qkd_sessions_session_generate")}]

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("generate/", guard(partial_of(generate_view, self)), name="qkd_sessions_session_generate"),
            path("outlook/", guard(partial_of(outlook_view, self)), name="qkd_sessions_session_outlook"),
            path(
                "<str:session_id>/picture/",
                guard(partial_of(_picture_view, self)),
                name="qkd_sessions_session_picture",
            ),
            *super().get_urls(),
        ]


def _picture_view(model_admin: SessionAdmin, request: HttpRequest, session_id: str) -> HttpResponse:
    """Show how a session went, to who may see it."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    return picture_view(model_admin.admin_site, request, session_id)


def _taken(request: HttpRequest, session_id: str) -> Related:
    page = quantum_keys.keys_of(session_id, limit=RELATED)
    rows = [
        (
            render.short(key.key_id),
            taken_for(request.user, key),
            render.words(key.state),
            people.who(key.taken_by),
            render.moment(key.taken_at),
        )
        for key in page.records
    ]
    columns = ("Quantum key", "Taken for", "State", "Taken by", "Taken")
    note = "" if rows else "No quantum key of this session was taken."
    messages = render.list_link(request.user, "files.message", "Messages among them", session=session_id)
    older = f"The newest {len(rows)}; the API lists all." if page.older else ""
    more = render.inline([older, messages]) if rows else ""
    return Related(title="Quantum keys taken", columns=columns, rows=rows, note=note, more=more)
