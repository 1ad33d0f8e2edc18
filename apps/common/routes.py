"""The addresses of the API: each app declares its own in ``urls.py``, below ``/api/v1/``."""

import re
from collections.abc import Iterable

from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, path, reverse

from apps.common.declarations import modules_named

V1 = "api/v1/"
URLCONF = "qkdplatform.api_urls"  # made of them
_PARAMETER = re.compile(r"<[^>]+>")


def address_of(name: str, *arguments: str) -> str:
    """Return an address of the API, looked up among its own: to look among all, Django would import the console's pages."""
    return reverse(name, urlconf=URLCONF, args=arguments)


def api_routes() -> list[URLPattern]:
    """Collect the addresses of all apps, each with its whole path."""
    return collect(route for module in modules_named("urls") for route in module.urlpatterns)


def collect(declared: Iterable[URLPattern]) -> list[URLPattern]:
    """Put addresses below the API's root.

    Raises:
        ImproperlyConfigured: two have one name, or differ at most in the names of their parameters.
    """
    routes: list[URLPattern] = []
    taken: set[str] = set()
    for route in declared:
        address = str(route.pattern)
        for one in (f"name {route.name!r}", f"address {_PARAMETER.sub('<>', address)!r}"):
            if one in taken:
                raise ImproperlyConfigured(f"Two views have the {one}.")
            taken.add(one)
        routes.append(path(V1 + address, route.callback, name=route.name))
    return routes
