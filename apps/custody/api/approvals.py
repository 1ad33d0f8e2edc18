"""The API of approvals: asked for, decided by a second person, carried out."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView
from apps.common.lists import list_response, page_of
from apps.common.serializers import parse_body
from apps.custody import activation, approvals, destruction, exporting, recovery
from apps.custody.records import ApprovalStatus
from apps.custody.serializers import ApprovalListQuery, ApprovalOut, DestructionIn, ExportedOut, ExportIn
from apps.keys import lifecycle
from apps.keys.scopes import KeyScope
from apps.keys.serializers import PoolKeyOut, ReasonIn
from qkdseal.kem import Suite


class Approvals(ApiView):
    """Requests."""

    required_scopes = {"GET": KeyScope.READ}

    @extend_schema(
        parameters=[ApprovalListQuery], responses=page_of(ApprovalOut), operation_id="list_approvals"
    )
    def get(self, request: Request) -> Response:
        """Requests and their decisions, newest first."""

        def fetch(*, status: str | None = None, **filters: Any) -> Any:
            return approvals.approvals_page(status=ApprovalStatus(status) if status else None, **filters)

        return list_response(request, ApprovalOut, fetch, query=ApprovalListQuery, salt="approvals")


class ApprovalDetail(ApiView):
    """One request."""

    required_scopes = {"GET": KeyScope.READ}

    @extend_schema(responses=ApprovalOut, operation_id="get_approval")
    def get(self, request: Request, approval_id: str) -> Response:  # noqa: ARG002 - Django's signature
        """What is asked for, by whom, until when, and the decision."""
        return Response(ApprovalOut(approvals.find(approval_id)).data)


class ApprovalGiving(ApiView):
    """A second person's yes."""

    required_scopes = {"POST": KeyScope.APPROVE}

    @extend_schema(request=None, responses=ApprovalOut, operation_id="approve")
    def post(self, request: Request, approval_id: str) -> Response:
        """Allow what someone else asked for."""
        return Response(ApprovalOut(approvals.approve(approval_id, actor=actor_of(request))).data)


class ApprovalRefusal(ApiView):
    """A no."""

    required_scopes = {"POST": KeyScope.APPROVE}

    @extend_schema(request=None, responses=ApprovalOut, operation_id="refuse")
    def post(self, request: Request, approval_id: str) -> Response:
        """Refuse what was asked for."""
        return Response(ApprovalOut(approvals.refuse(approval_id, actor=actor_of(request))).data)


class ApprovalWithdrawal(ApiView):
    """Who asked, or who approved, thinks again."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=None, responses=ApprovalOut, operation_id="withdraw_approval")
    def post(self, request: Request, approval_id: str) -> Response:
        """End a request that was not used yet, as who asked for it or who approved it."""
        return Response(ApprovalOut(approvals.withdraw(approval_id, actor=actor_of(request))).data)


class DestructionRequest(ApiView):
    """The end of a key."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(
        request=DestructionIn, responses={201: ApprovalOut}, operation_id="request_key_destruction"
    )
    def post(self, request: Request, key_id: str) -> Response:
        """Ask for a key's destruction; a second person has to approve it."""
        asked = destruction.request(key_id, actor=actor_of(request), **parse_body(DestructionIn, request))
        return Response(ApprovalOut(asked).data, status=201)


class DestructionCancellation(ApiView):
    """The cancellation of a destruction."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=ReasonIn, responses=PoolKeyOut, operation_id="cancel_key_destruction")
    def post(self, request: Request, key_id: str) -> Response:
        """Cancel a destruction whose waiting window has not ended."""
        reason = parse_body(ReasonIn, request)["reason"]
        key = lifecycle.cancel_destruction(key_id, reason=reason, actor=actor_of(request))
        return Response(PoolKeyOut(key).data)


class ActivationRequest(ApiView):
    """The activation of an imported key."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=ReasonIn, responses={201: ApprovalOut}, operation_id="request_key_activation")
    def post(self, request: Request, key_id: str) -> Response:
        """Ask that an imported key may seal; a second person has to approve it."""
        asked = activation.request(key_id, actor=actor_of(request), **parse_body(ReasonIn, request))
        return Response(ApprovalOut(asked).data, status=201)


class ExportRequest(ApiView):
    """A request to give out a key."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=ExportIn, responses={201: ApprovalOut}, operation_id="request_key_export")
    def post(self, request: Request, key_id: str) -> Response:
        """Ask for a key's export to a recipient; a second person has to approve it."""
        body = parse_body(ExportIn, request)
        asked = exporting.request(
            key_id,
            recipient=body["recipient_public_key"],
            suite=Suite(body["recipient_suite"]),
            reason=body["reason"],
            actor=actor_of(request),
        )
        return Response(ApprovalOut(asked).data, status=201)


class RecoveryRequest(ApiView):
    """The use of the recovery key."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=ReasonIn, responses={201: ApprovalOut}, operation_id="request_recovery")
    def post(self, request: Request) -> Response:
        """Ask for a recovery. Once approved, `manage.py recovery use` takes its id and the officers' shares."""
        asked = recovery.request(reason=parse_body(ReasonIn, request)["reason"], actor=actor_of(request))
        return Response(ApprovalOut(asked).data, status=201)


class ApprovedDestruction(ApiView):
    """A destruction that was approved."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=None, responses=PoolKeyOut, operation_id="schedule_key_destruction")
    def post(self, request: Request, approval_id: str) -> Response:
        """Start the waiting window; until its end the destruction can be cancelled."""
        return Response(PoolKeyOut(destruction.schedule(approval_id, actor=actor_of(request))).data)


class ApprovedActivation(ApiView):
    """An activation that was approved."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=None, responses=PoolKeyOut, operation_id="activate_pool_key")
    def post(self, request: Request, approval_id: str) -> Response:
        """Let the imported key seal."""
        return Response(PoolKeyOut(activation.activate(approval_id, actor=actor_of(request))).data)


class ApprovedExport(ApiView):
    """An export that was approved."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=None, responses=ExportedOut, operation_id="export_pool_key")
    def post(self, request: Request, approval_id: str) -> Response:
        """The seed, sealed to the approved recipient; once."""
        return Response(ExportedOut(exporting.export(approval_id, actor=actor_of(request))).data)
