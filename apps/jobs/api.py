"""The API of jobs."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView, CreatingView, shown
from apps.common.lists import ListQuery, list_response, page_of
from apps.jobs import control, results, services
from apps.jobs.records import Job
from apps.jobs.scopes import JobScope
from apps.jobs.serializers import JobOut, ResultOut


def has_ended(job: Job) -> bool:
    """Return whether nobody works on it any more."""
    return job.state.ended


class JobStart(CreatingView):
    """A view whose POST starts a job."""

    creates = frozenset({"job"})
    awaits = frozenset({"POST"})

    def started(self, request: Request, job: Job) -> Response:
        """Answer with a job: 202, or 200 where the caller preferred to wait and it has ended meanwhile."""
        actor = actor_of(request)
        job = self.awaited(job, lambda: services.find(job.job_id, actor=actor), is_there=has_ended)
        if has_ended(job):
            return shown(JobOut, results.with_first(job))
        return shown(JobOut, job, status=202)

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:
        return self.started(request, services.find(result["job_id"], actor=actor_of(request)))


class Jobs(ApiView):
    """The caller's jobs, or all for callers with the scope owners:all."""

    required_scopes = {"GET": JobScope.READ}

    @extend_schema(parameters=[ListQuery], responses=page_of(JobOut), operation_id="list_jobs")
    def get(self, request: Request) -> Response:
        """Jobs, newest first."""
        return list_response(request, JobOut, partial(services.listed, actor=actor_of(request)), salt="jobs")


class JobDetail(ApiView):
    """One job."""

    required_scopes = {"GET": JobScope.READ}
    awaits = frozenset({"GET"})

    @extend_schema(responses=JobOut, operation_id="get_job")
    def get(self, request: Request, job_id: str) -> Response:
        """The state, progress and results of a job; with `Prefer: wait`, as soon as it has ended."""

        def look() -> Job:
            return services.find(job_id, actor=actor_of(request))

        return shown(JobOut, results.with_first(self.awaited(look(), look, is_there=has_ended)))


class JobResults(ApiView):
    """What one job made."""

    required_scopes = {"GET": JobScope.READ}

    @extend_schema(parameters=[ListQuery], responses=page_of(ResultOut), operation_id="list_job_results")
    def get(self, request: Request, job_id: str) -> Response:
        """What a job made, the latest first: for a batch, its sessions."""
        fetch = partial(results.listed, job_id, actor=actor_of(request))
        return list_response(request, ResultOut, fetch, salt=f"results of {job_id}")


class JobCancellation(ApiView):
    """The cancellation of one job."""

    required_scopes = {"POST": JobScope.CANCEL}

    @extend_schema(request=None, responses=JobOut, operation_id="cancel_job")
    def post(self, request: Request, job_id: str) -> Response:
        """Cancel a job.

        A queued job ends at once, a running one within seconds; `done` and `results` say how far it came. Idempotent
        until the job has ended, then refused with 409.
        """
        return shown(JobOut, control.cancel(job_id, actor=actor_of(request)))
