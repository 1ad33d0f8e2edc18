"""What the parts of the API have in common: each is an attribute of the client, and a group of commands."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from qkdclient import calling
from qkdclient.api import Api
from qkdclient.listing import pages

Item = dict[str, Any]


class Resource:
    """A part of the API. Every method raises ``Problem`` if the platform refuses.

    What a part has no method for is called as the catalogue says: ``client.pools.change("default", about="…")``.
    """

    _group: ClassVar[str] = ""  # of commands; each part names its own

    def __init__(self, api: Api) -> None:
        self._api = api

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """An operation that only the catalogue knows."""
        if name.startswith("_"):
            raise AttributeError(name)
        return calling.method(self._api, self._group, name)

    def _get(self, path: str, **query: Any) -> Item:
        found: Item = self._api.call("GET", path, query=query, with_etag=True)
        return found

    def _post(self, path: str, **body: Any) -> Item:
        """POST what is given; what is None is left out."""
        told = {name: value for name, value in body.items() if value is not None}
        made: Item = self._api.call("POST", path, told)
        return made

    def _pages(self, path: str, *, limit: int | None, **filters: Any) -> Iterator[Item]:
        return pages(self._api, path, limit=limit, **filters)
