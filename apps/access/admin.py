"""API keys, users and groups in the console.

Nobody gives a right that they do not hold, nor edits who holds more.
"""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from apps.access import api_keys, models, people
from apps.access.console import actor_of
from apps.access.records import ApiKey, KeyStatus
from apps.access.users import User
from apps.common.dynamodb import Page, Position
from apps.console import render
from apps.console.confirmation import ReasonForm, ask_then_act
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin

TONES = {KeyStatus.ACTIVE: Tone.GOOD, KeyStatus.REVOKED: Tone.BAD}


@admin.register(models.ApiKey)
class ApiKeyAdmin(StoreAdmin):
    section, place = "Access", 1
    empty_text = "No API keys yet."
    search_fields = ("key_id",)
    search_help_text = "Exact id of a key: the part before the dot"
    list_display = ("identity", "whose", "name", "badge", "issued", "ends", "used")
    actions = ("revoke",)
    fieldsets = (
        (None, {"fields": ("whose", "name", "badge_and_why", "issued", "issuer", "ends", "used", "related")}),
        ("Limits", {"fields": ("may", "from_where")}),
    )
    identity = column("key_id", render.code, "key")
    whose = column("principal_id", str, "of")
    badge = column("status", lambda value: render.badge(value, TONES), "status")
    may = column("scopes", render.document, "limited to")
    from_where = column("networks", render.document, "networks")
    issued = column("created_at", render.moment, "created (UTC)")
    issuer = column("created_by", str, "created by")
    ends = column("expires_at", render.moment, "ends (UTC)")
    used = column("last_used_at", render.moment, "last used (UTC)")

    @admin.display(description="related")
    def related(self, obj: models.ApiKey) -> str:
        did = render.list_link(obj.viewer, "audit.entry", "Activity", actor=obj.principal_id)
        return render.inline([did])

    @admin.display(description="status")
    def badge_and_why(self, obj: models.ApiKey) -> str:
        return render.inline([render.badge(obj.status, TONES), obj.reason])

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[ApiKey]:
        del request, filters
        return api_keys.keys_page(limit=limit, position=position)

    def find(self, request: HttpRequest, object_id: str) -> ApiKey:
        del request
        return api_keys.find(object_id)

    def offers(self, obj: DisplayModel, action: str) -> bool:
        return isinstance(obj, models.ApiKey) and obj.status == KeyStatus.ACTIVE and action == "revoke"

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "revoke")

    @admin.action(description="Revoke…", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[models.ApiKey]) -> HttpResponse | None:
        return ask_then_act(
            self,
            request,
            queryset,
            lambda key_id, given: api_keys.revoke(key_id, reason=given["reason"], actor=actor_of(request)),
            title="Revoke API keys",
            warning="Refused within 30 seconds. This is permanent.",
            button="Revoke permanently",
            done="revoked",
            form_class=ReasonForm,
        )


def _check_within_rights(editor: User, form: "forms.ModelForm[Any]") -> None:
    """Refuse a form that gives what its editor does not hold; what was there before stays allowed."""
    given = form.cleaned_data
    before = form.instance
    exceeding = people.exceeding(
        editor,
        permissions=cast(
            "set[Permission]",
            _added(before, given, "user_permissions") | _added(before, given, "permissions"),
        ),
        groups=cast("set[Group]", _added(before, given, "groups")),
        superuser=bool(given.get("is_superuser")) and not _was_superuser(before),
    )
    if exceeding:
        raise ValidationError(f"You can only give rights that you hold yourself; you lack {exceeding[0]}.")


def _added(before: Any, given: dict[str, Any], name: str) -> set[Any]:
    if name not in given:
        return set()
    held = set(getattr(before, name).all()) if type(before).objects.filter(pk=before.pk).exists() else set()
    return set(given[name]) - held


def _was_superuser(before: Any) -> bool:
    return bool(before.pk and User.objects.filter(pk=before.pk, is_superuser=True).exists())


def _within_rights(base: "type[forms.ModelForm[Any]]", editor: User) -> "type[forms.ModelForm[Any]]":
    """The form, checked against what its editor holds."""

    class WithinRights(base):  # type: ignore[misc, valid-type]
        def clean(self) -> dict[str, Any] | None:
            cleaned: dict[str, Any] | None = super().clean()
            _check_within_rights(editor, self)
            return cleaned

    return WithinRights


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]
    section, place = "Access", 2

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> "type[forms.ModelForm[Any]]":  # type: ignore[override]
        return _within_rights(super().get_form(request, obj, **kwargs), cast("User", request.user))

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save a user. Who may sign in no more decides nothing any more either."""
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data:
            switch = people.enable if obj.is_active else people.disable
            switch(obj, reason="at the console", actor=actor_of(request))

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Delete a user, and end what they decide."""
        people.disable(obj, reason="their user was deleted", actor=actor_of(request))
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Delete several, one by one."""
        for user in queryset:
            self.delete_model(request, user)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_edit(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_edit(request, obj)


def _may_edit(request: HttpRequest, obj: User | None) -> bool:
    return obj is None or people.may_edit(cast("User", request.user), obj)


admin.site.unregister(Group)


@admin.register(Group)
class RoleAdmin(GroupAdmin):
    section, place = "Access", 3

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> "type[forms.ModelForm[Any]]":  # type: ignore[override]
        return _within_rights(super().get_form(request, obj, **kwargs), cast("User", request.user))

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_edit_group(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_edit_group(request, obj)


def _may_edit_group(request: HttpRequest, obj: Group | None) -> bool:
    return obj is None or people.may_edit_group(cast("User", request.user), obj)
