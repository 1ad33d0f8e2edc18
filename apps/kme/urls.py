"""Addresses of the applications that keys are delivered to, below /api/v1/. Those of the standard are api/etsi014.py's."""

from django.urls import path

from apps.kme.api.saes import SaeDetail, SaeRevocation, Saes

urlpatterns = [
    path("saes", Saes.as_view(), name="saes"),
    path("saes/<str:sae_id>", SaeDetail.as_view(), name="sae"),
    path("saes/<str:sae_id>/revoke", SaeRevocation.as_view(), name="sae-revoke"),
]
