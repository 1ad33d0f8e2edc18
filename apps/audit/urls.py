"""Addresses of the audit trail, below /api/v1/."""

from django.urls import path

from apps.audit.api import Entries, Verifications

urlpatterns = [
    path("audit", Entries.as_view(), name="audit"),
    path("audit/verifications", Verifications.as_view(), name="audit-verifications"),
]
