"""Lists of the API, page by page."""

from collections.abc import Iterator
from typing import Any

from qkdclient.api import Api

PAGE = 100


def pages(api: Api, path: str, *, limit: int | None = None, **filters: Any) -> Iterator[dict[str, Any]]:
    """The items of a list, newest first, at most ``limit``; pages are fetched as they are needed."""
    cursor, left = None, limit
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        page = api.call("GET", path, query={**filters, "limit": size, "cursor": cursor})
        yield from page["items"]
        left = None if left is None else left - len(page["items"])
        cursor = page["next"]
        if cursor is None:
            return
