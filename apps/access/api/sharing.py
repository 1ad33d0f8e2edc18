"""The API of grants: what one lets others read or write (C16, E8)."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access import grants
from apps.access.authentication import actor_of
from apps.access.grants import GrantNotFound
from apps.access.records import Right
from apps.access.scopes import AccessScope
from apps.access.serializers import GrantIn, GrantListQuery, GrantOut
from apps.access.views import ApiView, CreatingView, shown
from apps.audit.records import Actor
from apps.common.dynamodb import Page
from apps.common.lists import list_response, page_of
from apps.common.serializers import parse_body
from apps.files import services as files


class Grants(CreatingView):
    """Rights on files."""

    required_scopes = {"GET": AccessScope.GRANT, "POST": AccessScope.GRANT}
    creates = frozenset({"grant"})

    @extend_schema(parameters=[GrantListQuery], responses=page_of(GrantOut), operation_id="list_grants")
    def get(self, request: Request) -> Response:
        """Grants, newest first: those given to the caller (or to `grantee`), or those on a file of the caller's."""
        return list_response(
            request, GrantOut, partial(_page, actor=actor_of(request)), query=GrantListQuery, salt="grants"
        )

    @extend_schema(request=GrantIn, responses={201: GrantOut}, operation_id="give_grant")
    def post(self, request: Request) -> Response:
        """Let somebody read or write a file, or all of the caller's files of a type; replaces an earlier grant."""
        actor, body = actor_of(request), parse_body(GrantIn, request)
        owner = files.find(body["file_id"], actor=actor).owner if "file_id" in body else str(actor)
        made = grants.give(
            body["grantee"],
            GrantIn.name_of(body, owner),
            Right(body["right"]),
            owner=owner,
            actor=actor,
            until=body.get("until"),
        )
        return shown(GrantOut, made, status=201)

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:
        return shown(GrantOut, grants.find(result["grant_id"], actor=actor_of(request)), status=201)


def _page(*, actor: Actor, grantee: str | None = None, file_id: str | None = None, **page: Any) -> Page[Any]:
    if file_id is not None:
        if not actor.may_see(files.find(file_id, actor=actor).owner):
            raise GrantNotFound("Only its owner sees what was granted on a file.")
        return grants.grantees_page(grants.file_object(file_id), **page)
    if grantee is not None and not actor.may_see(grantee):
        raise GrantNotFound("There are no grants to them that you may see.")
    return grants.granted_page(grantee or str(actor), **page)


class GrantDetail(ApiView):
    """One grant."""

    required_scopes = {"GET": AccessScope.GRANT, "DELETE": AccessScope.GRANT}

    @extend_schema(responses=GrantOut, operation_id="get_grant")
    def get(self, request: Request, grant_id: str) -> Response:
        """A right that was given: by the caller, or to it."""
        return shown(GrantOut, grants.find(grant_id, actor=actor_of(request)))

    @extend_schema(responses={200: GrantOut}, operation_id="revoke_grant")
    def delete(self, request: Request, grant_id: str) -> Response:
        """Take a grant back; it ends at once. Answers what it was."""
        actor = actor_of(request)
        found = grants.find(grant_id, actor=actor)
        grants.revoke(found.grantee, found.object, actor=actor)
        return Response(GrantOut(found).data)
