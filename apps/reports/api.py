"""The API of reports."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.quotas import Quota
from apps.access.views import ApiView, shown
from apps.common.lists import ListQuery, list_response, page_of
from apps.common.serializers import parse_body
from apps.jobs.api import JobStart
from apps.jobs.serializers import JobOut
from apps.reports import services
from apps.reports.scopes import ReportScope
from apps.reports.serializers import FileAddressOut, ReportIn, ReportOut


class Reports(JobStart):
    """What was done in a period."""

    required_scopes = {"GET": ReportScope.READ, "POST": ReportScope.MAKE}
    spends = frozenset({Quota.JOBS})

    @extend_schema(parameters=[ListQuery], responses=page_of(ReportOut), operation_id="list_reports")
    def get(self, request: Request) -> Response:
        """Reports, those made last first."""
        return list_response(request, ReportOut, services.listed, salt="reports")

    @extend_schema(request=ReportIn, responses={200: JobOut, 202: JobOut}, operation_id="make_report")
    def post(self, request: Request) -> Response:
        """Have the compliance report of a period made by a job, whose results name it."""
        job = services.ask(actor=actor_of(request), **parse_body(ReportIn, request))
        return self.started(request, job)


class ReportDetail(ApiView):
    """One report."""

    required_scopes = {"GET": ReportScope.READ}

    @extend_schema(responses=ReportOut, operation_id="get_report")
    def get(self, request: Request, report_id: str) -> Response:  # noqa: ARG002 - Django's signature
        """A report, with its files' digests."""
        return shown(ReportOut, services.find(report_id))


class ReportFile(ApiView):
    """A file of a report."""

    required_scopes = {"POST": ReportScope.READ}

    @extend_schema(request=None, responses={201: FileAddressOut}, operation_id="get_report_file")
    def post(self, request: Request, report_id: str, name: str) -> Response:
        """Where a file of a report can be read for five minutes, by whoever has the address."""
        url = services.address_of(report_id, name, actor=actor_of(request))
        return Response({"url": url}, status=201)
