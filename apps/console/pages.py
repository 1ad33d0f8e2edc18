"""Pages of the console that are no list of records: the apps register them, the side bar shows those that one may see."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolePage:
    """A page. ``permission`` is the Django permission needed to see it; ``view`` gets the request and the page's context."""

    name: str
    title: str
    section: str
    place: int
    permission: str
    view: Callable[[HttpRequest, dict[str, Any]], HttpResponse]

    @property
    def url(self) -> str:
        """Return its address."""
        return reverse("admin:page", args=[self.name])


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    """A place in the side bar for a page that belongs to a list. ``address`` is the name of its URL."""

    name: str
    title: str
    section: str
    place: int
    permissions: tuple[str, ...]  # all of them are needed
    address: str

    @property
    def url(self) -> str:
        """Return its address."""
        return reverse(self.address)


_pages: dict[str, ConsolePage] = {}
_shortcuts: list[Shortcut] = []


def register(page: ConsolePage) -> None:
    """Add a page to the console."""
    _pages[page.name] = page


def lead_to(shortcut: Shortcut) -> None:
    """Show a page of a list in the side bar, too."""
    _shortcuts.append(shortcut)


def find(name: str) -> ConsolePage | None:
    """Return a page by its name; None where there is none."""
    return _pages.get(name)


def permitted(request: HttpRequest) -> list[ConsolePage | Shortcut]:
    """Return the pages that the user may see."""
    own = [page for page in _pages.values() if request.user.has_perm(page.permission)]
    return [*own, *(one for one in _shortcuts if request.user.has_perms(one.permissions))]
