"""Addresses of the platform's health, and of principals, credentials and grants, below /api/v1/."""

from django.urls import path

from apps.access.api.health import Liveness, Readiness
from apps.access.api.sharing import GrantDetail, Grants
from apps.access.api.who import (
    ApiKeyDetail,
    ApiKeyRevocation,
    ApiKeyRotation,
    ApiKeys,
    Groups,
    OwnUsage,
    PrincipalDetail,
    PrincipalDisabling,
    PrincipalEnabling,
    Principals,
    PrincipalUsage,
    Services,
    WhoAmI,
)

urlpatterns = [
    path("health", Liveness.as_view(), name="health"),
    path("health/ready", Readiness.as_view(), name="readiness"),
    path("whoami", WhoAmI.as_view(), name="whoami"),
    path("principals", Principals.as_view(), name="principals"),
    path("principals/<str:principal_id>", PrincipalDetail.as_view(), name="principal"),
    path("usage", OwnUsage.as_view(), name="usage"),
    path("principals/<str:principal_id>/usage", PrincipalUsage.as_view(), name="principal-usage"),
    path("principals/<str:principal_id>/disable", PrincipalDisabling.as_view(), name="principal-disable"),
    path("principals/<str:principal_id>/enable", PrincipalEnabling.as_view(), name="principal-enable"),
    path("services", Services.as_view(), name="services"),
    path("groups", Groups.as_view(), name="groups"),
    path("api-keys", ApiKeys.as_view(), name="api-keys"),
    path("api-keys/<str:key_id>", ApiKeyDetail.as_view(), name="api-key"),
    path("api-keys/<str:key_id>/rotate", ApiKeyRotation.as_view(), name="api-key-rotate"),
    path("api-keys/<str:key_id>/revoke", ApiKeyRevocation.as_view(), name="api-key-revoke"),
    path("grants", Grants.as_view(), name="grants"),
    path("grants/<str:grant_id>", GrantDetail.as_view(), name="grant"),
]
