"""The API of named keys: pools of key pairs, and their aliases (C13)."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView, CreatingView, shown
from apps.common.dynamodb import Page
from apps.common.lists import list_response, page_of
from apps.common.serializers import StrictSerializer, parse_body
from apps.keys import pools
from apps.keys.pool_records import Pool
from apps.keys.scopes import KeyScope
from apps.keys.serializers import PoolAliasIn, PoolAliasOut, PoolIn, PoolOut, PoolPatchIn
from qkdseal.kem import Suite


class Pools(CreatingView):
    """Named keys."""

    required_scopes = {"GET": KeyScope.NAMED, "POST": KeyScope.MANAGE}
    creates = frozenset({"pool"})

    @extend_schema(responses=page_of(PoolOut), operation_id="list_pools")
    def get(self, request: Request) -> Response:
        """The named keys that the caller may use or manage, by name; all for callers with the scope owners:all.

        There are few: they come on one page.
        """

        def fetch(**_: Any) -> Page[Pool]:
            return Page(pools.visible_to(actor_of(request)))

        return list_response(request, PoolOut, fetch, query=StrictSerializer, salt="pools")

    @extend_schema(request=PoolIn, responses={201: PoolOut}, operation_id="create_pool")
    def post(self, request: Request) -> Response:
        """Make a named key. The next refill fills it."""
        body = parse_body(PoolIn, request)
        suite = Suite(body.pop("suite"))
        made = pools.make(body.pop("name"), suite=suite, actor=actor_of(request), **body)
        return shown(PoolOut, made, status=201)

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:
        return shown(PoolOut, pools.see(result["name"], actor=actor_of(request)), status=201)


class PoolDetail(ApiView):
    """One named key."""

    required_scopes = {"GET": KeyScope.NAMED, "PATCH": KeyScope.MANAGE}

    @extend_schema(responses=PoolOut, operation_id="get_pool")
    def get(self, request: Request, name: str) -> Response:
        """A named key by its name or an alias."""
        return shown(PoolOut, pools.see(name, actor=actor_of(request)))

    @extend_schema(request=PoolPatchIn, responses=PoolOut, operation_id="change_pool")
    def patch(self, request: Request, name: str) -> Response:
        """Change who may use and manage it, how it is filled and rotated, and what it is for."""
        actor = actor_of(request)
        body = parse_body(PoolPatchIn, request)
        pools.see(name, actor=actor)
        return shown(PoolOut, pools.change(name, actor=actor, reason=body.pop("reason"), **body))


class PoolAliasing(ApiView):
    """Another name of a pool."""

    required_scopes = {"PUT": KeyScope.MANAGE}

    @extend_schema(request=PoolAliasIn, responses=PoolAliasOut, operation_id="point_pool_alias")
    def put(self, request: Request, alias: str) -> Response:
        """Give a pool another name, or point that name to it instead of another pool.

        `files` and `messages` name the pool of whoever names none and is served by none.
        """
        actor = actor_of(request)
        body = parse_body(PoolAliasIn, request)
        pools.see(body["pool"], actor=actor)
        return shown(PoolAliasOut, pools.point(alias, body["pool"], reason=body["reason"], actor=actor))
