"""The API of principals and their credentials (E3, E8)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access import api_keys, people, principals, quotas
from apps.access.authentication import actor_of, caller_of
from apps.access.records import PrincipalKind
from apps.access.roles import Role
from apps.access.scopes import AccessScope
from apps.access.serializers import (
    ApiKeyIn,
    ApiKeyLimitsIn,
    ApiKeyListQuery,
    ApiKeyOut,
    GroupIn,
    IssuedKeyOut,
    MonthOut,
    PrincipalListQuery,
    PrincipalOut,
    PrincipalPatchIn,
    ReasonedIn,
    RotationIn,
    ServiceIn,
    WhoOut,
)
from apps.access.views import ApiView, CreatingView, shown
from apps.common.lists import list_response, page_of
from apps.common.serializers import parse_body


class WhoAmI(ApiView):
    """The caller."""

    required_scopes = {"GET": AccessScope.SELF}

    @extend_schema(responses=WhoOut, operation_id="whoami")
    def get(self, request: Request) -> Response:
        """Who calls, with which credential, what it may do, and until when."""
        return Response(WhoOut(caller_of(request)).data)


class OwnUsage(ApiView):
    """What the caller has used."""

    required_scopes = {"GET": AccessScope.SELF}

    @extend_schema(responses=MonthOut, operation_id="get_usage")
    def get(self, request: Request) -> Response:
        """What the caller has used in this month, and how much it may."""
        return Response(MonthOut(quotas.month_of(caller_of(request).principal)).data)


class PrincipalUsage(ApiView):
    """What one principal has used."""

    required_scopes = {"GET": AccessScope.READ}

    @extend_schema(responses=MonthOut, operation_id="get_principal_usage")
    def get(self, request: Request, principal_id: str) -> Response:  # noqa: ARG002 - Django's signature
        """What a person or service has used in this month, and how much it may; of a group, what it owns itself."""
        return Response(MonthOut(quotas.month_of(principals.find(principal_id))).data)


class Principals(ApiView):
    """Persons, services and groups."""

    required_scopes = {"GET": AccessScope.READ}

    @extend_schema(
        parameters=[PrincipalListQuery], responses=page_of(PrincipalOut), operation_id="list_principals"
    )
    def get(self, request: Request) -> Response:
        """Persons, services and groups, newest first."""

        def fetch(*, kind: str | None = None, **filters: Any) -> Any:
            return principals.principals_page(kind=PrincipalKind(kind) if kind else None, **filters)

        return list_response(request, PrincipalOut, fetch, query=PrincipalListQuery, salt="principals")


class PrincipalMaking(CreatingView):
    """A view whose POST makes a principal known."""

    creates = frozenset({"principal"})

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:  # noqa: ARG002 - as declared
        return shown(PrincipalOut, principals.find(result["principal_id"]), status=201)


class Services(PrincipalMaking):
    """Programs."""

    required_scopes = {"POST": AccessScope.MANAGE}

    @extend_schema(request=ServiceIn, responses={201: PrincipalOut}, operation_id="create_service")
    def post(self, request: Request) -> Response:
        """Make a service known. It acts with API keys that are issued for it."""
        body = parse_body(ServiceIn, request)
        made = principals.make_service(
            body["name"], role=Role(body["role"]), groups=body["groups"], actor=actor_of(request)
        )
        return shown(PrincipalOut, made, status=201)


class Groups(PrincipalMaking):
    """Groups."""

    required_scopes = {"POST": AccessScope.MANAGE}

    @extend_schema(request=GroupIn, responses={201: PrincipalOut}, operation_id="create_group")
    def post(self, request: Request) -> Response:
        """Make a group known, which owns what its members share. Put principals into it by changing them."""
        made = principals.make_group(parse_body(GroupIn, request)["name"], actor=actor_of(request))
        return shown(PrincipalOut, made, status=201)


class PrincipalDetail(ApiView):
    """One person, service or group."""

    required_scopes = {"GET": AccessScope.READ, "PATCH": AccessScope.MANAGE}

    @extend_schema(responses=PrincipalOut, operation_id="get_principal")
    def get(self, request: Request, principal_id: str) -> Response:  # noqa: ARG002 - Django's signature
        """A person, service or group: role, groups, status."""
        return shown(PrincipalOut, principals.find(principal_id))

    @extend_schema(request=PrincipalPatchIn, responses=PrincipalOut, operation_id="change_principal")
    def patch(self, request: Request, principal_id: str) -> Response:
        """Change a principal's role, groups or right to approve. Nobody gives what they do not hold."""
        body = parse_body(PrincipalPatchIn, request)
        if "role" in body:
            body["role"] = Role(body["role"])
        user, actor = people.of_principal(principal_id), actor_of(request)
        after = (
            principals.change(principal_id, actor=actor, **body)
            if user is None
            else people.change(user, actor=actor, **body)
        )
        return shown(PrincipalOut, after)


class PrincipalDisabling(ApiView):
    """A principal that acts no more."""

    required_scopes = {"POST": AccessScope.MANAGE}

    @extend_schema(request=ReasonedIn, responses=PrincipalOut, operation_id="disable_principal")
    def post(self, request: Request, principal_id: str) -> Response:
        """Let a principal act no more, with any credential; elsewhere within half a minute. What it owns stays."""
        reason, actor = parse_body(ReasonedIn, request)["reason"], actor_of(request)
        user = people.of_principal(principal_id)
        if user is None or user.is_active is False:
            return shown(PrincipalOut, principals.disable(principal_id, reason=reason, actor=actor))
        # Again, too, where the first attempt came as far as the principal
        principals.check_may_change(principals.find(principal_id), actor)
        people.disable(user, reason=reason, actor=actor)
        return shown(PrincipalOut, principals.find(principal_id))


class PrincipalEnabling(ApiView):
    """A principal that may act again."""

    required_scopes = {"POST": AccessScope.MANAGE}

    @extend_schema(request=ReasonedIn, responses=PrincipalOut, operation_id="enable_principal")
    def post(self, request: Request, principal_id: str) -> Response:
        """Let a disabled principal act again."""
        reason, actor = parse_body(ReasonedIn, request)["reason"], actor_of(request)
        user = people.of_principal(principal_id)
        if user is None or user.is_active is True:
            return shown(PrincipalOut, principals.enable(principal_id, reason=reason, actor=actor))
        # Again, too, where the first attempt came as far as the principal
        principals.check_may_change(principals.find(principal_id), actor)
        people.enable(user, reason=reason, actor=actor)
        return shown(PrincipalOut, principals.find(principal_id))


class KeyIssuing(CreatingView):
    """A view whose POST issues a key."""

    creates = frozenset({"api key"})

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:  # noqa: ARG002 - as declared
        return shown(IssuedKeyOut, api_keys.find(result["key_id"]), status=201)


class ApiKeys(KeyIssuing):
    """Credentials."""

    required_scopes = {"GET": AccessScope.READ, "POST": AccessScope.MANAGE}

    @extend_schema(parameters=[ApiKeyListQuery], responses=page_of(ApiKeyOut), operation_id="list_api_keys")
    def get(self, request: Request) -> Response:
        """API keys, newest first; all, or of one principal."""
        return list_response(request, ApiKeyOut, api_keys.keys_page, query=ApiKeyListQuery, salt="api-keys")

    @extend_schema(request=ApiKeyIn, responses={201: IssuedKeyOut}, operation_id="issue_api_key")
    def post(self, request: Request) -> Response:
        """Issue a key of a person or service. The secret is in this answer and never again."""
        body = parse_body(ApiKeyIn, request)
        key, secret = api_keys.issue(body.pop("principal"), actor=actor_of(request), **body)
        return shown(IssuedKeyOut, key, status=201, secret=secret)


class ApiKeyDetail(ApiView):
    """One credential."""

    required_scopes = {"GET": AccessScope.READ, "PATCH": AccessScope.MANAGE}

    @extend_schema(responses=ApiKeyOut, operation_id="get_api_key")
    def get(self, request: Request, key_id: str) -> Response:  # noqa: ARG002 - Django's signature
        """An API key: whose, its limits, when it was last used; of its secret nothing."""
        return shown(ApiKeyOut, api_keys.find(key_id))

    @extend_schema(request=ApiKeyLimitsIn, responses=ApiKeyOut, operation_id="limit_api_key")
    def patch(self, request: Request, key_id: str) -> Response:
        """Limit what a key may do, from where, or until when. It never allows more than the role."""
        limits = parse_body(ApiKeyLimitsIn, request)
        return shown(ApiKeyOut, api_keys.limit(key_id, actor=actor_of(request), **limits))


class ApiKeyRotation(KeyIssuing):
    """A second key in place of one."""

    required_scopes = {"POST": AccessScope.MANAGE}

    @extend_schema(request=RotationIn, responses={201: IssuedKeyOut}, operation_id="rotate_api_key")
    def post(self, request: Request, key_id: str) -> Response:
        """Issue a second key with the same limits; the first one ends after the overlap."""
        overlap = timedelta(hours=parse_body(RotationIn, request)["overlap_hours"])
        key, secret = api_keys.rotate(key_id, overlap=overlap, actor=actor_of(request))
        return shown(IssuedKeyOut, key, status=201, secret=secret)


class ApiKeyRevocation(ApiView):
    """A key that is refused."""

    required_scopes = {"POST": AccessScope.MANAGE}

    @extend_schema(request=ReasonedIn, responses=ApiKeyOut, operation_id="revoke_api_key")
    def post(self, request: Request, key_id: str) -> Response:
        """Refuse a key from now on, for good; elsewhere within half a minute."""
        reason = parse_body(ReasonedIn, request)["reason"]
        return shown(ApiKeyOut, api_keys.revoke(key_id, reason=reason, actor=actor_of(request)))
