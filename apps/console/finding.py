"""The search box of the header: any whole id, or the beginning of a name.

Ids are looked up by the lists themselves, each only where the text looks like one of its own. Names are looked up by
what the apps register, by an index or among what is in memory already.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import HttpRequest
from django.urls import reverse

from apps.console.render import spelt
from apps.console.store_admin import ID_LIMIT, StoreAdmin

MOST = 50  # hits on a page


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A record that was found: where it is shown, and how it is called."""

    url: str
    label: str
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What finds records by the beginning of their name. ``permission`` is needed to see any of them."""

    permission: str
    find: Callable[[HttpRequest, str], Iterable[Hit]]


_names: list[Names] = []


def register(names: Names) -> None:
    """Let the search box find records by their names."""
    _names.append(names)


def by_id(request: HttpRequest, text: str, admins: Mapping[Any, Any]) -> Iterator[Hit]:
    """Yield the records that have this id."""
    for model_admin in admins.values():
        if not isinstance(model_admin, StoreAdmin) or not model_admin.may_have(text):
            continue
        if not model_admin.has_view_permission(request):
            continue
        found = model_admin.get_object(request, text)
        if found is not None:
            kind = str(model_admin.opts.verbose_name)
            yield Hit(
                url=url_of(model_admin, str(found.pk)),
                label=text,
                kind=kind,
                detail=spelt(model_admin.name_of(found)),
            )


def by_name(request: HttpRequest, text: str) -> Iterator[Hit]:
    """Yield the records whose name begins with a text, whatever its case."""
    for names in _names:
        if _may(request.user, names.permission):
            yield from names.find(request, text)


def find(request: HttpRequest, text: str, admins: Mapping[Any, Any]) -> list[Hit]:
    """Return what an id, or the beginning of a name, finds."""
    if not 0 < len(text) <= ID_LIMIT or "\x00" in text:
        return []
    found = list(by_id(request, text, admins))
    return found or list(islice(by_name(request, text), MOST))


def begins(name: str, text: str) -> bool:
    """Return whether a name begins with what was typed, whatever its case."""
    return name.casefold().startswith(text.casefold())


def url_of(model_admin: StoreAdmin, pk: str) -> str:
    """Return where a record is shown."""
    opts = model_admin.opts
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[pk])


def _may(user: AbstractBaseUser | AnonymousUser, permission: str) -> bool:
    return bool(user.has_perm(permission))  # type: ignore[union-attr]  # staff only get here
