"""First steps: five clicks from an empty platform to a file that was encrypted, read and recorded. Then they go away.

The overview leads: one button generates a session and opens the page of uploads, which leads back once the file was
sent; the next one decrypts it. Whoever came another way is met where they are.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.access.console import actor_of
from apps.audit import services as audit
from apps.audit.records import Actor
from apps.common import clock
from apps.console import dashboard, once, render
from apps.console.dashboard import Step
from apps.console.once import Fate
from apps.files import services
from apps.files.display import MAY_DECRYPT
from apps.files.records import File
from apps.files.states import AWAITED, FileStatus
from apps.files.trail import FileEvent
from apps.jobs.records import Job
from apps.sessions import services as sessions
from apps.sessions.tasks import generate_now_or_later

FEW = 4  # whoever has as many files needs no first steps
LATELY = timedelta(minutes=2)  # an upload announced before is not waited for, as its page may have been left
ERROR_RATE = 0.02  # as the form of sessions begins
MAY_GENERATE, MAY_WRITE = "qkd_sessions.generate_session", "files.write_file"
MAY_READ_TRAIL = "audit.view_entry"
RUN, UPLOAD, READ, TRAIL = 1, 2, 3, 4
TITLES = {
    RUN: "Generate a quantum key",
    UPLOAD: "Upload a file: it is encrypted by itself",
    READ: "Read it back, decrypted",
    TRAIL: "Find it in the audit trail",
}
_done: set[str] = set()  # remembered by this process once it is so: it does not change back


@dataclass(frozen=True, slots=True)
class Way:
    """How far somebody has come."""

    ran: bool
    waiting: File | None = None  # announced: its bytes are to come, or are being encrypted
    ready: File | None = None

    @property
    def step(self) -> int:
        """Return what comes next."""
        if self.ready is not None:
            return READ
        return UPLOAD if self.ran or self.waiting is not None else RUN


def look(request: HttpRequest) -> Way | None:
    """Return how far somebody has come; None where that is behind them, or is not for them."""
    if _done or not request.user.has_perm(MAY_WRITE):
        return None
    actor = actor_of(request)
    found = services.files_page(actor=actor, limit=FEW).records
    ready = next((file for file in found if file.status is FileStatus.ENCRYPTED), None)
    if len(found) >= FEW or (ready is not None and _was_read(ready)):
        _done.add("first steps")
        return None
    waiting = next((file for file in found if file.status in AWAITED), None)
    ran = bool(ready or waiting) or not request.user.has_perm(MAY_GENERATE) or _ran(actor)
    return Way(ran, waiting, ready)


def _was_read(file: File) -> bool:
    entries = audit.entries_page(limit=10, by="file", value=file.file_id).records
    return any(entry.event == FileEvent.READ for entry in entries)


def _ran(actor: Actor) -> bool:
    """Return whether somebody ran a session of their own; the platform's own fill its stock."""
    owner = str(actor) if actor.sees_all else None  # who does not see all lists only their own
    return bool(sessions.listed(actor=actor, limit=1, owner=owner).records)


def steps(request: HttpRequest, now: int, **control: Any) -> list[Step]:
    """List the steps, with what is done where one is; the last is for who may read the trail."""

    def state(number: int) -> dashboard.StepState:
        return "now" if number == now else "done" if number < now else "later"

    return [
        Step(title=title, state=state(number), **(control if number == now else {}))
        for number, title in TITLES.items()
        if number != TRAIL or _reads_trail(request)
    ]


def _reads_trail(request: HttpRequest) -> bool:
    return bool(request.user.has_perm(MAY_READ_TRAIL))


def after_reading(request: HttpRequest, file_id: str) -> list[Step]:
    """List the steps to who has just read the file."""
    page = reverse("admin:files_file_change", args=[file_id])
    return steps(request, TRAIL, label="See who did what", url=f"{page}?tab=audit")


def _load(request: HttpRequest) -> dashboard.Content:
    way = look(request)
    if way is None:
        return dashboard.Content()
    lately = way.waiting is not None and way.waiting.uploaded_at > clock.now() - LATELY
    return dashboard.Content(
        steps=steps(request, way.step, **_control(request, way)),
        soon=way.ready is None and lately,
        note=f"{'Five' if _reads_trail(request) else 'Four'} clicks, and this goes away.",
    )


def _control(request: HttpRequest, way: Way) -> dict[str, Any]:
    """Return the button of the step where somebody is."""
    if way.ready is not None:
        told = {"note": render.name(way.ready.name)}
        if not request.user.has_perm(MAY_DECRYPT):
            return told
        url = reverse("admin:files_file_download", args=[way.ready.file_id])
        return {**told, "label": "Decrypt it", "url": url, "posts": True}
    if not way.ran:
        return {
            "label": "Generate a session",
            "url": reverse("admin:files_file_first_session"),
            "posts": True,
        }
    url = reverse("admin:files_file_upload")
    if way.waiting is not None:
        return {"note": "The upload is being encrypted.", "label": "Upload another", "url": url}
    return {"label": "Upload a file", "url": url}


def session_view(request: HttpRequest) -> HttpResponse:
    """Generate a session as the form begins, and lead on to the upload."""
    if not request.user.has_perm(MAY_GENERATE):
        raise PermissionDenied
    if request.method != "POST":
        raise Http404
    fate = once.spend(request)
    if fate is not Fate.FIRST:
        messages.warning(request, fate.told)
    else:
        asked = sessions.GenerateRequest(
            key_length=settings.QUANTUM_KEY_BITS, error_rate=ERROR_RATE, link=sessions.DEFAULT_LINK
        )
        made = generate_now_or_later(asked, actor=actor_of(request))
        bits = "" if isinstance(made, Job) else f" It left a key of {made.final_key_length:,} bits."
        once.note(request, Fate.DONE)
        messages.success(request, f"A session was run.{bits} The next step: upload a file.")
    return HttpResponseRedirect(reverse("admin:files_file_upload"))


dashboard.register(
    dashboard.Panel(
        name="first-steps", title="First steps", permission=MAY_WRITE, load=_load, place=1, width="full",
        goes_away=True,
    )
)  # fmt: skip
