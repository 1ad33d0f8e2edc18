"""API keys issued and rotated at the console: their secret is shown once, in the answer that made it."""

from datetime import timedelta

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from apps.access import api_keys
from apps.access.console import actor_of
from apps.access.records import ApiKey
from apps.access.roles import Role
from apps.common.errors import NotFound
from apps.console import kept, people, render
from apps.console.form_page import form_page
from apps.console.store_admin import StoreAdmin

OVERLAP_HOURS = 24
LOST = "Its key was shown in the first answer only. If you do not have it, revoke the newest key and issue another."


class IssueForm(forms.Form):
    """Asks for a new service with its role, or for somebody who is there already."""

    name = forms.CharField(
        max_length=255, help_text="What the key is for, such as: archive exporter, production."
    )
    principal = forms.CharField(
        required=False,
        max_length=255,
        label="For",
        help_text="A user name, or the id of a person or service. Empty: a new service of this name.",
    )
    role = forms.ChoiceField(
        choices=[(role.value, render.heading(role.value)) for role in Role],
        initial=Role.CLIENT,
        help_text="Of a new service. Nobody gives more than they hold.",
    )


class RotateForm(forms.Form):
    """Asks for how long both keys are valid."""

    hours = forms.IntegerField(
        min_value=0,
        max_value=24 * 30,
        initial=OVERLAP_HOURS,
        label="Overlap",
        help_text="Hours in which both are valid.",
    )


@kept.keeps_what_was_typed
def issue_view(model_admin: StoreAdmin, request: HttpRequest) -> HttpResponse:
    """Issue a key."""
    if not model_admin.allows(request, "issue"):
        raise PermissionDenied

    def submit(form: IssueForm) -> HttpResponse:
        given, actor = form.cleaned_data, actor_of(request)
        if given["principal"]:
            owner = people.id_of(given["principal"])
            key, secret = api_keys.issue(owner, name=given["name"], actor=actor)
            return _shown(model_admin, request, key.key_id, secret, "The key was issued")
        caller, secret = api_keys.issue_for_service(given["name"], role=Role(given["role"]), actor=actor)
        return _shown(model_admin, request, caller.key_id, secret, "The service and its key were made")

    intro = "A key lets a program act as a service or a person. It is shown once."
    context = model_admin.page_context(request, "Issue an API key")
    return form_page(
        request, context, IssueForm, submit,
        intro=intro, button="Issue", back_url=model_admin.list_url(), lost=LOST,
    )  # fmt: skip


@kept.keeps_what_was_typed
def rotate_view(model_admin: StoreAdmin, request: HttpRequest, key_id: str) -> HttpResponse:
    """Issue a second key with the limits of the first, which ends after the overlap."""
    if not model_admin.allows(request, "issue"):
        raise PermissionDenied
    before = _find(key_id)

    def submit(form: RotateForm) -> HttpResponse:
        overlap = timedelta(hours=form.cleaned_data["hours"])
        key, secret = api_keys.rotate(key_id, overlap=overlap, actor=actor_of(request))
        note = f"The key before it, {key_id}, ends in {form.cleaned_data['hours']} h."
        return _shown(model_admin, request, key.key_id, secret, "The new key was issued", note)

    intro = f"Issues a second key for {before.principal_id} with the limits of {key_id}. What it owns stays its own."
    context = model_admin.page_context(request, "Rotate an API key")
    back_url = reverse("admin:access_apikey_change", args=[key_id])
    return form_page(
        request, context, RotateForm, submit, intro=intro, button="Rotate", back_url=back_url, lost=LOST
    )


def _find(key_id: str) -> ApiKey:
    try:
        return api_keys.find(key_id)
    except NotFound:
        raise Http404 from None


def _shown(
    model_admin: StoreAdmin, request: HttpRequest, key_id: str, secret: str, heading: str, note: str = ""
) -> HttpResponse:
    """Answer with the secret itself: neither a session, a message nor a cookie may hold it (I2)."""
    page = {
        "heading": heading,
        "secret": secret,
        "note": note,
        "key_url": reverse("admin:access_apikey_change", args=[key_id]),
    }
    context = model_admin.page_context(request, "Copy the key") | page
    return TemplateResponse(request, "access/secret.html", context).render()
