"""Links: made, changed, found, listed, and asked for by whoever runs a session."""

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from apps.audit.records import Actor, system
from apps.audit.services import Transaction, transaction
from apps.common import clock
from apps.common.caching import TimedCache
from apps.common.dynamodb import Page, Position, pages
from apps.common.errors import Invalid, Refused
from apps.common.idempotency import keep
from apps.links import sources, store, times
from apps.links.records import (
    EVERYONE,
    Link,
    LinkChange,
    LinkNotFound,
    LinkSource,
    LinkState,
    LinkUnusable,
)
from apps.links.store import LinkChangeTable, LinkTable
from apps.links.trail import LinkEvent

DEFAULT = "default"
STOCK = "stock"  # the platform's alone: what others run must not count in the verdicts on its sessions
ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
SHOWN = 100  # links that a refusal looks at, to name those that can be used
KNOWN_SECONDS = 30.0
MOST_KEYS = 10_000_000  # of a stock over one link
CHANGEABLE = frozenset(
    {
        "name",
        "users",
        "site_a",
        "site_b",
        "parameters",
        "qber_threshold",
        "low_water",
        "target",
        "schedule",
    }
)
_PLATFORM = system("links")
_BUILT_IN = {
    DEFAULT: ("The link that everybody may use", (EVERYONE,)),
    STOCK: ("The platform's own link", ()),
}
HELD_SECONDS = 5.0  # until every process knows that a link was quarantined
_held = TimedCache[frozenset[str]](max_items=1, ttl_seconds=HELD_SECONDS)
_known = TimedCache[Link](max_items=256, ttl_seconds=KNOWN_SECONDS)


class LinkChanged(LinkUnusable):
    """The link was changed while a session was run over it; look at it again."""


def make(
    link_id: str,
    *,
    name: str,
    actor: Actor,
    users: Sequence[str] = (),
    owner: str | None = None,
    source: LinkSource = LinkSource.SIMULATOR,
    **chosen: Any,
) -> Link:
    """Make a link known.

    Args:
        link_id: names it in sessions, for good.
        name: for people.
        actor: who makes it.
        users: ids of the persons, services and groups that may use it; ``EVERYONE`` for all.
        owner: the actor unless told; may use it too.
        source: where its keys come from, for good.
        chosen: other fields of CHANGEABLE.

    Raises:
        Invalid: the id is no id, or a value is not allowed.
        Refused: there is such a link already.
    """
    if not re.fullmatch(ID, link_id):
        raise Invalid.of("link_id", "Letters, digits, dots, dashes and underscores, up to 64.")
    moment = clock.now()
    bare = Link(link_id, name, owner or str(actor), moment, str(actor), source=source)
    _check_principals("owner", [bare.owner])
    made = _with(bare, {"users": users, **chosen})
    row = LinkTable.of(made)
    with transaction(actor) as tx:
        keep(tx, "link", link_id=link_id)
        tx.put(row, otherwise=Refused(f"There is a link {link_id!r} already."))
        _remember(tx, made, LinkEvent.MADE, reason="", fields=chosen)
        tx.audit(LinkEvent.MADE, link=link_id, owner=made.owner, users=list(made.users))
    return row.record()


def change(link_id: str, *, actor: Actor, reason: str, **changes: Any) -> Link:
    """Change what is said of a link: any fields of CHANGEABLE.

    Raises:
        LinkNotFound: no such link.
        Invalid: a value is not allowed.
        Refused: it is retired, or was changed meanwhile.
    """
    before = find(link_id)
    if before.state is LinkState.RETIRED:
        raise Refused(f"Link {link_id} is retired; nothing of it changes any more.")
    return replace_link(_with(before, changes), LinkEvent.CHANGED, actor=actor, reason=reason, fields=changes)


def replace_link(
    after: Link, event: LinkEvent, *, actor: Actor, reason: str, fields: Iterable[str] = ()
) -> Link:
    """Keep a link as it was changed, with its entry and a step of its history.

    Raises:
        Refused: it was changed meanwhile.
    """
    after = replace(after, changed_at=clock.now())
    row = LinkTable.of(after)
    with transaction(actor) as tx:
        tx.replace(row, otherwise=Refused(f"Link {after.link_id} was changed meanwhile. Look at it again."))
        _remember(tx, after, event, reason=reason, fields=fields)
        tx.audit(event, link=after.link_id, reason=reason, case=after.case_id, fields=sorted(fields) or None)
    _known.forget(after.link_id)
    _held.clear()
    return row.record()


def _remember(tx: Transaction, link: Link, event: LinkEvent, *, reason: str, fields: Iterable[str]) -> None:
    """Add a step to a link's history."""
    step = LinkChange(
        change_id=uuid.uuid4().hex,
        link_id=link.link_id,
        changed_at=link.changed_at or link.created_at,
        changed_by=str(tx.actor),
        event=event.value,
        state=link.state,
        reason=reason,
        case_id=link.case_id,
        changed_fields=tuple(sorted(fields)),
    )
    tx.put(LinkChangeTable.of(step))


def _with(link: Link, changes: Mapping[str, Any]) -> Link:
    """The link with what is changed.

    Raises:
        Invalid: a field cannot be changed, or not to that.
    """
    for name in changes:
        if name not in CHANGEABLE:
            raise Invalid.of(name, f"cannot be chosen; what can be is {', '.join(sorted(CHANGEABLE))}")
    after = replace(link, **changes)
    after = replace(after, users=tuple(sorted(set(after.users))))
    _check_principals("users", [user for user in after.users if user != EVERYONE])
    if after.qber_threshold is not None and not 0 < after.qber_threshold <= 0.5:
        raise Invalid.of("qber_threshold", "more than 0, at most 0.5; or nothing for the platform's")
    _check_marks(after)
    if after.schedule is not None:
        after = replace(after, schedule=times.check(after.schedule))
    if after.parameters is not None:
        sources.check(after.source, after.parameters)
    elif after.source is not LinkSource.SIMULATOR:
        raise Invalid.of("parameters", f"A link from {after.source} needs them.")
    return after


def _check_marks(link: Link) -> None:
    if link.low_water is None and link.target is None:
        if link.schedule:
            raise Invalid.of("schedule", "Say low_water and target, too: up to how many keys are produced.")
        return
    if link.link_id in _BUILT_IN:
        raise Invalid.of("low_water", "of the built-in links nothing but STOCK_LOW_WATER and STOCK_TARGET")
    low, target = link.low_water or 0, link.target or 0
    if not (1 <= low <= target <= MOST_KEYS):
        raise Invalid.of("target", f"give both: 1 <= low_water <= target <= {MOST_KEYS:,}")


def _check_principals(field: str, principals: Sequence[str]) -> None:
    for one in principals:
        kind, _, identifier = one.partition(":")
        if kind not in {"user", "service", "group", "system"} or not identifier:
            raise Invalid.of(field, f"{one!r} is no principal; write user:, service: or group:, and the id")


def ensure_built_in(link_id: str) -> Link:
    """Find a link that every platform has, and make it where this one is new."""
    found = LinkTable.find(link_id)
    if found is None:
        name, users = _BUILT_IN[link_id]
        with suppress(Refused):  # another process was faster
            return make(link_id, name=name, users=users, actor=_PLATFORM)
        return find(link_id)
    return found


def ensure_all_built_in() -> int:
    """Make the links that every platform has, where they are missing; return how many there are."""
    return len([ensure_built_in(link_id) for link_id in _BUILT_IN])


def is_built_in(link_id: str) -> bool:
    """Return whether every platform has this link."""
    return link_id in _BUILT_IN


def find(link_id: str) -> Link:
    """One link, read consistently.

    Raises:
        LinkNotFound: no such link.
    """
    found = LinkTable.find(link_id)
    if found is None:
        raise LinkNotFound(f"There is no link {link_id!r}.")
    return found


def see(link_id: str, *, actor: Actor) -> Link:
    """One link that the actor may use, owns, or sees with everything else.

    Raises:
        LinkNotFound: no such link, or none that the actor may know of.
    """
    found = LinkTable.find(link_id)
    if found is None or not (actor.sees_all or found.serves(actor)):
        raise LinkNotFound(f"There is no link {link_id!r} that you may use.")
    return found


def check_usable(link_id: str, *, actor: Actor) -> Link:
    """Find the link over which an actor wants to run a session, as this process knows it.

    Raises:
        Invalid: there is no such link, or the actor may not use it; it names those that can be used.
        LinkUnusable: it is not active.
    """
    return _checked(link_id, actor, fresh=False)


def running(link_id: str, *, actor: Actor) -> Link:
    """Find the link over which a session is run now, read consistently.

    Raises:
        Invalid, LinkUnusable: as ``check_usable``.
    """
    return _checked(link_id, actor, fresh=True)


def _checked(link_id: str, actor: Actor, *, fresh: bool) -> Link:
    if fresh:
        _known.forget(link_id)
    try:
        found = _known.get(
            link_id, lambda: ensure_built_in(link_id) if link_id in _BUILT_IN else find(link_id)
        )
    except LinkNotFound:
        found = None
    if found is None or not found.serves(actor):
        usable = sorted({DEFAULT, *(link.link_id for link in usable_page(actor=actor, limit=SHOWN).records)})
        raise Invalid.of("link", f"There is no link {link_id!r} that you may use. Use {', '.join(usable)}.")
    if not found.is_active:
        raise LinkUnusable(f"Link {link_id} is {found.state}, so no session is run over it. Use another.")
    return found


def require_running(tx: Transaction, link: Link) -> None:
    """Let a session be kept only while its link is as it was read: not paused or quarantined meanwhile.

    Raises (at commit):
        LinkChanged: it is not; ``running`` says whether it may still be used.
    """
    changed = LinkChanged(f"Link {link.link_id} was changed while the session was run. Try again.")
    tx.require(LinkTable.of(link), otherwise=changed)


def threshold_over(link_id: str) -> float | None:
    """The error rate above which sessions over a link are compromised; None where nobody said one."""
    found = LinkTable.find(link_id)
    return None if found is None or found.qber_threshold is None else float(found.qber_threshold)


def supplied() -> list[Link]:
    """The active links over which the platform keeps a stock by itself, beside its own."""
    found = pages(lambda position: store.links_page(limit=SHOWN, position=position))
    return [link for one in found for link in one.records if link.is_supplied]


def used() -> list[Link]:
    """The links that are active."""
    found = pages(lambda position: store.links_page(limit=SHOWN, position=position))
    return [link for one in found for link in one.records if link.is_active]


def held_back() -> frozenset[str]:
    """The links that a case quarantined, whose ready keys nobody is given until it releases them; read a moment ago."""
    return _held.get("", _read_held)


def _read_held() -> frozenset[str]:
    found = pages(lambda position: store.links_page(limit=SHOWN, position=position))
    return frozenset(
        link.link_id for one in found for link in one.records if link.state is LinkState.QUARANTINED
    )


def usable_page(*, actor: Actor, limit: int, position: Position | None = None) -> Page[Link]:
    """A page of all links, newest first, of which only those that the actor may see are told."""
    found = store.links_page(limit=limit, position=position)
    told = [link for link in found.records if actor.sees_all or link.serves(actor)]
    return Page(told, found.older, found.newer)


def links_page(*, limit: int, position: Position | None = None) -> Page[Link]:
    """Links, newest first."""
    return store.links_page(limit=limit, position=position)


def history(link_id: str, *, limit: int, position: Position | None = None) -> Page[LinkChange]:
    """What became of a link, newest first."""
    return store.changes_page(link_id, limit=limit, position=position)
