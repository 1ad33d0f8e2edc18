"""Persons and roles in the console. Nobody gives a right that they do not hold, nor edits who holds more."""

import uuid
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst

from apps.access import people, principals, ready_roles, recorded_changes, second_factors
from apps.access.console import actor_of, picker, usage
from apps.access.console.links import reset_link
from apps.access.console.tabs import Tabbed
from apps.access.records import Principal
from apps.access.roles import Role
from apps.access.trail import UserEvent
from apps.access.users import User
from apps.audit.services import record
from apps.console import render, seen

ROLES = [("", "Decides nothing"), *((role.value, role.value.capitalize()) for role in Role)]

LABELS = {
    "is_active": (
        "Active",
        "Who is not signs in no more, and none of their API keys works. Take it away instead of deleting who leaves.",
    ),
    "is_staff": (
        "May use the console",
        "Without it they may sign in, but no page opens. What they may do at the API stays.",
    ),
}


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


def _told(form: "forms.ModelForm[Any]") -> dict[str, Any]:
    """Return what the user or group of a form is now. A password has a page of its own."""
    return {name: form.initial.get(name) for name in form.fields if name != "password"}


def _within_rights(base: "type[forms.ModelForm[Any]]", editor: User) -> "type[forms.ModelForm[Any]]":
    """The form, checked against what its editor holds."""

    class WithinRights(base):  # type: ignore[misc, valid-type]
        @property
        def seen(self) -> str:
            """The marks of what the page shows, for its template."""
            return "" if self.instance._state.adding else seen.marks(_told(self))  # noqa: SLF001 - Django's documented API

        def clean(self) -> dict[str, Any] | None:
            cleaned: dict[str, Any] | None = super().clean()
            now = _told(self)
            others = seen.changed(self.data.get(seen.FIELD, ""), now)
            if others:
                raise ValidationError(seen.problem_of(self, others, now))
            _check_within_rights(editor, self)
            return cleaned

    return WithinRights


class ByRole(admin.RelatedFieldListFilter):
    """A filter by the ready role, or by a group of rights that was made here."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.title = "role"


class RecordedChanges:
    """Write into the trail what the admin writes into its log; both are undone together with the change."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Title the list with what it lists."""
        title = {"title": capfirst(self.opts.verbose_name_plural)}  # type: ignore[attr-defined]
        answer: HttpResponse = super().changelist_view(request, title | (extra_context or {}))  # type: ignore[misc]
        return answer

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        recorded_changes.record_made(obj, actor=actor_of(request))
        return super().log_addition(request, obj, message)  # type: ignore[misc]

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        recorded_changes.record_changed(obj, message, actor=actor_of(request))
        return super().log_change(request, obj, message)  # type: ignore[misc]

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for removed in queryset:
            recorded_changes.record_removed(removed, actor=actor_of(request))
        return super().log_deletions(request, queryset)  # type: ignore[misc]


class PersonForm(UserChangeForm):  # type: ignore[type-arg]
    """A user together with what their principal decides."""

    role = forms.ChoiceField(
        choices=ROLES,
        required=False,
        help_text="What the person may do, here and at the API. Changes need as much of whoever makes them.",
    )
    approves = forms.BooleanField(
        required=False, help_text="May be the second person, who approves what another asked for."
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for name, (label, told) in LABELS.items():
            if name in self.fields:  # not for who may only look
                self.fields[name].label, self.fields[name].help_text = label, told
        found = _principal(self.instance)
        if found is not None:
            self.initial["role"], self.initial["approves"] = found.role.value, found.approver

    def clean(self) -> dict[str, Any] | None:
        """Refuse what would be dropped without a word: to decide nothing any more, and to approve without a role."""
        given: dict[str, Any] | None = super().clean()
        if given is not None and not given.get("role"):
            if self.initial.get("role") and "role" in given and given.get("is_active"):
                self.add_error("role", "Who was admitted keeps a role. Choose Viewer, or take Active away.")
            elif given.get("approves"):
                self.add_error("role", "Who approves needs a role.")
        return given


def _principal(user: User) -> Principal | None:
    return principals.find_all(user.principal_id).get(user.principal_id)


@admin.register(User)
class PersonAdmin(Tabbed, RecordedChanges, UserAdmin):  # type: ignore[type-arg]
    section, place = "Access", 2
    form = PersonForm
    add_form_template = "access/add_person.html"
    change_user_password_template = "access/set_password.html"  # noqa: S105 - a template
    list_display = ("username", "email", "first_name", "last_name", "is_active", "signed_in")
    list_filter = ("is_active", ("groups", ByRole))
    show_facets = admin.ShowFacets.NEVER
    search_help_text = "Name or e-mail address"
    empty_value_display = render.NONE
    readonly_fields = ("signed_in", "joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Role", {"fields": ("role", "approves", "is_active", "is_staff")}),
        (
            "Rights beside the role, at the console only",
            {"fields": ("groups", "user_permissions", "is_superuser"), "classes": ("collapse",)},
        ),
        ("Dates", {"fields": ("signed_in", "joined")}),
    )

    def buttons_for(self, request: HttpRequest, obj: User) -> list[dict[str, str]]:
        """Return what can be done to a person beside changing them."""
        if not self.has_change_permission(request, obj):
            return []
        return [
            {"label": "Link to set a password…", "url": reverse("admin:access_user_link", args=[obj.pk])},
            {"label": "Quotas…", "url": usage.address(obj.principal_id)},
            {"label": "Remove second factors…", "url": reverse("admin:access_user_factors", args=[obj.pk])},
        ]

    @admin.display(description="last sign-in", ordering="last_login")
    def signed_in(self, obj: User) -> Any:
        return render.moment(obj.last_login)

    @admin.display(description="created")
    def joined(self, obj: User) -> Any:
        return render.moment(obj.date_joined)

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> "type[forms.ModelForm[Any]]":  # type: ignore[override]
        return _within_rights(super().get_form(request, obj, **kwargs), cast("User", request.user))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave the password out for who may not change the person: its field shows a way to do so."""
        shown = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return shown
        return [
            (title, {**options, "fields": tuple(name for name in options["fields"] if name != "password")})
            for title, options in shown
        ]

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer rights in words, and the groups that the role does not rule already."""
        if db_field.name == "user_permissions":
            return picker.RightsField(queryset=picker.offered(), required=False, label="Single rights")
        if db_field.name == "groups":
            kwargs["queryset"] = Group.objects.exclude(name__in=ready_roles.GROUPS.values())
            kwargs["help_text"] = "Groups of rights that were made here; the ready ones follow the role."
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save a user, and what they decide. Who may sign in no more decides nothing any more either."""
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data:
            switch = people.enable if obj.is_active else people.disable
            switch(obj, reason="at the console", actor=actor_of(request))
        if form.cleaned_data.get("role") and {"role", "approves"} & set(form.changed_data):
            people.decide(
                obj,
                role=Role(form.cleaned_data["role"]),
                approver=form.cleaned_data["approves"],
                actor=actor_of(request),
            )
        if form.cleaned_data.get("role") and obj.is_active and not obj.is_staff:
            messages.warning(request, f"{obj} has a role, but may not use the console: tick that, too.")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save groups; the ready role's stays, which the form does not offer."""
        ready = list(form.instance.groups.filter(name__in=ready_roles.GROUPS.values())) if change else []
        super().save_related(request, form, formsets, change)
        form.instance.groups.add(*ready)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<id>/password-link/", view(self.link_view), name="access_user_link"),
            path("<id>/factors/", view(self.factors_view), name="access_user_factors"),
            *super().get_urls(),
        ]

    def link_view(self, request: HttpRequest, id: str) -> HttpResponse:  # noqa: A002 - Django's name
        """Make a link by which somebody sets their password, and show it once."""
        user = self._editable(request, id)
        link = None
        if request.method == "POST":
            record(actor_of(request), UserEvent.RESET_LINK, user=user.principal_id)
            link = reset_link(user)
        return self._page(request, user, "Link to set a password", link=link, way="link")

    def factors_view(self, request: HttpRequest, id: str) -> HttpResponse:  # noqa: A002 - Django's name
        """Remove the second factors of somebody who lost them."""
        user = self._editable(request, id)
        if request.method != "POST":
            return self._page(request, user, "Remove second factors", way="factors")
        count = second_factors.remove_all(user)
        messages.success(request, f"Removed {count} second factors and sets of codes of {user.username}.")
        return HttpResponseRedirect(reverse("admin:access_user_change", args=[user.pk]))

    def _editable(self, request: HttpRequest, identifier: str) -> User:
        user = get_object_or_404(User.objects.filter(pk=_uuid(identifier)))
        if not self.has_change_permission(request, user):
            raise PermissionDenied
        return user

    def _page(self, request: HttpRequest, user: User, title: str, **context: Any) -> HttpResponse:
        shown = {
            **self.admin_site.each_context(request),
            "title": title,
            "person": user,
            "opts": self.opts,
            "has_factor": second_factors.has_one(user),
            **context,
        }
        answer = TemplateResponse(request, "access/person_action.html", shown)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 - Django's name
        """Set another's password, and record it, or neither."""
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)

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


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Http404 from None


def _may_edit(request: HttpRequest, obj: User | None) -> bool:
    return obj is None or people.may_edit(cast("User", request.user), obj)


admin.site.unregister(Group)
# Django's groups give persons rights at the console; the groups of principals own records
Group._meta.verbose_name, Group._meta.verbose_name_plural = "role", "roles"  # noqa: SLF001 - Django's public name for it


@admin.register(Group)
class RoleAdmin(Tabbed, RecordedChanges, GroupAdmin):
    section, place = "Access", 3
    search_help_text = "Name"
    readonly_fields = ("rights",)

    @admin.display(description="rights")
    def rights(self, obj: Group) -> Any:
        return render.document(picker.by_section(obj.permissions.select_related("content_type")))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show who may only look the rights in words."""
        changes = obj is None or self.has_change_permission(request, obj)
        return ("name", "permissions" if changes else "rights")

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> "type[forms.ModelForm[Any]]":  # type: ignore[override]
        return _within_rights(super().get_form(request, obj, **kwargs), cast("User", request.user))

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any
    ) -> Any:
        """Offer rights in words."""
        if db_field.name == "permissions":
            return picker.RightsField(queryset=picker.offered(), required=False, label="Rights")
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_edit_group(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_edit_group(request, obj)


def _may_edit_group(request: HttpRequest, obj: Group | None) -> bool:
    if obj is None:
        return True
    return not ready_roles.is_ready(obj) and people.may_edit_group(cast("User", request.user), obj)
