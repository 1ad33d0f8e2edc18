"""Addresses of detections, below /api/v1/."""

from django.urls import path

from apps.detections.api import DetectionDetail, Detections

urlpatterns = [
    path("detections", Detections.as_view(), name="detections"),
    path("detections/<str:session_id>", DetectionDetail.as_view(), name="detection"),
]
