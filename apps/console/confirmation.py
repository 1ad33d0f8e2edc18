"""Actions that ask first: a page says what will happen, then a service is called for each record."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from apps.console.failures import tell_failures
from apps.console.models import DisplayModel
from apps.console.store_admin import StoreAdmin


class ReasonForm(forms.Form):
    """Asks for the reason, which is kept in the audit trail."""

    reason = forms.CharField(
        max_length=200,
        help_text="Kept with the record and in the audit trail.",
        widget=forms.TextInput({"size": 60}),
    )


def ask_then_act(
    model_admin: StoreAdmin,
    request: HttpRequest,
    records: Iterable[DisplayModel],
    act: Callable[[str, dict[str, Any]], object],
    *,
    title: str,
    warning: str,
    button: str,
    done: str,
    form_class: type[forms.Form] = forms.Form,
) -> HttpResponse | None:
    """Show what will happen; once it is confirmed, do it to each record and report the outcome.

    ``act`` is the service, called with a record's id and the form's data; ``done`` is a participle like "revoked", for
    the message and the history.
    """
    chosen = list(records)
    form = form_class(request.POST if "confirmed" in request.POST else None)
    if not form.is_valid():
        context = {
            **model_admin.admin_site.each_context(request),
            "title": title,
            "warning": warning,
            "button": button,
            "form": form,
            "records": chosen,
            "action": request.POST.get("action"),
            "checkbox": ACTION_CHECKBOX_NAME,
            "opts": model_admin.opts,
            "list_url": model_admin.list_url(),
        }
        return TemplateResponse(request, "console/confirm.html", context)
    _carry_out(model_admin, request, chosen, lambda pk: act(pk, form.cleaned_data), done)
    return None


def _carry_out(
    model_admin: StoreAdmin,
    request: HttpRequest,
    records: list[DisplayModel],
    act: Callable[[str], object],
    done: str,
) -> None:
    count = 0
    for record in records:
        with tell_failures(request, about=str(record)):
            act(str(record.pk))
            model_admin.log_change(request, record, f"{done.capitalize()}.")
            count += 1
    if count:
        opts = model_admin.opts
        noun = opts.verbose_name if count == 1 else opts.verbose_name_plural
        messages.success(request, f"{count} {noun} {done}.")
