"""Deny by default: a view says which scope each method needs, or nobody may call it (I9)."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.access.authentication import actor_of
from apps.access.records import Caller
from apps.access.roles import Scope
from apps.audit.records import Outcome
from apps.audit.services import record
from apps.audit.trail import AuditEvent
from apps.common.errors import Forbidden, Unauthenticated

PATH_SHOWN = 256  # characters of an address in the trail
PUBLIC = frozenset[Scope]()  # declared on purpose: anyone may call


class HasDeclaredScopes(BasePermission):
    """Admits callers who hold the scopes that the view declares for the method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method == "OPTIONS":
            return True
        # HEAD answers what GET does, without the body
        method = "GET" if request.method == "HEAD" else request.method or ""
        declared = getattr(view, "required_scopes", {}).get(method)
        if declared is None:
            if request.method not in view.allowed_methods:
                view.http_method_not_allowed(request)
            raise Forbidden("This operation is open to nobody. Use another address or method.")
        needed = {declared} if isinstance(declared, Scope) else set(declared)
        if not needed:
            return True
        if not isinstance(request.user, Caller):
            raise Unauthenticated("Send an API key in X-API-Key, or a token in Authorization: Bearer.")
        missing = sorted(needed - request.user.scopes)
        if missing:
            _record(request, missing)
            raise Forbidden(f"This needs the scope {', '.join(missing)}.")
        return True


def _record(request: Request, missing: list[Scope]) -> None:
    """Record that someone tried what they may not (D1)."""
    record(
        actor_of(request),
        AuditEvent.ACCESS_DENIED,
        outcome=Outcome.DENIED,
        method=request.method,
        path=request.path[:PATH_SHOWN],
        missing=missing,
    )
