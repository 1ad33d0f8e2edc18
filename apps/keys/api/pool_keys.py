"""The API of the key pool."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView, CreatingView, shown
from apps.common.lists import list_response, page_of
from apps.common.serializers import parse_body
from apps.custody import retirement
from apps.keys import services, slots, transfer
from apps.keys.pool_records import DEFAULT_POOL
from apps.keys.records import KeyState
from apps.keys.scopes import KeyScope
from apps.keys.serializers import ImportIn, MinimumIn, MinimumOut, PoolKeyListQuery, PoolKeyOut
from qkdseal.kem import Suite


class PoolKeys(CreatingView):
    """The pool."""

    required_scopes = {"GET": KeyScope.READ, "POST": KeyScope.MANAGE}
    creates = frozenset({"pool key"})

    @extend_schema(
        parameters=[PoolKeyListQuery], responses=page_of(PoolKeyOut), operation_id="list_pool_keys"
    )
    def get(self, request: Request) -> Response:
        """Pool keys, newest first."""

        def fetch(*, state: str | None = None, **filters: Any) -> Any:
            return services.keys_page(state=KeyState(state) if state else None, **filters)

        return list_response(request, PoolKeyOut, fetch, query=PoolKeyListQuery, salt="pool-keys")

    @extend_schema(request=ImportIn, responses={201: PoolKeyOut}, operation_id="import_pool_key")
    def post(self, request: Request) -> Response:
        """Import a key pair by its seed. It is used once it is activated."""
        body = parse_body(ImportIn, request)
        suite = Suite(body.pop("suite"))
        key = transfer.import_pair(body.pop("seed"), suite=suite, actor=actor_of(request), **body)
        return shown(PoolKeyOut, key, status=201)

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:  # noqa: ARG002 - as declared
        return shown(PoolKeyOut, services.find(result["key_id"]), status=201)


class PoolPolicy(ApiView):
    """The minimum version of a pool."""

    required_scopes = {"GET": KeyScope.READ, "POST": KeyScope.MANAGE}

    @extend_schema(responses=MinimumOut, operation_id="get_pool_policy")
    def get(self, request: Request) -> Response:  # noqa: ARG002 - Django's signature
        """The default pool: the version of new keys, the lowest that still opens, and what waits below it."""
        return Response(MinimumOut(retirement.minimum_of(DEFAULT_POOL)).data)

    @extend_schema(request=MinimumIn, responses=MinimumOut, operation_id="set_minimum_version")
    def post(self, request: Request) -> Response:
        """Set a pool's minimum version: keys below it are rotated, and open only so that files can be re-wrapped.

        While messages are sealed to them, the loss of these has to be confirmed. Lowered, the keys open again.
        """
        body = parse_body(MinimumIn, request)
        after = retirement.set_minimum(body.pop("minimum"), actor=actor_of(request), **body)
        return Response(MinimumOut(after).data)


class PoolKeyDetail(ApiView):
    """One pool key."""

    required_scopes = {"GET": KeyScope.READ}

    @extend_schema(responses=PoolKeyOut, operation_id="get_pool_key")
    def get(self, request: Request, key_id: str) -> Response:  # noqa: ARG002 - Django's signature
        """A pool key's public half and its life."""
        return shown(PoolKeyOut, slots.counted(services.find(key_id)))
