"""Actions, each a page of its own: what each record is now, what depends on it, what is left, and the reason.

Its address is a GET, so that Back and Reload work. It is carried out once, however often the form is sent, and leads
back to where it was asked for. Rules are the services': an action calls one for each record and tells what it says.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString

from apps.common.errors import Invalid
from apps.console import kept, once
from apps.console.failures import FAILURES, problem_of
from apps.console.models import DisplayModel
from apps.console.once import Fate

MAX_SELECTED = 100  # one read and one transaction each, within one request
BACK = "back"
Facts = Sequence[tuple[str, Any]]


class ReasonForm(forms.Form):
    """Asks for the reason, which is kept in the audit trail."""

    reason = forms.CharField(
        max_length=200,
        help_text="Kept with the record and in the audit trail.",
        widget=forms.TextInput({"size": 60, "autocomplete": "off"}),
    )


class NoForm(forms.Form):
    """Asks for nothing but the confirmation."""


def _no_facts(_request: HttpRequest, _obj: DisplayModel) -> Facts:
    return ()


def _nothing_told(_request: HttpRequest, _chosen: list[DisplayModel]) -> Sequence[Any]:
    return ()


def _no_problem(
    _request: HttpRequest, _chosen: list[DisplayModel], _given: Mapping[str, Any]
) -> Sequence[str]:
    return ()


def _always(_obj: DisplayModel) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that can be done to records of a list.

    Attributes:
        name: of its address.
        label: of its button; title: of its page.
        warning: what will happen, in a sentence or two.
        button: of its page.
        done: a participle like "revoked", for the message and the history.
        permission: the part of the Django permission before the model's name, as ``StoreAdmin.allows`` takes it.
        act: calls the service with the request, a record's id and the form's data; what it returns is told too.
        form_class: what is asked for.
        destructive: its buttons are red.
        several: whether several records can be chosen for it in the list.
        offered: whether it is offered for a record in its state; the service has the last word.
        facts: of a record: its state, and what depends on it.
        left: sentences about what is left once all the chosen are done.
        problems: why the form's data cannot be accepted for these records, told before anything is done.
    """

    name: str
    label: str
    title: str
    warning: str
    button: str
    done: str
    permission: str
    act: Callable[[HttpRequest, str, dict[str, Any]], SafeString | str | None]
    form_class: type[forms.Form] = ReasonForm
    destructive: bool = True
    several: bool = True
    offered: Callable[[DisplayModel], bool] = _always
    facts: Callable[[HttpRequest, DisplayModel], Facts] = _no_facts
    left: Callable[[HttpRequest, list[DisplayModel]], Sequence[Any]] = _nothing_told
    problems: Callable[[HttpRequest, list[DisplayModel], Mapping[str, Any]], Sequence[str]] = _no_problem


class RecordAdmin(Protocol):
    """The admin of the records, as far as an action needs it."""

    admin_site: Any
    opts: Any
    record_actions: ClassVar[tuple[Action, ...]]

    def may_do(self, request: HttpRequest, action: Action) -> bool:
        """Return whether the user may ask for an action."""

    def applies(self, request: HttpRequest, obj: DisplayModel, action: Action) -> bool:
        """Return whether the user can do an action to a record as it is now."""

    def get_object(self, request: HttpRequest, object_id: str) -> DisplayModel | None:
        """Return one record, or None."""

    def list_url(self) -> str:
        """Return the URL of the list."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Note in the admin's own log that something was done."""


def address(model_admin: RecordAdmin, action: Action, ids: Sequence[str], *, back: str = "") -> str:
    """Return the address of an action's page for these records."""
    query = urlencode([*(("id", pk) for pk in ids), *([(BACK, back)] if back else [])])
    return f"{model_admin.list_url()}do/{action.name}/?{query}"


@kept.keeps_what_was_typed
def show_or_do(model_admin: RecordAdmin, request: HttpRequest, name: str) -> HttpResponse:
    """Show an action's page; once that is confirmed, carry the action out and lead back."""
    action = next((one for one in model_admin.record_actions if one.name == name), None)
    if action is None:
        raise Http404
    if not model_admin.may_do(request, action):
        raise PermissionDenied  # before anything is read
    back = _back(model_admin, request)
    if request.method == "POST" and "cancel" in request.POST and not kept.is_replayed(request):
        messages.info(request, "Nothing was changed.")
        return HttpResponseRedirect(back)
    chosen = _chosen(model_admin, request)
    if request.method != "POST" or kept.is_replayed(request):
        return _asked_first(model_admin, request, action, chosen, back)
    form = action.form_class(request.POST)
    if form.is_valid():
        for problem in action.problems(request, chosen, form.cleaned_data):
            form.add_error(None, problem)
    if not form.is_valid():
        return _page(model_admin, request, action, chosen, form, back)
    fate = once.spend(request)
    if fate is Fate.UNNOTED:
        form.add_error(None, fate.told)
        return _page(model_admin, request, action, chosen, form, back)
    if fate is not Fate.FIRST:
        messages.warning(request, fate.told)
        return HttpResponseRedirect(back)
    is_done = _carry_out(model_admin, request, action, chosen, form)
    once.note(request, Fate.DONE if is_done else Fate.REFUSED)
    return HttpResponseRedirect(back) if is_done else _page(model_admin, request, action, chosen, form, back)


def _asked_first(
    model_admin: RecordAdmin, request: HttpRequest, action: Action, chosen: list[DisplayModel], back: str
) -> HttpResponse:
    typed = kept.recalled(request) if request.method == "GET" else dict(request.POST.lists())
    initial = {name: values[-1] for name, values in typed.items() if values}
    answer = _page(model_admin, request, action, chosen, action.form_class(initial=initial), back)
    if typed and request.method == "GET":
        kept.forget(answer)
    return answer


def _back(model_admin: RecordAdmin, request: HttpRequest) -> str:
    """Where the action was asked for: a page of the console, the list unless told."""
    asked = request.POST.get(BACK) or request.GET.get(BACK) or ""
    if asked.startswith("/") and url_has_allowed_host_and_scheme(asked, allowed_hosts=None):
        return asked
    return model_admin.list_url()


def _chosen(model_admin: RecordAdmin, request: HttpRequest) -> list[DisplayModel]:
    ids = list(dict.fromkeys([*request.GET.getlist("id"), *request.POST.getlist("id")]))
    if len(ids) > MAX_SELECTED:
        raise Invalid(f"An action takes {MAX_SELECTED} records at most. Select fewer.")
    found = [model_admin.get_object(request, pk) for pk in ids]
    return [one for one in found if one is not None]


def _page(
    model_admin: RecordAdmin,
    request: HttpRequest,
    action: Action,
    chosen: list[DisplayModel],
    form: forms.Form,
    back: str,
) -> HttpResponse:
    possible = [one for one in chosen if model_admin.applies(request, one, action)]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": action.title,
        "action": action,
        "form": form,
        "records": [
            {"record": one, "facts": action.facts(request, one), "is_possible": one in possible}
            for one in chosen
        ],
        "is_possible": bool(possible),
        "left": action.left(request, possible) if possible else (),
        "once": once.new_token(),
        "opts": model_admin.opts,
        "list_url": model_admin.list_url(),
        "back": back,
    }
    return TemplateResponse(request, "console/action.html", context).render()


def _carry_out(
    model_admin: RecordAdmin,
    request: HttpRequest,
    action: Action,
    chosen: list[DisplayModel],
    form: forms.Form,
) -> bool:
    """Do it to each record; where none could be done, say why in the form, whose reason stays."""
    done, failed = 0, []
    for record in chosen:
        try:
            told = action.act(request, str(record.pk), form.cleaned_data)
        except FAILURES as error:
            detail = problem_of(error).detail
            failed.append(detail if str(record) in detail else f"{record}: {detail}")
            continue
        model_admin.log_change(request, record, f"{action.done.capitalize()}.")
        if told:
            messages.info(request, told)
        done += 1
    if not done:
        for problem in failed or ["None of the selected records exists any more."]:
            form.add_error(None, problem)
        return False
    for problem in failed:
        messages.error(request, problem)
    opts = model_admin.opts
    noun = opts.verbose_name if done == 1 else opts.verbose_name_plural
    messages.success(request, f"{done} {noun} {action.done}.")
    return True
