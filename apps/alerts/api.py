"""The API of alerts."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView, shown
from apps.alerts import services
from apps.alerts.records import AlertStatus
from apps.alerts.scopes import AlertScope
from apps.alerts.serializers import AlertListQuery, AlertOut
from apps.common.lists import list_response, page_of


class Alerts(ApiView):
    """What somebody has to know."""

    required_scopes = {"GET": AlertScope.READ}

    @extend_schema(parameters=[AlertListQuery], responses=page_of(AlertOut), operation_id="list_alerts")
    def get(self, request: Request) -> Response:
        """Alerts, those raised last first; all, or of one status."""

        def fetch(*, status: str | None = None, **more: Any) -> Any:
            return services.listed(status=AlertStatus(status) if status else None, **more)

        return list_response(request, AlertOut, fetch, query=AlertListQuery, salt="alerts")


class AlertDetail(ApiView):
    """One alert."""

    required_scopes = {"GET": AlertScope.READ}

    @extend_schema(responses=AlertOut, operation_id="get_alert")
    def get(self, request: Request, alert_id: str) -> Response:  # noqa: ARG002 - Django's signature
        """An alert by its id."""
        return shown(AlertOut, services.find(alert_id))


class AlertAcknowledgement(ApiView):
    """An alert that somebody takes on."""

    required_scopes = {"POST": AlertScope.MANAGE}

    @extend_schema(request=None, responses=AlertOut, operation_id="acknowledge_alert")
    def post(self, request: Request, alert_id: str) -> Response:
        """Acknowledge an open alert: it is escalated no more."""
        return shown(AlertOut, services.acknowledge(alert_id, actor=actor_of(request)))


class AlertEnd(ApiView):
    """An alert whose condition holds no more."""

    required_scopes = {"POST": AlertScope.MANAGE}

    @extend_schema(request=None, responses=AlertOut, operation_id="end_alert")
    def post(self, request: Request, alert_id: str) -> Response:
        """Say that an alert is over: noticed again, it is sent again."""
        return shown(AlertOut, services.end(alert_id, actor=actor_of(request)))


class AlertTest(ApiView):
    """An alert that tries the way."""

    required_scopes = {"POST": AlertScope.MANAGE}

    @extend_schema(request=None, responses=AlertOut, operation_id="test_alert")
    def post(self, request: Request) -> Response:
        """Send a test alert, in quiet hours too; `sent_at` says whether the topic took it."""
        return shown(AlertOut, services.try_way(actor=actor_of(request)))
