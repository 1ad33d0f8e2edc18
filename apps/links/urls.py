"""Addresses of links, below /api/v1/."""

from django.urls import path

from apps.links.api import LinkDetail, LinkHistory, Links, LinkStateChange, LinkStatistics

urlpatterns = [
    path("links", Links.as_view(), name="links"),
    path("links/<str:link_id>", LinkDetail.as_view(), name="link"),
    path("links/<str:link_id>/state", LinkStateChange.as_view(), name="link-state"),
    path("links/<str:link_id>/history", LinkHistory.as_view(), name="link-history"),
    path("links/<str:link_id>/statistics", LinkStatistics.as_view(), name="link-statistics"),
]
