"""Addresses of webhooks, below /api/v1/."""

from django.urls import path

from apps.notices.api import Deliveries, Replay, WebhookDetail, Webhooks

WEBHOOK = "webhooks/<str:webhook_id>"
urlpatterns = [
    path("webhooks", Webhooks.as_view(), name="webhooks"),
    path(WEBHOOK, WebhookDetail.as_view(), name="webhook"),
    path(f"{WEBHOOK}/deliveries", Deliveries.as_view(), name="webhook-deliveries"),
    path(f"{WEBHOOK}/deliveries/<str:notice_id>/replay", Replay.as_view(), name="webhook-replay"),
]
