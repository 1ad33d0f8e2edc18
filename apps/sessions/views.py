"""Pages of sessions: the form that generates them, and the one that explains BB84 by one of them.

That one shows where its bits went, its errors, its channel, and photons to watch.
"""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from apps.access.console import actor_of
from apps.common.errors import Invalid, NotFound
from apps.console import kept, render
from apps.console.form_page import form_page
from apps.console.store_admin import StoreAdmin
from apps.jobs.records import Job
from apps.sessions import picture, services, tasks
from apps.sessions.forms import GenerateForm
from apps.sessions.picture import BasisErrors, Photon
from apps.sessions.records import Session

AXIS = 400  # units of the drawing of intervals
SEEDS = 1_000_000
BASIS_SIGNS = {picture.RECTILINEAR: "+", picture.DIAGONAL: "\N{MULTIPLICATION SIGN}"}


def picture_view(site: AdminSite, request: HttpRequest, session_id: str) -> HttpResponse:
    """Show how a session went, and a demonstration apart from it."""
    try:
        session = services.find(session_id, actor=actor_of(request))
    except NotFound:
        raise Http404 from None
    tapped = request.GET.get("eve") == "yes"
    seed = _seed(request)
    curve = picture.rate_curve(session)
    context = {
        **site.each_context(request),
        "title": "How this session went",
        "session": session,
        "session_url": reverse("admin:qkd_sessions_session_change", args=[session.session_id]),
        "funnel": _bars(session),
        "errors": [_drawn(one, _scale(session)) for one in picture.errors_by_basis(session)],
        "threshold": f"{100 * settings.QBER_THRESHOLD:g}",
        "threshold_x": f"{_x(settings.QBER_THRESHOLD, _scale(session)):.1f}",
        "curve": _as_chart(curve) if curve else None,
        "rows": _rows(picture.demonstrate(seed, tapped=tapped), tapped=tapped),
        "tapped": tapped,
        "seed": seed,
        "next_seed": (seed + 1) % SEEDS,
    }
    return TemplateResponse(request, "qkd_sessions/picture.html", context)


def _seed(request: HttpRequest) -> int:
    text = request.GET.get("sample", "1")
    return int(text) % SEEDS if text.isascii() and text.isdecimal() and len(text) < 10 else 1


def _bars(session: Session) -> list[dict[str, Any]]:
    steps = picture.funnel(session)
    largest = max((step.bits for step in steps), default=0) or 1
    return [
        {
            "title": step.title,
            "bits": f"{step.bits:,}",
            "width": f"{max(100 * step.bits / largest, 0.4 if step.bits else 0):.2f}%",
            "lost": f"{step.lost:,}" if step.lost else "",
            "why": step.why,
        }
        for step in steps
    ]


def _scale(session: Session) -> float:
    """The error rate at the right end of the drawing."""
    highest = max((one.high for one in picture.errors_by_basis(session)), default=0.0)
    return max(1.3 * settings.QBER_THRESHOLD, 1.1 * highest)


def _x(rate: float, scale: float) -> float:
    return AXIS * min(rate, scale) / scale


def _drawn(one: BasisErrors, scale: float) -> dict[str, Any]:
    low, high = _x(one.low, scale), _x(one.high, scale)
    return {
        "basis": render.heading(one.basis),
        "compared": f"{one.compared:,}",
        "errors": f"{one.errors:,}",
        "rate": f"{100 * one.rate:.2f}",
        "interval": f"{100 * one.low:.2f} to {100 * one.high:.2f}",
        "x": f"{low:.1f}",
        "width": f"{max(1.0, high - low):.1f}",
        "dot": f"{_x(one.rate, scale):.1f}",
    }


def _as_chart(curve: picture.RateCurve) -> dict[str, Any]:
    return {
        "distances": curve.distances,
        "rates": curve.rates,
        "bound": curve.bound,
        "km": curve.session_km,
        "rate": curve.session_rate or None,
    }


def _rows(photons: list[Photon], *, tapped: bool) -> list[dict[str, Any]]:
    """The rows of the demonstration's table: each with the stage at which it is uncovered."""

    def row(stage: int, title: str, cells: list[dict[str, Any]]) -> dict[str, Any]:
        return {"stage": stage, "title": title, "cells": cells}

    found = [
        row(1, "Alice's bit", [{"text": one.alice_bit} for one in photons]),
        row(1, "Alice's basis", [{"text": BASIS_SIGNS[one.alice_basis]} for one in photons]),
        row(1, "Photon", [{"angle": one.angle} for one in photons]),
    ]
    if tapped:
        eve = [BASIS_SIGNS[one.eve_basis or picture.RECTILINEAR] for one in photons]
        found += [
            row(2, "Eve's basis", [{"text": sign, "tone": "eve"} for sign in eve]),
            row(2, "Eve reads", [{"text": one.eve_bit, "tone": "eve"} for one in photons]),
            row(2, "Photon she resends", [{"angle": one.arriving_angle, "tone": "eve"} for one in photons]),
        ]
    return [
        *found,
        row(3, "Bob's basis", [{"text": BASIS_SIGNS[one.bob_basis]} for one in photons]),
        row(3, "Bob reads", [{"text": one.bob_bit} for one in photons]),
        row(
            4,
            "Same basis?",
            [
                {"text": "yes", "tone": "kept"} if one.sifted else {"text": str(render.NONE), "tone": "lost"}
                for one in photons
            ],
        ),
        row(5, "Compared", [_compared(one) for one in photons]),
        row(6, "Key bit", [_key_bit(one) for one in photons]),
    ]


def _compared(one: Photon) -> dict[str, Any]:
    if not one.compared:
        return {"text": ""}
    return {"text": "error", "tone": "error"} if one.error else {"text": "equal", "tone": "kept"}


def _key_bit(one: Photon) -> dict[str, Any]:
    if not one.sifted or one.compared:
        return {"text": ""}
    return {"text": one.bob_bit, "tone": "error" if one.error else "kept"}


@kept.keeps_what_was_typed
def generate_view(model_admin: StoreAdmin, request: HttpRequest) -> HttpResponse:
    """Generate sessions from the form."""
    if not model_admin.allows(request, "generate"):
        raise PermissionDenied
    context = model_admin.page_context(request, "Generate a session") | {
        "outlook_url": reverse("admin:qkd_sessions_session_outlook")
    }
    return form_page(
        request,
        context,
        GenerateForm,
        lambda form: _generated(request, form),
        intro="Runs BB84 from the first photon to the final key. The detector then judges the session.",
        button="Generate",
        back_url=model_admin.list_url(),
        template="console/generate.html",
    )


def outlook_view(model_admin: StoreAdmin, request: HttpRequest) -> HttpResponse:
    """Tell what the form's session is expected to do; nothing is run."""
    if not model_admin.allows(request, "generate"):
        raise PermissionDenied
    form = GenerateForm(request.GET)
    if not form.is_valid():
        return JsonResponse({"text": "Fill in the form to see what to expect.", "feasible": False})
    try:
        found = services.outlook(form.to_request())
    except Invalid as error:
        return JsonResponse({"text": error.detail, "feasible": False})
    if not found.feasible:
        return JsonResponse({"text": f"No key to expect: {found.reason}.", "feasible": False})
    plural = "" if found.quantum_keys == 1 else "s"
    keys = (
        f"{found.quantum_keys:,} quantum key{plural}"
        if found.quantum_keys
        else "no quantum key (it is a study)"
    )
    text = (
        f"To expect: QBER {100 * found.expected_qber:.2f} %, {found.pulses:,} pulses, {found.expected_sifted:,} sifted "
        f"bits, {keys}; about {max(0.1, found.seconds):.1f} s."
    )
    return JsonResponse({"text": text, "feasible": True})


def _generated(request: HttpRequest, form: GenerateForm) -> HttpResponse:
    """Generate the session, or queue a job for several or where it takes too long, and lead there."""
    asked, actor, count = form.to_request(), actor_of(request), int(form.cleaned_data["count"])
    if count > 1:
        job = tasks.generate_later(asked, count=count, actor=actor)
        messages.success(request, f"A job runs {count:,} sessions.")
        return _onwards(request, "jobs.job", job.job_id)
    made = tasks.generate_now_or_later(asked, actor=actor)
    if isinstance(made, Job):
        messages.success(request, "This session takes too long for a request, so a job runs it.")
        return _onwards(request, "jobs.job", made.job_id)
    if made.reason:
        messages.warning(request, f"The session produced no key: {made.reason}.")
    else:
        messages.success(
            request,
            f"The session produced a key of {made.final_key_length:,} bits. It is now being judged.",
        )
    return _onwards(request, "qkd_sessions.session", made.session_id)


def _onwards(request: HttpRequest, target: str, pk: str) -> HttpResponse:
    if not render.may_view(request.user, target):
        return HttpResponseRedirect(reverse("admin:index"))
    return HttpResponseRedirect(reverse(f"admin:{target.replace('.', '_')}_change", args=[pk]))
