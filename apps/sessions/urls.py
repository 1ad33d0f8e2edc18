"""Addresses of sessions, batches and the stock, below /api/v1/."""

from django.urls import path

from apps.sessions.api import (
    Batches,
    Generate,
    SessionDetail,
    SessionRevocation,
    Sessions,
    StockDetail,
    TakenKeys,
)

urlpatterns = [
    path("qkd/generate", Generate.as_view(), name="generate"),
    path("qkd/batches", Batches.as_view(), name="batches"),
    path("qkd/sessions", Sessions.as_view(), name="sessions"),
    path("qkd/session/<str:session_id>", SessionDetail.as_view(), name="session"),
    path("qkd/session/<str:session_id>/revoke", SessionRevocation.as_view(), name="session-revoke"),
    path("qkd/session/<str:session_id>/keys", TakenKeys.as_view(), name="session-keys"),
    path("qkd/stock", StockDetail.as_view(), name="stock"),
]
