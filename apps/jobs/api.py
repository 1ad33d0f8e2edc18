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
        """How far a job is."""
        return Response(JobOut(services.find(job_id, actor=actor_of(request))).data)


class JobCancellation(ApiView):
    """The end of a job before it is done."""

    required_scopes = {"POST": JobScope.CANCEL}

    @extend_schema(request=None, responses=JobOut, operation_id="cancel_job")
    def post(self, request: Request, job_id: str) -> Response:
        """Stop a job: at once while it waits, after its current step while it runs."""
        return Response(JobOut(control.cancel(job_id, actor=actor_of(request))).data)
