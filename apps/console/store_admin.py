"""Django's ModelAdmin over records that live in DynamoDB.

The three places where the admin touches a query set are replaced: the list (``StoreChangeList``), the look-up of
one record (``get_object``) and the selection of an action (``Selection``). The rest is stock. Nothing is added,
changed or deleted here: what can be done to a record is a service, called by an action.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ERROR_FLAG, ChangeList
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import capfirst

from apps.common.dynamodb import Page, Position
from apps.common.errors import NotFound
from apps.console.changelist import Selection, StoreChangeList
from apps.console.models import DisplayModel

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]  # generic in the stubs only
else:
    ModelAdmin = admin.ModelAdmin

ID_LIMIT = 255  # longer than any id; DynamoDB refuses keys of more than 2,048 bytes


class StoreAdmin(ModelAdmin):
    """List and show the records of one kind. A subclass says how they are listed and found."""

    section: ClassVar[str] = ""  # of the side bar; ``place`` orders the lists within it
    place: ClassVar[int] = 0
    empty_text: ClassVar[str] = "Nothing here yet."
    search_help_text = "Exact id"
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
        """Return one page of records; ``filters`` holds at most one of ``list_filter``'s parameters."""
        raise NotImplementedError

    def find(self, request: HttpRequest, object_id: str) -> Any:
        """Return one record, or raise NotFound."""
        raise NotImplementedError

    def as_display(self, record: Any) -> DisplayModel:
        """Return the record as its display model."""
        model: type[DisplayModel] = self.model
        return model.of(record)

    def refresh_seconds(self, obj: DisplayModel) -> int | None:  # noqa: ARG002 - for subclasses
        """Return the seconds after which the page reloads while the record is still being processed, or None."""
        return None

    def offers(self, obj: DisplayModel, action: str) -> bool:  # noqa: ARG002 - for subclasses
        """Return whether to offer an action for a record in its state; the service has the last word."""
        return True

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

    # What Django's admin asks for

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002
        return StoreChangeList

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
        """Return whether the user holds ``<app>.<action>_<model>``."""
        permission = f"{self.opts.app_label}.{action}_{self.opts.model_name}"
        return bool(request.user.has_perm(permission))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return self.allows(request, "view")

    def list_url(self) -> str:
        """Return the URL of the list."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST" and ACTION_CHECKBOX_NAME not in request.POST:
            messages.warning(request, "Select at least one row.")
            return HttpResponseRedirect(request.get_full_path())
        if ERROR_FLAG in request.GET:  # where the admin leads to from a filter that it does not know
            messages.warning(request, "Unknown filter ignored; showing everything.")
        context = {"tools": self.tools(request), "empty_text": self.empty_text}
        return super().changelist_view(request, context | (extra_context or {}))

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:  # type: ignore[override]  # the stubs have Django 6's
        if request.POST.get("select_across", "0") != "0":
            raise SuspiciousOperation("Actions apply to selected rows only, never to all records.")
        return super().response_action(request, queryset)

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
            context |= {
                "title": capfirst(self.opts.verbose_name),
                "buttons": self._buttons(request, obj),
                "refresh_seconds": self.refresh_seconds(obj),
            }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _buttons(self, request: HttpRequest, obj: DisplayModel) -> list[dict[str, Any]]:
        """Return the list's actions that apply to the record of the page."""
        offered = [
            (name, action) for name, action in self.get_actions(request).items() if self.offers(obj, name)
        ]
        return [{"name": name, "label": str(action[2])} for name, action in offered if action]

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, _opts: Any, object_id: str
    ) -> HttpResponse:
        messages.warning(request, f"There is no {self.opts.verbose_name} with the id {object_id!r}.")
        return HttpResponseRedirect(self.list_url())
