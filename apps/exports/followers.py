"""The trail's exports, where they are asked for."""

from django.conf import settings

from apps.exports import analytics, siem
from apps.following.records import Follower

FOLLOWERS = [
    Follower("siem", siem.take, active=lambda: bool(settings.SIEM_EXPORT)),
    Follower("analytics", analytics.take, active=lambda: bool(settings.ANALYTICS_EXPORT)),
]
