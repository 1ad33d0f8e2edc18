"""Links: made, found, listed, and asked for by whoever runs a session."""

import re
from collections.abc import Sequence
from contextlib import suppress

from apps.audit.records import Actor, system
from apps.audit.services import transaction
from apps.common import clock
from apps.common.caching import TimedCache
from apps.common.dynamodb import Page, Position
from apps.common.errors import Invalid, NotFound, Refused
from apps.links import store
from apps.links.records import EVERYONE, Link
from apps.links.store import LinkTable
from apps.links.trail import LinkEvent

DEFAULT = "default"
STOCK = "stock"  # the platform's alone: what others run must not count in the verdicts on its sessions
ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
SHOWN = 100  # links that a refusal looks at, to name those that can be used
KNOWN_SECONDS = 30.0
_PLATFORM = system("links")
_BUILT_IN = {
    DEFAULT: ("The link that everybody may use", (EVERYONE,)),
    STOCK: ("The platform's own link", ()),
}
_known = TimedCache[Link](max_items=256, ttl_seconds=KNOWN_SECONDS)


class LinkNotFound(NotFound):
    """No such link."""


def make(
    link_id: str, *, name: str, actor: Actor, users: Sequence[str] = (), owner: str | None = None
) -> Link:
    """Make a link known.

    Args:
        link_id: names it in sessions, for good.
        name: for people.
        actor: who makes it.
        users: ids of the persons, services and groups that may use it; ``EVERYONE`` for all.
        owner: the actor unless told; may use it too.

    Raises:
        Invalid: the id is no id.
        Refused: there is such a link already.
    """
    if not re.fullmatch(ID, link_id):
        raise Invalid.of("link_id", "Letters, digits, dots, dashes and underscores, up to 64.")
    made = Link(
        link_id=link_id,
        name=name,
        owner=owner or str(actor),
        created_at=clock.now(),
        created_by=str(actor),
        users=tuple(sorted(set(users))),
    )
    row = LinkTable.of(made)
    with transaction(actor) as tx:
        tx.put(row, otherwise=Refused(f"There is a link {link_id!r} already."))
        tx.audit(LinkEvent.MADE, link=link_id, owner=made.owner, users=list(made.users))
    return row.record()


def ensure_built_in(link_id: str) -> Link:
    """Find a link that every platform has, and make it where this one is new."""
    found = LinkTable.find(link_id)
    if found is None:
        name, users = _BUILT_IN[link_id]
        with suppress(Refused):  # another process was faster
            return make(link_id, name=name, users=users, actor=_PLATFORM)
        return find(link_id)
    return found


def find(link_id: str) -> Link:
    """One link, read consistently.

    Raises:
        LinkNotFound: no such link.
    """
    found = LinkTable.find(link_id)
    if found is None:
        raise LinkNotFound(f"There is no link {link_id!r}.")
    return found


def check_usable(link_id: str, *, actor: Actor) -> Link:
    """Find the link over which an actor wants to run a session, as this process knows it.

    Raises:
        Invalid: there is no such link, or the actor may not use it; it names those that can be used.
    """
    try:
        found = _known.get(
            link_id, lambda: ensure_built_in(link_id) if link_id in _BUILT_IN else find(link_id)
        )
    except LinkNotFound:
        found = None
    if found is None or not found.serves(actor):
        usable = sorted({DEFAULT, *(link.link_id for link in usable_page(actor=actor, limit=SHOWN).records)})
        raise Invalid.of("link", f"There is no link {link_id!r} that you may use. Use {', '.join(usable)}.")
    return found


def usable_page(*, actor: Actor, limit: int, position: Position | None = None) -> Page[Link]:
    """A page of all links, newest first, of which only those that serve the actor are told."""
    found = store.links_page(limit=limit, position=position)
    return Page([link for link in found.records if link.serves(actor)], found.older, found.newer)


def links_page(*, limit: int, position: Position | None = None) -> Page[Link]:
    """Links, newest first."""
    return store.links_page(limit=limit, position=position)
