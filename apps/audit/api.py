"""The API of the audit trail."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.views import ApiView
from apps.audit import services
from apps.audit.scopes import AuditScope
from apps.audit.serializers import EntryListQuery, EntryOut
from apps.common.lists import list_response, page_of


class Entries(ApiView):
    """Who did what to which key, when, from where."""

    required_scopes = {"GET": AuditScope.READ}

    @extend_schema(
        parameters=[EntryListQuery], responses=page_of(EntryOut), operation_id="list_audit_entries"
    )
    def get(self, request: Request) -> Response:
        """Audit entries, newest first; all, or of one actor, key, session, file or approval."""

        def fetch(*, limit: int, position: Any, **filters: str) -> Any:
            by, value = next(iter(filters.items()), (None, ""))
            return services.entries_page(limit=limit, position=position, by=by, value=value)

        return list_response(request, EntryOut, fetch, query=EntryListQuery, salt="audit")
