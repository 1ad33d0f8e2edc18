"""The API of approvals: asked for, decided by a second person, carried out."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView, CreatingView, shown
from apps.common.lists import list_response, page_of
from apps.common.serializers import parse_body
from apps.custody import activation, approvals, destruction, exporting, recovery
from apps.custody.records import ApprovalStatus
from apps.custody.serializers import (
    ApprovalListQuery,
    ApprovalOut,
    DestructionIn,
    ExportedOut,
    ExportedQuantumKeyOut,
    ExportIn,
)
from apps.keys import lifecycle
from apps.keys.scopes import KeyScope
from apps.keys.serializers import PoolKeyOut, ReasonIn
from qkdseal.kem import Suite


class ApprovalRequest(CreatingView):
    """A view whose POST asks for what needs a second person."""

    creates = frozenset({"approval"})

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:  # noqa: ARG002 - as declared
        return shown(ApprovalOut, approvals.find(result["approval_id"]), status=201)


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
        return shown(ApprovalOut, approvals.find(approval_id))


class ApprovalGiving(ApiView):
    """A second person's yes."""

    required_scopes = {"POST": KeyScope.APPROVE}

    @extend_schema(request=None, responses=ApprovalOut, operation_id="approve")
    def post(self, request: Request, approval_id: str) -> Response:
        """Allow what someone else asked for."""
        return shown(ApprovalOut, approvals.approve(approval_id, actor=actor_of(request)))


class ApprovalRefusal(ApiView):
    """A no."""

    required_scopes = {"POST": KeyScope.APPROVE}

    @extend_schema(request=None, responses=ApprovalOut, operation_id="refuse")
    def post(self, request: Request, approval_id: str) -> Response:
        """Refuse what was asked for."""
        return shown(ApprovalOut, approvals.refuse(approval_id, actor=actor_of(request)))


class ApprovalWithdrawal(ApiView):
    """Who asked, or who approved, thinks again."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=None, responses=ApprovalOut, operation_id="withdraw_approval")
    def post(self, request: Request, approval_id: str) -> Response:
        """End a request that was not used yet, as who asked for it or who approved it."""
        return shown(ApprovalOut, approvals.withdraw(approval_id, actor=actor_of(request)))


class DestructionRequest(ApprovalRequest):
    """The end of a key."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(
        request=DestructionIn, responses={201: ApprovalOut}, operation_id="request_key_destruction"
    )
    def post(self, request: Request, key_id: str) -> Response:
        """Ask for a key's destruction; a second person has to approve it."""
        asked = destruction.request(key_id, actor=actor_of(request), **parse_body(DestructionIn, request))
        return shown(ApprovalOut, asked, status=201)


class DestructionCancellation(ApiView):
    """The cancellation of a destruction."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=ReasonIn, responses=PoolKeyOut, operation_id="cancel_key_destruction")
    def post(self, request: Request, key_id: str) -> Response:
        """Cancel a destruction whose waiting window has not ended."""
        reason = parse_body(ReasonIn, request)["reason"]
        key = lifecycle.cancel_destruction(key_id, reason=reason, actor=actor_of(request))
        return shown(PoolKeyOut, key)


class ActivationRequest(ApprovalRequest):
    """The activation of an imported key."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=ReasonIn, responses={201: ApprovalOut}, operation_id="request_key_activation")
    def post(self, request: Request, key_id: str) -> Response:
        """Ask that an imported key may seal; a second person has to approve it."""
        asked = activation.request(key_id, actor=actor_of(request), **parse_body(ReasonIn, request))
        return shown(ApprovalOut, asked, status=201)


class ExportRequest(ApprovalRequest):
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
        return shown(ApprovalOut, asked, status=201)


class QuantumKeyExportRequest(ApprovalRequest):
    """A request to give out a quantum key."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=ExportIn, responses={201: ApprovalOut}, operation_id="request_quantum_key_export")
    def post(self, request: Request, key_id: str) -> Response:
        """Ask for the export of a quantum key that a file or message uses; a second person has to approve it.

        With the pool key, exported likewise, `qkdseal` opens what was kept offline.
        """
        body = parse_body(ExportIn, request)
        asked = exporting.request_quantum_key(
            key_id,
            recipient=body["recipient_public_key"],
            suite=Suite(body["recipient_suite"]),
            reason=body["reason"],
            actor=actor_of(request),
        )
        return shown(ApprovalOut, asked, status=201)


class RecoveryRequest(ApprovalRequest):
    """The use of the recovery key."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=ReasonIn, responses={201: ApprovalOut}, operation_id="request_recovery")
    def post(self, request: Request) -> Response:
        """Ask for a recovery. Once approved, `manage.py recovery use` takes its id and the officers' shares."""
        asked = recovery.request(reason=parse_body(ReasonIn, request)["reason"], actor=actor_of(request))
        return shown(ApprovalOut, asked, status=201)


class ApprovedDestruction(ApiView):
    """A destruction that was approved."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=None, responses=PoolKeyOut, operation_id="schedule_key_destruction")
    def post(self, request: Request, approval_id: str) -> Response:
        """Start the waiting window; until its end the destruction can be cancelled."""
        return shown(PoolKeyOut, destruction.schedule(approval_id, actor=actor_of(request)))


class ApprovedActivation(ApiView):
    """An activation that was approved."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=None, responses=PoolKeyOut, operation_id="activate_pool_key")
    def post(self, request: Request, approval_id: str) -> Response:
        """Let the imported key seal."""
        return shown(PoolKeyOut, activation.activate(approval_id, actor=actor_of(request)))


class ApprovedExport(ApiView):
    """An export that was approved."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=None, responses=ExportedOut, operation_id="export_pool_key")
    def post(self, request: Request, approval_id: str) -> Response:
        """The seed, sealed to the approved recipient; once."""
        return Response(ExportedOut(exporting.export(approval_id, actor=actor_of(request))).data)


class ApprovedQuantumKeyExport(ApiView):
    """The export of a quantum key that was approved."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=None, responses=ExportedQuantumKeyOut, operation_id="export_quantum_key")
    def post(self, request: Request, approval_id: str) -> Response:
        """The quantum key, sealed to the approved recipient; once."""
        exported = exporting.export_quantum_key(approval_id, actor=actor_of(request))
        return Response(ExportedQuantumKeyOut(exported).data)
