"""Pages with a form that makes something: checked beside its fields, carried out once, kept when a sign-in runs out."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from apps.common.errors import Invalid, PlatformError
from apps.console import kept, once, seen
from apps.console.failures import FAILURES, problem_of
from apps.console.once import Fate

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
    changes: Mapping[str, Any] | None = None,
    lost: str = "",
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
        changes: the same of a form that changes a record: refused where somebody else changed it meanwhile.
        lost: what to do for what the answer alone had, told to who sends the form twice.
    """
    stands = dict(changes or initial or {})
    sent = request.method == "POST" and not kept.is_replayed(request)
    typed = {} if sent else _typed(request)
    form = form_class(request.POST, request.FILES) if sent else form_class(initial=typed or stands)
    if sent:
        done = _carried_out(request, form, submit, changes or {}, back_url, lost)
        if done is not None:
            return done
    page = {"intro": intro, "button": button, "back_url": back_url, "form": form, "once": once.new_token()}
    if changes is not None:
        page["seen"] = typed.get(seen.FIELD) or seen.marks(changes)
    answer = TemplateResponse(request, template, context | page).render()
    if typed and request.method == "GET":
        kept.forget(answer)
    return answer


def _carried_out(
    request: HttpRequest,
    form: FormT,
    submit: Callable[[FormT], HttpResponse],
    now: Mapping[str, Any],
    back_url: str,
    lost: str,
) -> HttpResponse | None:
    """Carry out a form that was sent; None where it is shown again, with what is wrong."""
    others = seen.changed(request.POST.get(seen.FIELD, ""), now)
    if others:
        form.add_error(None, seen.problem_of(form, others, now))
    if not form.is_valid():
        return None
    fate = once.spend(request)
    if fate is Fate.UNNOTED:
        form.add_error(None, fate.told)
        return None
    if fate is not Fate.FIRST:
        messages.warning(request, f"{fate.told} {lost}".strip() if fate is Fate.DONE else fate.told)
        return HttpResponseRedirect(back_url)
    try:
        answer = submit(form)
    except FAILURES as error:
        once.note(request, Fate.REFUSED)
        show_problem(form, problem_of(error))
        return None
    once.note(request, Fate.DONE)
    return answer


def _typed(request: HttpRequest) -> dict[str, Any]:
    lists = dict(request.POST.lists()) if request.method == "POST" else kept.recalled(request)
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
