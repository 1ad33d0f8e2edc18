"""The API of QKD sessions."""

from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView
from apps.common.lists import ListQuery, list_response, page_of
from apps.common.serializers import parse_body
from apps.jobs.records import Job
from apps.jobs.serializers import JobOut
from apps.keys.scopes import KeyScope
from apps.sessions import quantum_keys, services, stock, tasks, transitions
from apps.sessions.records import SessionStatus
from apps.sessions.scopes import SessionScope
from apps.sessions.serializers import (
    BatchIn,
    GenerateIn,
    RevocationIn,
    SessionListQuery,
    SessionOut,
    StockOut,
    TakenKeyOut,
)
from apps.sessions.services import GenerateRequest


class Generate(ApiView):
    """Run one BB84 session."""

    required_scopes = {"POST": SessionScope.GENERATE}

    @extend_schema(
        request=GenerateIn, responses={201: SessionOut, 202: JobOut}, operation_id="generate_session"
    )
    def post(self, request: Request) -> Response:
        """Run a session now (201), or as a job where it would take longer than the API may (202)."""
        wanted = GenerateRequest(**parse_body(GenerateIn, request))
        made = tasks.generate_now_or_later(wanted, actor=actor_of(request))
        if isinstance(made, Job):
            return Response(JobOut(made).data, status=202)
        return Response(SessionOut(made).data, status=201)


class Batches(ApiView):
    """Many sessions in the background."""

    required_scopes = {"POST": SessionScope.GENERATE}

    @extend_schema(request=BatchIn, responses={202: JobOut}, operation_id="generate_batch")
    def post(self, request: Request) -> Response:
        """Queue a batch; the job tells how far it is."""
        body = parse_body(BatchIn, request)
        count = body.pop("count")
        job = tasks.generate_later(GenerateRequest(**body), count=count, actor=actor_of(request))
        return Response(JobOut(job).data, status=202)


class Sessions(ApiView):
    """The caller's sessions, or all for callers with the scope owners:all."""

    required_scopes = {"GET": SessionScope.READ}

    @extend_schema(parameters=[SessionListQuery], responses=page_of(SessionOut), operation_id="list_sessions")
    def get(self, request: Request) -> Response:
        """Sessions, newest first."""
        actor = actor_of(request)

        def fetch(*, status: str | None = None, **filters: Any) -> Any:
            chosen = SessionStatus(status) if status else None
            return services.listed(actor=actor, status=chosen, **filters)

        return list_response(request, SessionOut, fetch, query=SessionListQuery, salt="sessions")


class SessionDetail(ApiView):
    """One session."""

    required_scopes = {"GET": SessionScope.READ}

    @extend_schema(responses=SessionOut, operation_id="get_session")
    def get(self, request: Request, session_id: str) -> Response:
        """A session's metadata; ``status`` turns from pending once the detector has judged."""
        return Response(SessionOut(services.find(session_id, actor=actor_of(request))).data)


class SessionRevocation(ApiView):
    """A session whose keys nobody may take any more."""

    required_scopes = {"POST": SessionScope.REVOKE}

    @extend_schema(request=RevocationIn, responses=SessionOut, operation_id="revoke_session")
    def post(self, request: Request, session_id: str) -> Response:
        """Revoke every key of a ready session at once; what was encrypted with those taken still opens."""
        reason = parse_body(RevocationIn, request)["reason"]
        return Response(
            SessionOut(transitions.revoke(session_id, reason=reason, actor=actor_of(request))).data
        )


class TakenKeys(ApiView):
    """What the keys of a session were taken for."""

    required_scopes = {"GET": SessionScope.READ}

    @extend_schema(parameters=[ListQuery], responses=page_of(TakenKeyOut), operation_id="list_taken_keys")
    def get(self, request: Request, session_id: str) -> Response:
        """Taken keys, newest first: after a revocation, they tell what to re-encrypt."""
        services.find(session_id, actor=actor_of(request))
        fetch = partial(quantum_keys.keys_of, session_id)
        return list_response(request, TakenKeyOut, fetch, salt=f"taken {session_id}")


class StockDetail(ApiView):
    """The stock of quantum keys."""

    required_scopes = {"GET": KeyScope.READ}

    @extend_schema(responses=StockOut, operation_id="get_stock")
    def get(self, request: Request) -> Response:
        """The platform's keys ready to be taken, by link, and the marks between which it is kept; the caller's own."""
        return Response(StockOut(stock.stock_for(actor_of(request))).data)
