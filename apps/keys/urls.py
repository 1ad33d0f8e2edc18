"""Addresses of pool keys and the policy of their pool, below /api/v1/."""

from django.urls import path

from apps.keys.api.pool_keys import PoolKeyDetail, PoolKeys, PoolPolicy
from apps.keys.api.pools import PoolAliasing, PoolDetail, Pools

urlpatterns = [
    path("keys", PoolKeys.as_view(), name="pool-keys"),
    path("keys/<str:key_id>", PoolKeyDetail.as_view(), name="pool-key"),
    path("pools", Pools.as_view(), name="pools"),
    path("pools/<str:name>", PoolDetail.as_view(), name="pool"),
    path("pool-aliases/<str:alias>", PoolAliasing.as_view(), name="pool-alias"),
    path("pool/policy", PoolPolicy.as_view(), name="pool-policy"),
]
