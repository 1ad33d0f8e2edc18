"""Django's ModelAdmin over records that live in DynamoDB.

The three places where the admin touches a query set are replaced: the list (``StoreChangeList``), the look-up of
one record (``get_object``) and the selection of an action. The rest is stock. Nothing is added, changed or deleted
here: what can be done to a record is a service, called by one of its ``record_actions``.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, ChangeList
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst

from apps.common.dynamodb import Page, Position
from apps.common.errors import NotFound
from apps.console import actions, details, exporting, render
from apps.console.actions import Action
from apps.console.changelist import Selection, StoreChangeList
from apps.console.details import Related, Subject, Tab
from apps.console.models import DisplayModel

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]  # generic in the stubs only
else:
    ModelAdmin = admin.ModelAdmin

ID_LIMIT = 255  # longer than any id; DynamoDB refuses keys of more than 2,048 bytes
TRAIL_SHOWN = 25
UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


class StoreAdmin(ModelAdmin):
    """List and show the records of one kind. A subclass says how they are listed and found."""

    section: ClassVar[str] = ""  # of the side bar; ``place`` orders the lists within it
    place: ClassVar[int] = 0
    empty_text: ClassVar[str] = "Nothing here yet."
    intro: ClassVar[str] = ""  # a sentence above the list
    is_whole: ClassVar[bool] = False  # the list has one page, in an order of its own
    id_pattern: ClassVar[str] = UUID  # what an id of this kind looks like: others are not looked up
    record_actions: ClassVar[tuple[Action, ...]] = ()
    unlisted: ClassVar[
        tuple[str, ...]
    ] = ()  # fields that a record's own page alone has right: no export has them
    indexed: tuple[str, ...] = ()  # the filters that have an index, the most selective first
    moment_field: ClassVar[str] = "created_at"  # the time by which the list is ordered
    search_help_text = "Exact id"
    empty_value_display = render.NONE
    list_per_page = 25
    sortable_by = ()  # the order is the index's: newest first
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    actions_selection_counter = True
    change_list_template = "console/change_list.html"
    change_form_template = "console/change_form.html"

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Any]:
        """Return one page of records; ``filters`` holds at most one of ``indexed``."""
        raise NotImplementedError

    def fits(self, record: Any, name: str, value: str) -> bool:
        """Return whether a record is one that a filter wants, by its field of the filter's name unless told."""
        return str(getattr(record, name)) == value

    def moment_of(self, record: Any) -> datetime:
        """Return the time by which the list is ordered."""
        moment: datetime = getattr(record, self.moment_field)
        return moment

    def find(self, request: HttpRequest, object_id: str) -> Any:
        """Return one record, or raise NotFound."""
        raise NotImplementedError

    def as_display(self, record: Any) -> DisplayModel:
        """Return the record as its display model."""
        model: type[DisplayModel] = self.model
        return model.of(record)

    def name_of(self, obj: DisplayModel) -> str:  # noqa: ARG002 - for subclasses
        """Return the record's name for people, where it has one beside its id."""
        return ""

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:  # noqa: ARG002
        """Return what belongs to the record."""
        return ()

    def has_versions(self, obj: DisplayModel) -> bool:  # noqa: ARG002 - for subclasses
        """Return whether the record has a tab of versions."""
        return False

    def versions_of(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:  # noqa: ARG002
        """Return the versions of the record."""
        return ()

    def subject_of(self, obj: DisplayModel) -> Subject | None:  # noqa: ARG002 - for subclasses
        """Return what the trail is asked for about the record; None where no index gives it."""
        return None

    def refresh_seconds(self, obj: DisplayModel) -> int | None:  # noqa: ARG002 - for subclasses
        """Return the seconds after which the page looks again while the record is still being processed, or None."""
        return None

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:  # noqa: ARG002 - for subclasses
        """Return the buttons above the list: ``{"label", "url"}``."""
        return []

    def display_for(self, request: HttpRequest, record: Any) -> DisplayModel:
        """Return the record as its display model, for the user who looks at it."""
        obj = self.as_display(record)
        obj.viewer = request.user
        return obj

    def find_or_none(self, request: HttpRequest, object_id: str) -> Any | None:
        """Return one record, or None."""
        if not 0 < len(object_id) <= ID_LIMIT:
            return None
        try:
            return self.find(request, object_id)
        except NotFound:
            return None

    def may_have(self, object_id: str) -> bool:
        """Return whether an id looks like one of this kind."""
        return re.fullmatch(self.id_pattern, object_id) is not None

    # Actions

    def may_do(self, request: HttpRequest, action: Action) -> bool:
        """Return whether the user may ask for an action, and see what it is about."""
        return self.has_view_permission(request) and self.allows(request, action.permission)

    def applies(self, request: HttpRequest, obj: DisplayModel, action: Action) -> bool:  # noqa: ARG002
        """Return whether the user can do an action to a record as it is now; what can only fail is not offered."""
        return action.offered(obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return the actions for several records, which the list offers; each leads to its page."""
        permitted = (one for one in self.record_actions if one.several and self.may_do(request, one))
        return {one.name: (_go_to_its_page, one.name, one.label) for one in permitted}

    def buttons_for(self, request: HttpRequest, obj: DisplayModel) -> list[dict[str, Any]]:
        """Return the actions that apply to a record, as links to their pages."""
        return [
            {
                "name": one.name,
                "label": one.label,
                "destructive": one.destructive,
                "url": actions.address(self, one, [str(obj.pk)], back=request.path),
            }
            for one in self.record_actions
            if self.may_do(request, one) and self.applies(request, obj, one)
        ]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial_of(actions.show_or_do, self))
        exported = self.admin_site.admin_view(partial_of(exporting.export_view, self))
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path("do/<str:name>/", view, name=f"{name}_do"),
            path("export/<str:format_name>/", exported, name=f"{name}_export"),
            *super().get_urls(),
        ]

    # What Django's admin asks for

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the record: its part of the trail, for who may read it, is a tab there."""
        del extra_context
        if not self.has_view_permission(request):
            raise PermissionDenied
        address = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[object_id])
        return HttpResponseRedirect(f"{address}?tab={Tab.AUDIT}")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002
        return StoreChangeList

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        try:
            return super().get_changelist_instance(request)
        except IncorrectLookupParameters as error:  # of which the admin says only that there was one
            if isinstance(why := next(iter(error.args), None), str):
                messages.warning(request, f"{capfirst(why)}.")
            raise

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return Selection(partial(self.get_object, request))  # type: ignore[return-value]  # all that is asked of it here

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> DisplayModel | None:
        del from_field
        if not self.has_view_permission(request):  # before anything is read
            raise PermissionDenied
        record = self.find_or_none(request, object_id)
        return None if record is None else self.display_for(request, record)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def allows(self, request: HttpRequest, action: str) -> bool:
        """Return whether the user holds ``<app>.<action>_<model>``, or the permission named in full."""
        permission = action if "." in action else f"{self.opts.app_label}.{action}_{self.opts.model_name}"
        return bool(request.user.has_perm(permission))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return self.allows(request, "view")

    def list_url(self) -> str:
        """Return the URL of the list."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def page_context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        """Return what a page about these records needs beside its own content."""
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST" and ACTION_CHECKBOX_NAME not in request.POST:
            messages.warning(request, "Select at least one row.")
            return HttpResponseRedirect(request.get_full_path())
        if ERROR_FLAG in request.GET:  # where the admin leads to from a filter that it does not know
            messages.warning(request, "Unknown filter ignored; showing everything.")
        context = {
            "tools": self.tools(request),
            "empty_text": self.empty_text,
            "intro": self.intro,
            "is_whole": self.is_whole,
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:  # type: ignore[override]  # the stubs have Django 6's
        """Lead to the page of the action that was chosen in the list: nothing is done by a list's form."""
        del queryset
        if request.POST.get("select_across", "0") != "0":
            raise SuspiciousOperation("Actions apply to selected rows only, never to all records.")
        chosen = list(dict.fromkeys(request.POST.getlist(ACTION_CHECKBOX_NAME)))
        if len(chosen) > actions.MAX_SELECTED:
            messages.warning(
                request,
                f"{len(chosen)} rows are selected, and an action takes {actions.MAX_SELECTED} at most. Nothing was done.",
            )
            return HttpResponseRedirect(request.get_full_path())
        wanted = request.POST.get("action")
        action = next((one for one in self.record_actions if one.name == wanted and one.several), None)
        if action is None or not self.may_do(request, action):
            messages.warning(request, "Choose an action first.")
            return None
        return HttpResponseRedirect(actions.address(self, action, chosen, back=request.get_full_path()))

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if obj is not None:
            context |= self._record_context(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _record_context(self, request: HttpRequest, obj: DisplayModel) -> dict[str, Any]:
        subject = self.subject_of(obj) if details.shows_trail(request) else None
        versions = [Tab.VERSIONS] if self.has_versions(obj) else []
        related = [Tab.RELATED] if type(self).related_to is not StoreAdmin.related_to else []
        tabs = [Tab.SUMMARY, *versions, *related, *([Tab.AUDIT] if subject else [])]
        tab = Tab.of(request) if Tab.of(request) in tabs else Tab.SUMMARY
        shown: Sequence[Related] = ()
        if tab is Tab.RELATED:
            shown = [part for part in self.related_to(request, obj) if not part.is_empty]
        elif tab is Tab.VERSIONS:
            shown = self.versions_of(request, obj)
        elif tab is Tab.AUDIT and subject:
            shown = [details.trail_of(request, subject, TRAIL_SHOWN)]
        return {
            "title": capfirst(self.opts.verbose_name),
            "name": self.name_of(obj),
            "tab": tab,
            "tabs": tabs,
            "shown": shown,
            "buttons": self.buttons_for(request, obj),
            "refresh_seconds": self.refresh_seconds(obj),
        }

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, _opts: Any, object_id: str
    ) -> HttpResponse:
        messages.warning(request, f"There is no {self.opts.verbose_name} with the id {object_id!r}.")
        return HttpResponseRedirect(self.list_url())


def partial_of(view: Any, model_admin: StoreAdmin) -> Any:
    """Return a view of this admin: ``view`` with the admin as its first argument, and its marks."""

    def of_this(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer: HttpResponse = view(model_admin, request, *args, **kwargs)
        return answer

    of_this.__dict__.update(view.__dict__)
    return of_this


def _go_to_its_page(*_: Any) -> None:
    """Stand for an action in the list of those that are offered; ``response_action`` leads to its page."""
