"""What the other site of a link is answered: the state of sessions, and that keys are held here."""

from collections.abc import Mapping
from typing import Any

from apps.audit.records import Actor
from apps.common.errors import Invalid
from apps.kme.records import NotAuthorised, Sae
from apps.kme.sites import handing
from apps.kme.sites.running import role_of
from apps.links import services as links
from apps.links.records import Link, LinkNotFound, LinkSource, LinkUnusable
from apps.sessions import sites, stock


def _link_of(caller: Sae, link_id: str) -> Link:
    """The link whose other site the caller is.

    Raises:
        NotAuthorised: there is none, or the caller is somebody else.
    """
    try:
        found = links.find(link_id)
    except LinkNotFound:
        found = None
    if (
        found is None
        or found.source is not LinkSource.OTHER_SITE
        or (found.parameters or {}).get("peer") != caller.sae_id
    ):
        raise NotAuthorised("This is not the other site of the link.")
    return found


def statuses(caller: Sae, link_id: str, asked: Any) -> Mapping[str, Any]:
    """What became here of sessions of a link, and how many keys this site has ready to give out over it.

    Raises:
        NotAuthorised: the caller is not the link's other site.
        Invalid: these are no ids of sessions.
    """
    link = _link_of(caller, link_id)
    if not isinstance(asked, list) or len(asked) > sites.LATEST or not all(_is_id(one) for one in asked):
        raise Invalid(f"sessions shall be an array of at most {sites.LATEST} ids")
    coming = sites.coming(sites.unsettled(link.link_id), role_of(link))
    return {
        "statuses": sites.statuses(link.link_id, asked),
        "ready": stock.shared_over(link.link_id) + coming,
    }


def _is_id(one: Any) -> bool:
    return isinstance(one, str) and 0 < len(one) <= 64 and one.isascii()


def deliveries(caller: Sae, link_id: str, told: Any, *, actor: Actor) -> Mapping[str, Any]:
    """Hold keys that the other site of a link gives out.

    Raises:
        NotAuthorised: the caller is not the link's other site; or an application is not where it should be.
        LinkUnusable: the link is paused, quarantined or retired here.
        Invalid, Refused: as ``handing.accept``.
    """
    link = _link_of(caller, link_id)
    if not link.is_active:
        raise LinkUnusable(f"Link {link_id} is {link.state} here.")
    if not isinstance(told, list):
        raise Invalid("keys shall be an array of objects")
    return {"held": handing.accept(link, told, actor=actor)}
