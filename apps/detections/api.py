"""The API of detections."""

from functools import partial

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView, shown
from apps.common.lists import list_response, page_of
from apps.detections import services
from apps.detections.scopes import DetectionScope
from apps.detections.serializers import DetectionListQuery, DetectionOut


class Detections(ApiView):
    """Verdicts on the caller's sessions, or on all for callers with the scope owners:all."""

    required_scopes = {"GET": DetectionScope.READ}

    @extend_schema(
        parameters=[DetectionListQuery], responses=page_of(DetectionOut), operation_id="list_detections"
    )
    def get(self, request: Request) -> Response:
        """Detections, newest first."""
        fetch = partial(services.listed, actor=actor_of(request))
        return list_response(request, DetectionOut, fetch, query=DetectionListQuery, salt="detections")


class DetectionDetail(ApiView):
    """The verdict on one session."""

    required_scopes = {"GET": DetectionScope.READ}

    @extend_schema(responses=DetectionOut, operation_id="get_detection")
    def get(self, request: Request, session_id: str) -> Response:
        """The latest verdict; 404 until there is one."""
        return shown(DetectionOut, services.find(session_id, actor=actor_of(request)))
