"""The API of the key pool."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.records import Scope
from apps.access.views import ApiView
from apps.common.lists import listed, page_of
from apps.keys import services
from apps.keys.records import KeyState
from apps.keys.serializers import PoolKeyListQuery, PoolKeyOut


class PoolKeys(ApiView):
    """The pool."""

    required_scopes = {"GET": Scope.KEYS_READ}

    @extend_schema(
        parameters=[PoolKeyListQuery], responses=page_of(PoolKeyOut), operation_id="list_pool_keys"
    )
    def get(self, request: Request) -> Response:
        """Pool keys, newest first."""

        def fetch(*, state: str | None = None, **filters: Any) -> Any:
            return services.listed(state=KeyState(state) if state else None, **filters)

        return listed(request, PoolKeyOut, fetch, query=PoolKeyListQuery, salt="pool-keys")


class PoolKeyDetail(ApiView):
    """One pool key."""

    required_scopes = {"GET": Scope.KEYS_READ}

    @extend_schema(responses=PoolKeyOut, operation_id="get_pool_key")
    def get(self, request: Request, key_id: str) -> Response:  # noqa: ARG002 - Django's signature
        """A pool key's public half and its life."""
        return Response(PoolKeyOut(services.find(key_id)).data)
