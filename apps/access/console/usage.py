"""What a person, service or group has used in this month, and the form that says how much it may."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from apps.access import principals, quotas
from apps.access.console import actor_of
from apps.access.quotas import ABOUT, MOST, Quota, Usage
from apps.access.records import Principal, PrincipalNotFound
from apps.console import kept, people, render
from apps.console.details import Related
from apps.console.form_page import differences, form_page
from apps.console.render import Tone
from apps.console.store_admin import StoreAdmin

MAY_CHANGE = "access.change_user"


class QuotasForm(forms.Form):
    """Asks how much may be used in a month."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for quota in Quota:
            self.fields[quota.value] = forms.IntegerField(
                required=False, min_value=0, max_value=MOST, help_text=f"{ABOUT[quota].capitalize()}. Empty: not set."
            )  # fmt: skip

    def chosen(self) -> dict[str, int | None]:
        """Return each quota; None where it is not set."""
        return {quota.value: self.cleaned_data[quota.value] for quota in Quota}


def address(principal_id: str) -> str:
    """Return the address of a principal's page of quotas."""
    return reverse("admin:access_quotas", args=[principal_id])


def used_this_month(principal_id: str) -> Related:
    """Return what a principal has used since the month began, as a table: three Queries."""
    try:
        principal = principals.find(principal_id)
    except PrincipalNotFound:
        return Related(title="Used this month", note="Nothing: it was never admitted.")
    month = quotas.month_of(principal)
    rows = [
        (render.heading(one.quota), _amount(one.quota, one.used), _allowed(one), _left(one))
        for one in month.usages
    ]
    until = format_html(
        "Counted since {}; starts from zero at {}.", render.moment(month.begins), render.moment(month.ends)
    )
    return Related(
        title="Used this month", columns=("What", "Used", "Allowed", "Left"), rows=rows, note=until
    )


def _amount(quota: Quota, count: int) -> Any:
    return render.size(count) if quota is Quota.BYTES else render.number(count)


def _allowed(usage: Usage) -> Any:
    return "no limit" if usage.allowed is None else _amount(usage.quota, usage.allowed)


def _left(usage: Usage) -> Any:
    if usage.remaining is None:
        return render.NONE
    if not usage.remaining:
        return render.inline([_amount(usage.quota, 0), render.badge("used up", Tone.BAD)])
    near = render.badge("nearly used up", Tone.WAIT) if usage.is_near else ""
    return render.inline([_amount(usage.quota, usage.remaining), near])


@kept.keeps_what_was_typed
def quotas_view(model_admin: StoreAdmin, request: HttpRequest, principal_id: str) -> HttpResponse:
    """Show what a principal has used, and change how much it may use."""
    if not request.user.has_perm(MAY_CHANGE):
        raise PermissionDenied
    try:
        principal = principals.find(principal_id)
    except PrincipalNotFound:
        return _never_admitted(model_admin, request, principal_id)

    now = {quota.value: (principal.quotas or {}).get(quota.value) for quota in Quota}

    def submit(form: QuotasForm) -> HttpResponse:
        wanted = form.chosen()
        differences(wanted, now, what=principal_id)
        given = {name: most for name, most in wanted.items() if most is not None}
        principals.change(principal_id, quotas=given, actor=actor_of(request))
        quotas.forget()
        messages.success(request, f"The quotas of {principal_id} were changed.")
        return HttpResponseRedirect(address(principal_id))

    title = f"Quotas of {render.spelt(principal.name)}"
    context = model_admin.page_context(request, title) | {"parts": [used_this_month(principal_id)]}
    intro = (
        "How much may be used in a calendar month (UTC). Where nothing is set, the largest quota of a group holds, "
        "else that of the platform. What is used is counted within a minute; what begins below a quota is finished."
    )
    return form_page(
        request, context, QuotasForm, submit, intro=intro, button="Change", back_url=_back(principal),
        template="console/parts_form.html", changes=now,
    )  # fmt: skip


def _never_admitted(model_admin: StoreAdmin, request: HttpRequest, principal_id: str) -> HttpResponse:
    """Say how a person comes to have quotas, who has a user here and no role."""
    name = people.name_of(principal_id)
    if not name:
        raise Http404
    shown = render.spelt(name)
    part = Related(
        title="No role yet",
        note=f"Quotas are set for who has a role. {shown} has none yet.",
        more=render.url_link(_person(principal_id), f"Choose a role for {shown} first"),
    )
    context = model_admin.page_context(request, f"Quotas of {shown}") | {"parts": [part]}
    return TemplateResponse(request, "console/parts.html", context)


def _back(principal: Principal) -> str:
    if people.name_of(principal.principal_id):  # of a person who has no user here, the id is any text
        return _person(principal.principal_id)
    return reverse("admin:access_apikey_changelist")


def _person(principal_id: str) -> str:
    return reverse("admin:access_user_change", args=[principal_id.partition(":")[2]])
