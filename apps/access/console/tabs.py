"""Tabs of persons and groups, whose pages are forms of Django's: what is related, and what was done by and to them."""

import json
from collections.abc import Sequence
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import capfirst

from apps.access.console import usage
from apps.access.users import User
from apps.console import details, people, render
from apps.console.details import Related, Subject, Tab

SHOWN = 25
LISTS = (
    ("qkd_sessions.session", "Sessions"),
    ("files.file", "Files"),
    ("files.message", "Messages"),
    ("jobs.job", "Jobs"),
    ("access.apikey", "API keys"),
)


def owned(request: HttpRequest, principal_id: str) -> Related:
    """Return where the records of a person or service are listed."""
    links = [render.list_link(request.user, target, text, owner=principal_id) for target, text in LISTS]
    return Related(title=f"Of {principal_id}", note=render.inline(links))


def changes_of(obj: Any) -> Related:
    """Return the newest changes of a user or group at the console, as Django's admin noted them."""
    kind = ContentType.objects.get_for_model(type(obj))
    found = LogEntry.objects.filter(content_type=kind, object_id=str(obj.pk)).order_by("-action_time")[:SHOWN]
    rows = [
        (render.moment(one.action_time), people.who(f"{people.PERSON}{one.user_id}"), _what(one))
        for one in found
    ]
    note = "" if rows else "Not changed at the console yet."
    return Related(title="Changes", columns=("Time", "By", "What"), rows=rows, note=note)


def _what(entry: LogEntry) -> str:
    if entry.action_flag == ADDITION:
        return "Made"
    fields = _fields(entry.change_message) if entry.action_flag == CHANGE else []
    return f"Changed: {', '.join(fields)}" if fields else "Saved without a change"


def _fields(message: str) -> list[str]:
    try:
        parts = json.loads(message)
    except ValueError:
        return []
    return [str(name).lower() for part in parts for name in part.get("changed", {}).get("fields", [])]


class Tabbed:
    """Give the pages of a ModelAdmin the tabs that every record has, and the product's words."""

    # Any: the stubs of ModelAdmin have none of these as a plain text
    change_form_template: Any = "access/record.html"
    delete_confirmation_template: Any = "access/delete.html"
    delete_selected_confirmation_template: Any = "access/delete_selected.html"

    def buttons_for(self, request: HttpRequest, obj: Any) -> list[dict[str, str]]:  # noqa: ARG002
        """Return what else can be done to the record: ``{"label", "url"}``."""
        return []

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        noun = str(self.opts.verbose_name)  # type: ignore[attr-defined]
        context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        context |= {"title": capfirst(noun) if change else f"Add a {noun}", "subtitle": None}
        if obj is not None and change:
            context |= {"name": render.spelt(str(obj)), **self._tabs(request, obj)}
        answer: HttpResponse = super().render_change_form(request, context, add, change, form_url, obj)  # type: ignore[misc]
        return answer

    def _tabs(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        tabs = [Tab.SUMMARY, *([Tab.RELATED] if isinstance(obj, User) else []), Tab.AUDIT]
        tab = Tab.of(request) if request.method == "GET" and Tab.of(request) in tabs else Tab.SUMMARY
        shown: Sequence[Related] = ()
        if tab is Tab.RELATED:
            parts = [owned(request, obj.principal_id), usage.used_this_month(obj.principal_id)]
            shown = [part for part in parts if not part.is_empty]
        elif tab is Tab.AUDIT:
            shown = [changes_of(obj), *_acts_of(request, obj)]
        return {"tab": tab, "tabs": tabs, "shown": shown, "buttons": self.buttons_for(request, obj)}

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the tab that shows what was done by and to the record."""
        del extra_context
        if not self.has_view_or_change_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"  # type: ignore[attr-defined]
        return HttpResponseRedirect(f"{reverse(name, args=[object_id])}?tab={Tab.AUDIT}")


def _acts_of(request: HttpRequest, obj: Any) -> list[Related]:
    """Return what a person did, for who may read the trail."""
    if not isinstance(obj, User) or not details.shows_trail(request):
        return []
    return [details.trail_of(request, Subject(by="actor", value=obj.principal_id), SHOWN)]
