"""The health of the platform, open to everyone; it tells no more than up or not."""

from dataclasses import asdict
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.permissions import PUBLIC
from apps.access.views import ApiView
from apps.common import health


class CheckOut(serializers.Serializer[Any]):
    """One dependency."""

    name = serializers.CharField()
    ok = serializers.BooleanField()
    milliseconds = serializers.FloatField()


class LivenessOut(serializers.Serializer[Any]):
    """The process answers."""

    status = serializers.CharField()
    version = serializers.CharField()


class ReadinessOut(LivenessOut):
    """What each dependency answered."""

    checks = CheckOut(many=True)


class Liveness(ApiView):
    """Whether the process is up."""

    authentication_classes = ()
    required_scopes = {"GET": PUBLIC}

    @extend_schema(responses=LivenessOut, operation_id="health", auth=[])
    def get(self, request: Request) -> Response:  # noqa: ARG002 - Django's signature
        """Answers as long as the process runs; asks no dependency."""
        return Response({"status": "ok", "version": settings.VERSION})


class Readiness(ApiView):
    """Whether all dependencies answer."""

    authentication_classes = ()
    required_scopes = {"GET": PUBLIC}

    @extend_schema(responses={200: ReadinessOut, 503: ReadinessOut}, operation_id="readiness", auth=[])
    def get(self, request: Request) -> Response:  # noqa: ARG002 - Django's signature
        """Each dependency with its latency; 503 if one does not answer."""
        checks = health.readiness()
        ready = all(check.ok for check in checks)
        body = {
            "status": "ok" if ready else "unavailable",
            "version": settings.VERSION,
            "checks": [asdict(check) for check in checks],
        }
        return Response(body, status=200 if ready else 503)
