"""``/metrics``: this machine's numbers for Prometheus. In the cloud they are in CloudWatch."""

from typing import ClassVar

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.access.views import ApiView
from apps.common.errors import NotFound
from apps.metrics import measuring, openmetrics, recording, sinks
from apps.metrics.scopes import MetricsScope


class MetricsPage(ApiView):
    """Every metric of the catalog that has a value."""

    required_scopes = {"GET": MetricsScope.READ}
    produces: ClassVar[tuple[str, ...]] = (
        "application/openmetrics-text",
        "text/plain",
    )

    @extend_schema(exclude=True)  # it is no part of the API: an agreement with Prometheus
    def get(self, request: Request) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """Answer in OpenMetrics."""
        if settings.METRICS != "openmetrics":
            raise NotFound("Metrics are kept in CloudWatch here, not at this address.")
        measuring.measure_if_old()
        recording.flush()
        return HttpResponse(openmetrics.text(sinks.kept()), content_type=openmetrics.CONTENT_TYPE)
