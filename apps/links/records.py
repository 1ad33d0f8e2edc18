"""Links between two sites: where keys come from, who may use them, and whether they may be used now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from apps.audit.records import Actor, ActorKind
from apps.common.authenticated import Record
from apps.common.errors import NotFound, Refused

EVERYONE = "*"  # among a link's users


class LinkNotFound(NotFound):
    """No such link, or none that the caller may know of."""


class LinkUnusable(Refused):
    """The link runs no sessions now: it is paused, quarantined or retired."""


class LinkSource(StrEnum):
    """Where a link's keys come from."""

    SIMULATOR = "simulator"
    EXTERNAL_KME = "external_kme"  # another key management entity, by ETSI GS QKD 014
    OTHER_SITE = "other_site"  # another installation of the platform: each runs one end of the sessions


class LinkState(StrEnum):
    """Only an ``active`` link runs sessions."""

    ACTIVE = "active"
    PAUSED = "paused"  # by an operator, until resumed
    QUARANTINED = "quarantined"  # by a case, until released
    RETIRED = "retired"  # for good; its sessions and keys stay what they are


TRANSITIONS: Mapping[LinkState, frozenset[LinkState]] = {
    LinkState.ACTIVE: frozenset({LinkState.PAUSED, LinkState.QUARANTINED, LinkState.RETIRED}),
    LinkState.PAUSED: frozenset({LinkState.ACTIVE, LinkState.QUARANTINED, LinkState.RETIRED}),
    LinkState.QUARANTINED: frozenset({LinkState.ACTIVE, LinkState.RETIRED}),
    LinkState.RETIRED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Link(Record):
    """A link, and who may run sessions over it. The history of its sessions counts in the verdict on the next.

    What is None was never said: the platform's settings hold, or the session's own request.
    """

    link_id: str  # chosen by who makes it, and never changed: sessions carry it
    name: str
    owner: str
    created_at: datetime
    created_by: str
    users: tuple[str, ...] = ()  # ids of persons, services and groups; EVERYONE for all
    source: LinkSource = LinkSource.SIMULATOR
    site_a: str | None = None  # names of the two places that it joins
    site_b: str | None = None
    parameters: Mapping[str, Any] | None = None  # of its source; which it has, ``sources`` says
    qber_threshold: float | None = None  # above it the detector finds a session compromised
    low_water: int | None = None  # the platform keeps at least so many quantum keys ready over it, by itself
    target: int | None = None
    schedule: tuple[str, ...] | None = (
        None  # times of day of UTC in which the platform produces keys; None: by demand
    )
    halted: LinkState | None = None  # None: active
    reason: str | None = None  # of the last transition
    case_id: str | None = None  # that quarantined it
    changed_at: datetime | None = None

    @property
    def state(self) -> LinkState:
        """Whether it may be used."""
        return self.halted or LinkState.ACTIVE

    @property
    def is_active(self) -> bool:
        """Return whether sessions may be run over it."""
        return self.halted is None

    @property
    def is_supplied(self) -> bool:
        """Return whether the platform keeps a stock over it by itself."""
        return self.is_active and self.low_water is not None

    def serves(self, actor: Actor) -> bool:
        """Return whether the actor may run sessions over it: everybody it names, its owner, and the platform."""
        if actor.kind is ActorKind.SYSTEM or EVERYONE in self.users:
            return True
        return not {str(actor), *actor.groups}.isdisjoint({self.owner, *self.users})


@dataclass(frozen=True, slots=True)
class LinkChange(Record):
    """One step in the history of a link: what somebody made of it, when and why."""

    change_id: str
    link_id: str
    changed_at: datetime
    changed_by: str
    event: str
    state: LinkState  # after it
    reason: str
    case_id: str | None = None
    changed_fields: tuple[str, ...] = ()
