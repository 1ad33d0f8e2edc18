"""The API of jobs."""

from functools import partial

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView
from apps.common.lists import ListQuery, list_response, page_of
from apps.jobs import control, services
from apps.jobs.scopes import JobScope
from apps.jobs.serializers import JobOut


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

    @extend_schema(responses=JobOut, operation_id="get_job")
    def get(self, request: Request, job_id: str) -> Response:
        """The state, progress and results of a job."""
        return Response(JobOut(services.find(job_id, actor=actor_of(request))).data)


class JobCancellation(ApiView):
    """The cancellation of one job."""

    required_scopes = {"POST": JobScope.CANCEL}

    @extend_schema(request=None, responses=JobOut, operation_id="cancel_job")
    def post(self, request: Request, job_id: str) -> Response:
        """Cancel a job.

        A queued job ends at once, a running one within seconds; `done` and `results` say how far it came. Idempotent
        until the job has ended, then refused with 409.
        """
        return Response(JobOut(control.cancel(job_id, actor=actor_of(request))).data)
