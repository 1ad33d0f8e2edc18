"""Links between two sites, over which sessions are run."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from apps.audit.records import Actor, ActorKind
from apps.common.authenticated import Record

EVERYONE = "*"  # among a link's users


class LinkSource(StrEnum):
    """Where a link's keys come from."""

    SIMULATOR = "simulator"


@dataclass(frozen=True, slots=True)
class Link(Record):
    """A link, and who may run sessions over it. The history of its sessions counts in the verdict on the next."""

    link_id: str  # chosen by who makes it, and never changed: sessions carry it
    name: str
    owner: str
    created_at: datetime
    created_by: str
    users: tuple[str, ...] = ()  # ids of persons, services and groups; EVERYONE for all
    source: LinkSource = LinkSource.SIMULATOR

    def serves(self, actor: Actor) -> bool:
        """Return whether the actor may run sessions over it: everybody it names, its owner, and the platform."""
        if actor.kind is ActorKind.SYSTEM or EVERYONE in self.users:
            return True
        return not {str(actor), *actor.groups}.isdisjoint({self.owner, *self.users})
