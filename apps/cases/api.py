"""The API of cases. What their keys encrypted is re-encrypted by ``POST /reencryptions`` with a ``case_id``."""

from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView, shown
from apps.cases import affected, holding, services
from apps.cases.records import CaseStatus
from apps.cases.scopes import CaseScope
from apps.cases.serializers import (
    AffectedKeyOut,
    CaseListQuery,
    CaseOut,
    HoldingIn,
    NoteIn,
    NoteOut,
    ResolutionIn,
)
from apps.common.lists import ListQuery, list_response, page_of
from apps.common.serializers import parse_body
from apps.links.scopes import LinkScope
from apps.links.serializers import LinkOut

HOLDING = frozenset({CaseScope.MANAGE, LinkScope.MANAGE})


class Cases(ApiView):
    """Findings, and what people did about them."""

    required_scopes = {"GET": CaseScope.READ}

    @extend_schema(parameters=[CaseListQuery], responses=page_of(CaseOut), operation_id="list_cases")
    def get(self, request: Request) -> Response:
        """Cases, newest first; all, or of one status or link."""

        def fetch(*, status: str | None = None, **more: Any) -> Any:
            return services.listed(status=CaseStatus(status) if status else None, **more)

        return list_response(request, CaseOut, fetch, query=CaseListQuery, salt="cases")


class CaseDetail(ApiView):
    """One case."""

    required_scopes = {"GET": CaseScope.READ}

    @extend_schema(responses=CaseOut, operation_id="get_case")
    def get(self, request: Request, case_id: str) -> Response:  # noqa: ARG002 - Django's signature
        """A case by its id, which is `case-<session id>`."""
        return shown(CaseOut, services.find(case_id))


class CaseAcknowledgement(ApiView):
    """A case that somebody takes on."""

    required_scopes = {"POST": CaseScope.MANAGE}

    @extend_schema(request=None, responses=CaseOut, operation_id="acknowledge_case")
    def post(self, request: Request, case_id: str) -> Response:
        """Acknowledge an open case: alerts about it are escalated no more."""
        return shown(CaseOut, services.acknowledge(case_id, actor=actor_of(request)))


class CaseClosure(ApiView):
    """A case that is done with."""

    required_scopes = {"POST": CaseScope.MANAGE}

    @extend_schema(request=ResolutionIn, responses=CaseOut, operation_id="close_case")
    def post(self, request: Request, case_id: str) -> Response:
        """Close a case, saying how it ended."""
        body = parse_body(ResolutionIn, request)
        return shown(CaseOut, services.close(case_id, actor=actor_of(request), **body))


class CaseQuarantine(ApiView):
    """The link of a case, out of use."""

    required_scopes = {"POST": HOLDING}

    @extend_schema(request=HoldingIn, responses=LinkOut, operation_id="quarantine_link_of_case")
    def post(self, request: Request, case_id: str) -> Response:
        """Quarantine the link of a case: no session is run over it until the case releases it.

        What it yielded before stays usable; `POST /reencryptions` with the `case_id` deals with that.
        """
        body = parse_body(HoldingIn, request)
        return shown(LinkOut, holding.quarantine_link(case_id, actor=actor_of(request), **body))


class CaseRelease(ApiView):
    """The link of a case, in use again."""

    required_scopes = {"POST": HOLDING}

    @extend_schema(request=HoldingIn, responses=LinkOut, operation_id="release_link_of_case")
    def post(self, request: Request, case_id: str) -> Response:
        """Release the link that a case quarantined: sessions are run over it again."""
        body = parse_body(HoldingIn, request)
        return shown(LinkOut, holding.release_link(case_id, actor=actor_of(request), **body))


class CaseNotes(ApiView):
    """What people wrote about a case."""

    required_scopes = {"GET": CaseScope.READ, "POST": CaseScope.MANAGE}

    @extend_schema(parameters=[ListQuery], responses=page_of(NoteOut), operation_id="list_case_notes")
    def get(self, request: Request, case_id: str) -> Response:
        """Notes on a case, newest first."""
        return list_response(request, NoteOut, partial(services.notes, case_id), salt=f"notes of {case_id}")

    @extend_schema(request=NoteIn, responses={201: NoteOut}, operation_id="note_case")
    def post(self, request: Request, case_id: str) -> Response:
        """Write a note on a case; it stays as it is."""
        written = services.note(case_id, actor=actor_of(request), **parse_body(NoteIn, request))
        return shown(NoteOut, written, status=201)


class AffectedKeys(ApiView):
    """What used keys of a case's link in its window."""

    required_scopes = {"GET": CaseScope.READ}

    @extend_schema(
        parameters=[ListQuery], responses=page_of(AffectedKeyOut), operation_id="list_affected_keys"
    )
    def get(self, request: Request, case_id: str) -> Response:
        """Quantum keys of the link's sessions in the window that files and messages used, the newest session first.

        A page may hold fewer than asked for, though `next` leads to more.
        """
        case = services.find(case_id)
        fetch = partial(affected.affected_page, case)
        return list_response(request, AffectedKeyOut, fetch, salt=f"affected by {case_id}")
