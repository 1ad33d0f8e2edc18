"""Picks rights in the product's words: what may be done to what, by the sections of the console."""

from collections.abc import Iterable, Iterator
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import QuerySet
from django.forms.models import ModelChoiceIterator
from django.utils.text import capfirst

WORDS = {"view": "See", "add": "Add", "change": "Change", "delete": "Delete"}
ELSEWHERE = "Other"


def offered() -> QuerySet[Permission]:
    """Return the permissions that the console asks for: those of what it lists."""
    listed = [
        permission.pk
        for permission in Permission.objects.select_related("content_type")
        if _model(permission) is not None
    ]
    return Permission.objects.filter(pk__in=listed).select_related("content_type")


def words(permission: Permission) -> str:
    """Return what a permission allows, such as "See sessions" or "Revoke pool key"."""
    action = permission.codename.partition("_")[0]
    model = _model(permission)
    if (
        model is not None
        and permission.codename == f"{action}_{permission.content_type.model}"
        and action in WORDS
    ):
        return f"{WORDS[action]} {model._meta.verbose_name_plural}"  # noqa: SLF001 - Django's public name for it
    return capfirst(permission.name.removeprefix("Can "))


def section(permission: Permission) -> str:
    """Return the section of the console that a permission is about."""
    model = _model(permission)
    found = admin.site._registry.get(model) if model is not None else None  # noqa: SLF001 - there is no other way
    return str(getattr(found, "section", "") or ELSEWHERE)


def _model(permission: Permission) -> Any:
    model = permission.content_type.model_class()
    return model if model is not None and admin.site.is_registered(model) else None


def by_section(permissions: Iterable[Permission]) -> dict[str, list[str]]:
    """Return what permissions allow, in words, by the sections of the console."""
    sections: dict[str, list[str]] = {}
    for permission in permissions:
        sections.setdefault(section(permission), []).append(words(permission))
    return {name: sorted(found) for name, found in sorted(sections.items())}


class _BySection(ModelChoiceIterator):  # type: ignore[type-arg]  # generic in the stubs only
    def __iter__(self) -> Iterator[Any]:
        sections: dict[str, list[Any]] = {}
        for permission in sorted(self.queryset, key=words):
            sections.setdefault(section(permission), []).append(self.choice(permission))
        yield from sorted(sections.items())


class RightsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # likewise
    """Boxes to tick, one for each right."""

    iterator = _BySection
    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, obj: Any) -> str:
        return words(cast("Permission", obj))
