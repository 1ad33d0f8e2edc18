"""Key pools: what each is for, how it is filled, and who may use and manage it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from django.conf import settings

from apps.audit.records import Actor, ActorKind
from apps.common.authenticated import Record
from apps.common.errors import NotFound, Unavailable
from qkdseal.kem import DEFAULT_SUITE, Suite

DEFAULT_POOL = "default"


class PoolNotFound(NotFound):
    """No such key pool, under this name or alias."""


class PoolEmpty(Unavailable):
    """No active key to seal to."""


class Purpose(StrEnum):
    """What a pool key is picked for. As an alias, it names the pool that serves whoever names none."""

    FILES = "files"
    MESSAGES = "messages"


@dataclass(frozen=True, slots=True)
class Pool(Record):
    """Keys that are picked, refilled and rotated together. A number that is None is the platform's setting."""

    name: str
    created_at: datetime
    created_by: str
    about: str = ""
    purposes: tuple[str, ...] = tuple(Purpose)
    suite: Suite = DEFAULT_SUITE
    target: int | None = None
    low_water: int | None = None
    rotation_days: int | None = None
    max_uses: int | None = None
    current: int = 1  # version of new keys
    minimum: int = 1  # keys below it open only so that their files can be re-wrapped
    users: tuple[str, ...] = ()  # principals and groups who may seal to it; empty: everybody
    managers: tuple[
        str, ...
    ] = ()  # likewise who may manage it, with the scope; empty: everybody with the scope
    serves: tuple[str, ...] = ()  # owners whose files and messages are sealed to it unless they name another
    accepts_imports: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    changed_at: datetime | None = None

    @property
    def full(self) -> int:
        """How many active keys a refill brings it to."""
        return int(self.target or settings.POOL_TARGET)

    @property
    def low(self) -> int:
        """Below it the pool is refilled: unless told, the same share of the target in every pool."""
        if self.low_water is not None:
            return int(self.low_water)
        return -(-self.full * min(settings.POOL_LOW_WATER, settings.POOL_TARGET) // settings.POOL_TARGET)

    @property
    def rotated_after_days(self) -> int:
        """Days after which its keys are rotated."""
        return int(self.rotation_days or settings.POOL_ROTATION_DAYS)

    @property
    def rotated_after_uses(self) -> int:
        """Uses after which its keys are rotated."""
        return int(self.max_uses or settings.POOL_MAX_USES)

    def is_used_by(self, actor: Actor) -> bool:
        """Return whether an actor may seal to its keys."""
        return _is_among(self.users, actor)

    def is_managed_by(self, actor: Actor) -> bool:
        """Return whether an actor who manages keys may manage those of this pool."""
        return _is_among(self.managers, actor)


def _is_among(principals: tuple[str, ...], actor: Actor) -> bool:
    """Return whether a list names an actor or a group of theirs; an empty one names everybody."""
    if not principals or actor.kind is ActorKind.SYSTEM:
        return True
    return not actor.groups.isdisjoint(principals) or str(actor) in principals


@dataclass(frozen=True, slots=True)
class PoolAlias(Record):
    """Another name of a pool, which can be pointed to another one."""

    name: str
    alias_of: str
    created_at: datetime
    created_by: str
    changed_at: datetime | None = None
