"""Addresses of pool keys and the policy of their pool, below /api/v1/."""

from django.urls import path

from apps.keys.api import PoolKeyDetail, PoolKeys, PoolPolicy

urlpatterns = [
    path("keys", PoolKeys.as_view(), name="pool-keys"),
    path("keys/<str:key_id>", PoolKeyDetail.as_view(), name="pool-key"),
    path("pool/policy", PoolPolicy.as_view(), name="pool-policy"),
]
