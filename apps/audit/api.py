"""The API of the audit trail."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView
from apps.audit import archiving, services, tasks
from apps.audit.scopes import AuditScope
from apps.audit.serializers import EntryListQuery, EntryOut, EntryPageOut, HeldOut, VerificationIn
from apps.audit.verifying import Depth
from apps.common.dynamodb import Span
from apps.common.lists import list_response
from apps.common.serializers import parse_body
from apps.jobs.serializers import JobOut


class Entries(ApiView):
    """Who did what to which key, when, from where."""

    required_scopes = {"GET": AuditScope.READ}

    @extend_schema(parameters=[EntryListQuery], responses=EntryPageOut, operation_id="list_audit_entries")
    def get(self, request: Request) -> Response:
        """Audit entries, newest first; all, or of one actor, key, session, file or approval, and of a span of time.

        The last page says where older entries are, if any were moved to the archive.
        """

        def fetch(*, limit: int, position: Any, **filters: Any) -> Any:
            span = Span(filters.pop("since", None), filters.pop("until", None))
            sifted = {name: filters.pop(name, None) for name in ("event", "outcome", "request_id")}
            by, value = next(iter(filters.items()), (None, ""))
            return services.sifted_page(
                limit=limit, position=position, by=by, value=value, span=span, **sifted
            )

        answer = list_response(request, EntryOut, fetch, query=EntryListQuery, salt="audit")
        held = archiving.held() if answer.data["next"] is None else None
        answer.data["archived"] = HeldOut(held).data if held else None
        return answer


class Verifications(ApiView):
    """The trail verified."""

    required_scopes = {"POST": AuditScope.VERIFY}

    @extend_schema(request=VerificationIn, responses={202: JobOut}, operation_id="verify_audit")
    def post(self, request: Request) -> Response:
        """Have the trail verified by a job, whose results say what is wrong."""
        depth = Depth(parse_body(VerificationIn, request)["depth"])
        job = tasks.verify_later(depth=depth, actor=actor_of(request))
        return Response(JobOut(job).data, status=202)
