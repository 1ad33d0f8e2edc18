"""Lists of the API: ``?limit=&cursor=`` in, ``{"items", "next"}`` out."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common import cursors
from apps.common.dynamodb import Page, Position
from apps.common.serializers import StrictSerializer, WholeParameter, parse_query


class ListQuery(StrictSerializer):
    """The query parameters of every list; a list with filters adds fields."""

    limit = WholeParameter(min_value=1, max_value=100, default=25)
    cursor = serializers.CharField(required=False)


@cache  # one component of the schema, however many lists have it
def page_of(output: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """Return the shape of a page of ``output``, for the schema."""
    name = output.__name__.removesuffix("Out")
    return inline_serializer(
        f"{name}Page", {"items": output(many=True), "next": serializers.CharField(allow_null=True)}
    )


def list_response(
    request: Request,
    output: type[serializers.Serializer[Any]],
    fetch: Callable[..., Page[Any]],
    *,
    query: type[StrictSerializer] = ListQuery,
    salt: str,
    more: Callable[[Any], dict[str, Any]] = lambda _page: {},
) -> Response:
    """Answer with one page of a list, which ``fetch(limit=, position=, **filters)`` reads, and ``more`` of it.

    A cursor is good for the list that gave it: of this name, of this caller, with these filters.
    """
    filters = parse_query(query, request)
    cursor = filters.pop("cursor", None)
    chosen = {name: str(value) for name, value in filters.items() if name != "limit"}
    salt = json.dumps([salt, str(request.user), chosen], sort_keys=True)
    position: Position | None = cursors.load(cursor, salt)
    page = fetch(position=position, **filters)
    items = [output(record).data for record in page.records]
    return Response({"items": items, "next": cursors.dump(page.older, salt), **more(page)})
