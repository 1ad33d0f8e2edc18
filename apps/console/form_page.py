"""Pages with a form that makes something: checked beside its fields, carried out once, kept when a sign-in runs out."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from apps.common.errors import Invalid, PlatformError
from apps.console import kept, once
from apps.console.failures import FAILURES, problem_of

FormT = Any  # a form of the page's own class


def form_page(
    request: HttpRequest,
    context: dict[str, Any],
    form_class: type[forms.Form],
    submit: Callable[[FormT], HttpResponse],
    *,
    intro: str,
    button: str,
    back_url: str,
    template: str = "console/form_page.html",
    initial: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """Show a form; once it is sent and right, call ``submit`` and answer with what that returns.

    Args:
        request: of the page.
        context: of the page: its title at least, and what ``AdminSite.each_context`` gives.
        form_class: of the form.
        submit: called with the form, which is valid. What it raises is told beside the fields that it names.
        intro: what the form does.
        button: its word.
        back_url: where Cancel leads.
        template: of the page.
        initial: what stands in the form before anything was typed.
    """
    sent = request.method == "POST" and not kept.is_replayed(request)
    typed = {} if sent else _typed(request)
    form = (
        form_class(request.POST, request.FILES) if sent else form_class(initial=typed or dict(initial or {}))
    )
    if sent and form.is_valid():
        if not once.spend(request):
            messages.warning(request, "This form was sent already and was carried out once.")
            return HttpResponseRedirect(back_url)
        try:
            return submit(form)
        except FAILURES as error:
            show_problem(form, problem_of(error))
    page = {"intro": intro, "button": button, "back_url": back_url, "form": form, "once": once.new_token()}
    answer = TemplateResponse(request, template, context | page).render()
    if typed and request.method == "GET":
        kept.forget(answer)
    return answer


def _typed(request: HttpRequest) -> dict[str, Any]:
    lists = dict(request.POST.lists()) if request.method == "POST" else kept.recalled(request)
    if lists and request.method == "GET":
        messages.warning(request, kept.SIGNED_OUT)
    return {name: values if len(values) > 1 else values[-1] for name, values in lists.items() if values}


def show_problem(form: forms.Form, error: PlatformError) -> None:
    """Show a service's errors beside the fields that they name; the engine's sentences begin with the name."""
    named = [(found.field, found.message) for found in error.errors]
    for name, message in named or [(error.detail.partition(" ")[0], error.detail)]:
        form.add_error(name if name in form.fields else None, message)


def differences(chosen: Mapping[str, Any], now: Mapping[str, Any], *, what: str) -> dict[str, Any]:
    """Return what a form of settings changes.

    Raises:
        Invalid: nothing.
    """
    changes = {name: value for name, value in chosen.items() if value != now[name]}
    if not changes:
        raise Invalid(f"Nothing is different from what {what} is set to.")
    return changes
