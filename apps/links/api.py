"""The API of links."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView, CreatingView, shown
from apps.audit.records import Actor
from apps.audit.services import may_see
from apps.common.lists import ListQuery, list_response, page_of
from apps.common.serializers import parse_body
from apps.links import services, transitions
from apps.links.records import Link, LinkNotFound, LinkSource, LinkState
from apps.links.scopes import LinkScope
from apps.links.serializers import (
    LinkChangeOut,
    LinkIn,
    LinkOut,
    LinkPatchIn,
    LinkStateIn,
    LinkStatisticsOut,
)
from apps.sessions import link_statistics


class Links(CreatingView):
    """Links between sites."""

    required_scopes = {"GET": LinkScope.READ, "POST": LinkScope.MANAGE}
    creates = frozenset({"link"})

    @extend_schema(parameters=[ListQuery], responses=page_of(LinkOut), operation_id="list_links")
    def get(self, request: Request) -> Response:
        """Links that the caller may use, newest first; all for callers with the scope owners:all.

        A page may hold fewer than asked for, or none, where others' links lie between.
        """
        fetch = partial(services.usable_page, actor=actor_of(request))
        return list_response(request, LinkOut, fetch, salt="links")

    @extend_schema(request=LinkIn, responses={201: LinkOut}, operation_id="create_link")
    def post(self, request: Request) -> Response:
        """Make a link. Sessions over it have a history, thresholds and a stock of their own."""
        body = parse_body(LinkIn, request)
        source = LinkSource(body.pop("source"))
        made = services.make(body.pop("link_id"), source=source, actor=actor_of(request), **body)
        return shown(LinkOut, made, status=201)

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:
        return shown(LinkOut, services.see(result["link_id"], actor=actor_of(request)), status=201)


class LinkDetail(ApiView):
    """One link."""

    required_scopes = {"GET": LinkScope.READ, "PATCH": LinkScope.MANAGE}

    @extend_schema(responses=LinkOut, operation_id="get_link")
    def get(self, request: Request, link_id: str) -> Response:
        """A link: its sites, source, thresholds and state."""
        return shown(LinkOut, services.see(link_id, actor=actor_of(request)))

    @extend_schema(request=LinkPatchIn, responses=LinkOut, operation_id="change_link")
    def patch(self, request: Request, link_id: str) -> Response:
        """Change who may use it, its sites, source, thresholds and stock."""
        actor = actor_of(request)
        body = parse_body(LinkPatchIn, request)
        services.see(link_id, actor=actor)
        return shown(LinkOut, services.change(link_id, actor=actor, **body))


class LinkStateChange(ApiView):
    """The state of a link."""

    required_scopes = {"POST": LinkScope.MANAGE}

    @extend_schema(request=LinkStateIn, responses=LinkOut, operation_id="change_link_state")
    def post(self, request: Request, link_id: str) -> Response:
        """Pause, quarantine, resume, release or retire a link.

        Once this answers, no session over a link that is not active is kept. What it yielded before stays usable: revoke
        its sessions where it must not be.
        """
        actor = actor_of(request)
        body = parse_body(LinkStateIn, request)
        services.see(link_id, actor=actor)
        return shown(LinkOut, transitions.move(link_id, LinkState(body.pop("state")), actor=actor, **body))


class LinkHistory(ApiView):
    """What became of a link."""

    required_scopes = {"GET": LinkScope.READ}

    @extend_schema(parameters=[ListQuery], responses=page_of(LinkChangeOut), operation_id="list_link_changes")
    def get(self, request: Request, link_id: str) -> Response:
        """Who changed what of a link and why, newest first: for its owner, and callers with the scope owners:all."""
        _owned(link_id, actor_of(request))
        fetch = partial(services.history, link_id)
        return list_response(request, LinkChangeOut, fetch, salt=f"link {link_id}")


class LinkStatistics(ApiView):
    """How a link does."""

    required_scopes = {"GET": LinkScope.READ}

    @extend_schema(responses=LinkStatisticsOut, operation_id="get_link_statistics")
    def get(self, request: Request, link_id: str) -> Response:
        """Its latest sessions and its stock: for its owner, and callers with the scope owners:all."""
        _owned(link_id, actor_of(request))
        return Response(LinkStatisticsOut(link_statistics.of_link(link_id)).data)


def _owned(link_id: str, actor: Actor) -> Link:
    """The link, if the actor may see what others do with it.

    Raises:
        LinkNotFound: it may not.
    """
    found = services.see(link_id, actor=actor)
    if not may_see(actor, found.owner, link=link_id):
        raise LinkNotFound(f"There is no link {link_id!r} whose history you may see.")
    return found
