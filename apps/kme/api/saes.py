"""The API of the applications that keys are delivered to."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView, CreatingView, shown
from apps.common.lists import ListQuery, list_response, page_of
from apps.common.serializers import parse_body
from apps.kme import saes
from apps.kme.scopes import SaeScope
from apps.kme.serializers import SaeIn, SaeOut, SaePatchIn, SaeRevocationIn


class Saes(CreatingView):
    """Applications of ETSI GS QKD 014 (SAEs)."""

    required_scopes = {"GET": SaeScope.READ, "POST": SaeScope.MANAGE}
    creates = frozenset({"sae"})

    @extend_schema(parameters=[ListQuery], responses=page_of(SaeOut), operation_id="list_saes")
    def get(self, request: Request) -> Response:
        """Applications that keys are delivered to, newest first."""
        return list_response(request, SaeOut, saes.listed, salt="saes")

    @extend_schema(request=SaeIn, responses={201: SaeOut}, operation_id="register_sae")
    def post(self, request: Request) -> Response:
        """Register an application, with its certificates and what it may ask for."""
        body = parse_body(SaeIn, request)
        made = saes.register(
            body.pop("sae_id"), principal_id=body.pop("principal", None), actor=actor_of(request), **body
        )
        return shown(SaeOut, made, status=201)

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:  # noqa: ARG002 - as declared
        return shown(SaeOut, saes.find(result["sae_id"]), status=201)


class SaeDetail(ApiView):
    """One application."""

    required_scopes = {"GET": SaeScope.READ, "PATCH": SaeScope.MANAGE}

    @extend_schema(responses=SaeOut, operation_id="get_sae")
    def get(self, request: Request, sae_id: str) -> Response:  # noqa: ARG002 - Django's signature
        """An application: its certificates, and what it may ask for."""
        return shown(SaeOut, saes.find(sae_id))

    @extend_schema(request=SaePatchIn, responses=SaeOut, operation_id="change_sae")
    def patch(self, request: Request, sae_id: str) -> Response:
        """Change its certificates, its peers and its quota; they hold from its next request on."""
        body = parse_body(SaePatchIn, request)
        return shown(SaeOut, saes.change(sae_id, actor=actor_of(request), **body))


class SaeRevocation(ApiView):
    """An application that nothing is delivered to any more."""

    required_scopes = {"POST": SaeScope.MANAGE}

    @extend_schema(request=SaeRevocationIn, responses=SaeOut, operation_id="revoke_sae")
    def post(self, request: Request, sae_id: str) -> Response:
        """Revoke an application, at once and for good; keys that it asked for are delivered to nobody any more."""
        reason = parse_body(SaeRevocationIn, request)["reason"]
        return shown(SaeOut, saes.revoke(sae_id, reason=reason, actor=actor_of(request)))
