"""Exports that a second person allowed, carried out at the console: one file, sealed to the recipient who was approved."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from rest_framework.renderers import JSONRenderer

from apps.access.console import actor_of
from apps.console import kept, render
from apps.console.actions import NoForm
from apps.console.details import Related
from apps.console.form_page import form_page
from apps.console.store_admin import StoreAdmin
from apps.custody import approvals, exporting
from apps.custody.records import Approval, ApprovalNotFound, Guarded
from apps.custody.serializers import ExportedOut, ExportedQuantumKeyOut

EXPORTS: dict[str, tuple[Callable[..., Any], Any]] = {
    Guarded.EXPORT_KEY: (exporting.export, ExportedOut),
    Guarded.EXPORT_QUANTUM_KEY: (exporting.export_quantum_key, ExportedQuantumKeyOut),
}
INTRO = (
    "Gives out the key as a file that only the approved recipient can open. The approval is used up with it, and the "
    "file is not kept: save it. To have it again, ask for another export."
)


def address(approval_id: str) -> str:
    """Return the address of the page that gives out what was approved."""
    return reverse("admin:custody_approval_give_out", args=[approval_id])


@kept.keeps_what_was_typed
def export_view(model_admin: StoreAdmin, request: HttpRequest, approval_id: str) -> HttpResponse:
    """Ask whether the key is to be given out now, and give it out."""
    if not (model_admin.allows(request, "use") and model_admin.has_view_permission(request)):
        raise PermissionDenied
    try:
        asked = approvals.find(approval_id)
    except ApprovalNotFound:
        raise Http404 from None
    if asked.action not in EXPORTS:
        raise Http404
    export, shown = EXPORTS[asked.action]

    def submit(_form: NoForm) -> HttpResponse:
        given = JSONRenderer().render(shown(export(approval_id, actor=actor_of(request))).data)
        answer = HttpResponse(given, content_type="application/json")
        answer.headers["Content-Disposition"] = f'attachment; filename="{asked.subject}.json"'
        return answer

    context = model_admin.page_context(request, "Carry out an export") | {"parts": [_facts(asked)]}
    back = reverse("admin:custody_approval_change", args=[approval_id])
    return form_page(
        request, context, NoForm, submit, intro=INTRO, button="Give out", back_url=back,
        template="console/parts_form.html",
        lost="The file was in the first answer only. If you do not have it, ask for another export.",
    )  # fmt: skip


def _facts(asked: Approval) -> Related:
    rows = [
        ("Key", render.code(asked.subject)),
        ("Reason", render.name(asked.reason)),
        ("Recipient's public key, SHA-256", render.code(asked.parameters["recipient_fingerprint"])),
        ("Recipient's suite", str(asked.parameters["recipient_suite"])),
    ]
    return Related(title="What was approved", columns=("What", "Value"), rows=rows)
