"""Addresses of alerts, below /api/v1/."""

from django.urls import path

from apps.alerts.api import AlertAcknowledgement, AlertDetail, AlertEnd, Alerts, AlertTest

urlpatterns = [
    path("alerts", Alerts.as_view(), name="alerts"),
    path("alert-tests", AlertTest.as_view(), name="alert-test"),
    path("alerts/<str:alert_id>", AlertDetail.as_view(), name="alert"),
    path("alerts/<str:alert_id>/acknowledge", AlertAcknowledgement.as_view(), name="alert-acknowledge"),
    path("alerts/<str:alert_id>/end", AlertEnd.as_view(), name="alert-end"),
]
