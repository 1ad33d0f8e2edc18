"""Addresses of the platform's health, below /api/v1/."""

from django.urls import path

from apps.access.api import Liveness, Readiness

urlpatterns = [
    path("health", Liveness.as_view(), name="health"),
    path("health/ready", Readiness.as_view(), name="readiness"),
]
