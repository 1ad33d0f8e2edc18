"""Any operation of the API, called by its name: how ``Operations`` and the generic commands do it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from qkdclient.api import Api
from qkdclient.catalogue import Operation, generic, operations
from qkdclient.listing import pages

Item = dict[str, Any]


def call(api: Api, operation: Operation, /, *things: str, **given: Any) -> Any:
    """Call an operation with the parts of its path, and its other fields by name; what is left out is not sent.

    Args:
        api: of the server.
        operation: what is called.
        things: the parts of its path, in order.
        given: its other fields, ``if_match`` where it changes a record, ``limit`` of a list, and ``body``: fields of
            the body as one mapping, which may have some that this version of the client does not know.

    Returns:
        The answer, with the record's ``etag``; of a list an iterator over its items.

    Raises:
        TypeError: it is not called so.
    """
    body: dict[str, Any] = {**(given.pop("body", None) or {})}
    if_match, limit = given.pop("if_match", None), given.pop("limit", None)
    _check(operation, things, given, body, if_match=if_match, limit=limit)
    parts = [field.name for field in operation.placed("path")]
    path = operation.path.format(
        **{name: quote(str(value), safe="") for name, value in zip(parts, things, strict=True)}
    )
    query = {field.name: given[field.name] for field in operation.placed("query") if field.name in given}
    body |= {field.name: given[field.name] for field in operation.placed("body") if field.name in given}
    if operation.paged:
        return pages(api, path, limit=limit, **query)
    return api.call(
        operation.method,
        path,
        body if operation.placed("body") else None,
        query=query,
        if_match=if_match,
        with_etag=True,
    )


def _check(
    operation: Operation,
    things: tuple[str, ...],
    given: Mapping[str, Any],
    body: Mapping[str, Any],
    *,
    if_match: str | None,
    limit: int | None,
) -> None:
    """Refuse a call that the operation does not know.

    Raises:
        TypeError: it does not.
    """
    parts = [field.name for field in operation.placed("path")]
    if len(things) != len(parts) or not all(map(str, things)):
        raise TypeError(f"{operation.name} takes {', '.join(parts) or 'nothing'} in its path.")
    known = set(operation.fields) - set(parts)
    if unknown := sorted(set(given) - known):
        raise TypeError(
            f"{operation.name} has no {', '.join(unknown)}. It has: {', '.join(sorted(known)) or 'nothing'}."
        )
    needed = {field.name for field in operation.fields.values() if field.required} - set(parts)
    if missing := sorted(needed - set(given) - set(body)):
        raise TypeError(f"{operation.name} needs {', '.join(missing)}.")
    if if_match is not None and not operation.etag:
        raise TypeError(f"{operation.name} has no if_match.")
    if limit is not None and not operation.paged:
        raise TypeError(f"{operation.name} has no limit.")
    if body and not operation.placed("body"):
        raise TypeError(f"{operation.name} has no body.")


def method(api: Api, group: str, name: str) -> Callable[..., Any]:
    """An operation of a group as a method: the parts of its path in order, the rest by name.

    Raises:
        AttributeError: the API has none of that name.
    """
    operation = generic().get((group, name.strip("_").replace("_", "-")))
    if operation is None:
        raise AttributeError(f"There is no {group}.{name}. All operations: list(client.operations).")
    return lambda *things, **given: call(api, operation, *things, **given)


class Part:
    """A part of the API whose operations are called as methods: ``client.links.create(link_id="a", name="A")``."""

    def __init__(self, api: Api, group: str) -> None:
        self._api, self._group = api, group

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """An operation as a method."""
        if name.startswith("_"):  # what Python looks for, such as when it copies
            raise AttributeError(name)
        return method(self._api, self._group, name)


class Operations:
    """Every operation of the API by its name in the schema, such as ``change_link``."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(operations())

    def about(self, name: str) -> Operation:
        """What an operation is called with.

        Raises:
            KeyError: the client does not know it.
        """
        return operations()[name]

    def call(self, name: str, /, *things: str, **given: Any) -> Any:
        """Call an operation: the parts of its path in order, the rest by name.

        ``if_match`` is the ``etag`` of the record as it was read: it is changed only while it is still so.

        Raises:
            KeyError: the client does not know it.
            TypeError: it is not called so.
            Problem: the platform refused.
        """
        return call(self._api, operations()[name], *things, **given)
