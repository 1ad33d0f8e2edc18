"""The API of QKD sessions."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access import quotas
from apps.access.authentication import actor_of, caller_of
from apps.access.quotas import Quota
from apps.access.views import ApiView, CreatingView, shown
from apps.common.lists import ListQuery, list_response, page_of
from apps.common.serializers import parse_body
from apps.jobs import results
from apps.jobs import services as jobs
from apps.jobs.api import JobStart, has_ended
from apps.jobs.records import Job
from apps.jobs.serializers import JobOut
from apps.keys.scopes import KeyScope
from apps.sessions import blocks, quantum_keys, services, stock, tasks, transitions
from apps.sessions.records import Session, SessionStatus
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


class Generate(CreatingView):
    """Run one BB84 session."""

    required_scopes = {"POST": SessionScope.GENERATE}
    creates = frozenset({"session", "job"})
    looks_first = True  # a session takes up to seconds
    awaits = frozenset({"POST"})

    @extend_schema(
        request=GenerateIn, responses={201: SessionOut, 202: JobOut}, operation_id="generate_session"
    )
    def post(self, request: Request) -> Response:
        """Run a session now (201), or as a job where it would take longer than the API may (202).

        With `Prefer: wait` the session is answered once it is judged, that of a job too; with `respond-async` a job
        runs it in any case.
        """
        actor, wanted = actor_of(request), GenerateRequest(**parse_body(GenerateIn, request))
        if self.preference.responds_async or tasks.takes_long(wanted, actor=actor):
            self.month = quotas.check(caller_of(request).principal, {Quota.JOBS}) or self.month
            return self._of_job(request, tasks.generate_later(wanted, count=1, actor=actor))
        return self._judged(request, services.generate(wanted, actor=actor))

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:
        if "job_id" in result:
            return self._of_job(request, jobs.find(result["job_id"], actor=actor_of(request)))
        return self._judged(request, services.find(result["session_id"], actor=actor_of(request)))

    def _of_job(self, request: Request, job: Job) -> Response:
        actor = actor_of(request)
        job = self.awaited(job, lambda: jobs.find(job.job_id, actor=actor), is_there=has_ended)
        made = results.listed(job.job_id, actor=actor, limit=1).records if has_ended(job) else []
        if not made:  # still at work, or failed: the job says why
            return shown(JobOut, job, status=202)
        return self._judged(request, services.find(made[0].subject, actor=actor))

    def _judged(self, request: Request, session: Session) -> Response:
        look = partial(services.find, session.session_id, actor=actor_of(request))
        return shown(SessionOut, self.awaited(session, look, is_there=_is_judged), status=201)


def _is_judged(session: Session) -> bool:
    return session.status is not SessionStatus.PENDING


class Batches(JobStart):
    """Many sessions in the background."""

    required_scopes = {"POST": SessionScope.GENERATE}
    spends = frozenset({Quota.JOBS})

    @extend_schema(request=BatchIn, responses={200: JobOut, 202: JobOut}, operation_id="generate_batch")
    def post(self, request: Request) -> Response:
        """Queue a batch; the job tells how far it is."""
        body = parse_body(BatchIn, request)
        count = body.pop("count")
        job = tasks.generate_later(GenerateRequest(**body), count=count, actor=actor_of(request))
        return self.started(request, job)


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
    awaits = frozenset({"GET"})

    @extend_schema(responses=SessionOut, operation_id="get_session")
    def get(self, request: Request, session_id: str) -> Response:
        """A session's metadata; ``status`` turns from pending once the detector has judged."""
        look = partial(services.find, session_id, actor=actor_of(request))
        found = self.awaited(look(), look, is_there=_is_judged)
        return shown(SessionOut, blocks.counted(found))


class SessionRevocation(ApiView):
    """A session whose keys nobody may take any more."""

    required_scopes = {"POST": SessionScope.REVOKE}

    @extend_schema(request=RevocationIn, responses=SessionOut, operation_id="revoke_session")
    def post(self, request: Request, session_id: str) -> Response:
        """Revoke every key of a ready session at once; what was encrypted with those taken still opens."""
        reason = parse_body(RevocationIn, request)["reason"]
        return shown(SessionOut, transitions.revoke(session_id, reason=reason, actor=actor_of(request)))


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
