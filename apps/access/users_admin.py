"""Users and groups of the console: nobody gives a right that they do not hold, nor edits who holds more."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from apps.access import people
from apps.access.models import User


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
