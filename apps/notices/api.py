"""The API of webhooks."""

from functools import partial

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView, shown
from apps.common.lists import ListQuery, list_response, page_of
from apps.common.serializers import parse_body
from apps.notices import services
from apps.notices.scopes import WebhookScope
from apps.notices.serializers import DeliveryOut, NewWebhookOut, WebhookIn, WebhookOut


class Webhooks(ApiView):
    """Addresses that are told of domain events."""

    required_scopes = {"GET": WebhookScope.READ, "POST": WebhookScope.MANAGE}

    @extend_schema(parameters=[ListQuery], responses=page_of(WebhookOut), operation_id="list_webhooks")
    def get(self, request: Request) -> Response:
        """Webhooks, the newest first, ended ones among them."""
        return list_response(request, WebhookOut, services.listed, salt="webhooks")

    @extend_schema(request=WebhookIn, responses={201: NewWebhookOut}, operation_id="make_webhook")
    def post(self, request: Request) -> Response:
        """Make a webhook; the answer alone has its secret."""
        made, secret = services.make(actor=actor_of(request), **parse_body(WebhookIn, request))
        return shown(NewWebhookOut, made, status=201, secret=secret)


class WebhookDetail(ApiView):
    """One webhook."""

    required_scopes = {"GET": WebhookScope.READ, "DELETE": WebhookScope.MANAGE}

    @extend_schema(responses=WebhookOut, operation_id="get_webhook")
    def get(self, request: Request, webhook_id: str) -> Response:  # noqa: ARG002 - Django's signature
        """A webhook by its id."""
        return shown(WebhookOut, services.find(webhook_id))

    @extend_schema(responses={200: WebhookOut}, operation_id="end_webhook")
    def delete(self, request: Request, webhook_id: str) -> Response:
        """End a webhook: it is told nothing more, what is pending included."""
        return shown(WebhookOut, services.end(webhook_id, actor=actor_of(request)))


class Deliveries(ApiView):
    """What a webhook was told."""

    required_scopes = {"GET": WebhookScope.READ}

    @extend_schema(parameters=[ListQuery], responses=page_of(DeliveryOut), operation_id="list_deliveries")
    def get(self, request: Request, webhook_id: str) -> Response:
        """Deliveries of the last 30 days, the newest first."""
        fetch = partial(services.deliveries, webhook_id)
        return list_response(request, DeliveryOut, fetch, salt=f"deliveries to {webhook_id}")


class Replay(ApiView):
    """A delivery once more."""

    required_scopes = {"POST": WebhookScope.MANAGE}

    @extend_schema(request=None, responses=DeliveryOut, operation_id="replay_delivery")
    def post(self, request: Request, webhook_id: str, notice_id: str) -> Response:
        """Send a delivery again now; `state` says whether the address took it, else it is tried again later."""
        return shown(DeliveryOut, services.replay(webhook_id, notice_id, actor=actor_of(request)))
