"""Named pools: made, found by name or alias, changed, and chosen for what is sealed.

All pools and aliases are one partition, read consistently by one Query. A process knows a change after at most
KNOWN_SECONDS; the process that made it, at once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import clock
from apps.common.caching import TimedCache
from apps.common.errors import Forbidden, Invalid, Refused
from apps.common.idempotency import keep
from apps.keys import store
from apps.keys.pool_records import DEFAULT_POOL, Pool, PoolAlias, PoolEmpty, PoolNotFound, Purpose
from apps.keys.store import PoolTable
from apps.keys.trail import PoolEvent
from qkdseal.kem import Suite

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
NUMBERS = ("target", "low_water", "rotation_days", "max_uses")
# What may be chosen when a pool is made; the versions change by ``policy``, the suite not at all.
CHANGEABLE = frozenset(
    {"about", "purposes", "users", "managers", "serves", "accepts_imports", "labels", *NUMBERS}
)
LABELS, LABEL_LENGTH = 50, 128  # as AWS allows them on a resource
KNOWN_SECONDS = 30.0
_known = TimedCache["Known"](max_items=1, ttl_seconds=KNOWN_SECONDS)


@dataclass(frozen=True, slots=True)
class Known:
    """Every pool by its name, and which pool each alias names."""

    pools: Mapping[str, Pool]
    aliases: Mapping[str, PoolAlias]

    def find(self, name: str) -> Pool:
        """The pool of a name or alias.

        Raises:
            PoolNotFound: there is none.
        """
        alias = self.aliases.get(name)
        pool = self.pools.get(alias.alias_of if alias else name)
        if pool is None:
            raise PoolNotFound(
                f"There is no key pool {name!r}. There are: {', '.join(sorted(self.pools)) or 'none yet'}."
            )
        return pool

    def aliases_of(self, pool: str) -> list[str]:
        """The other names of a pool."""
        return sorted(alias.name for alias in self.aliases.values() if alias.alias_of == pool)


def known() -> Known:
    """All pools and aliases, at most KNOWN_SECONDS old."""
    return _known.get("all", _load)


def read() -> Known:
    """All pools and aliases as they are now."""
    forget()
    return known()


def forget() -> None:
    """Let the next caller read the pools again."""
    _known.clear()


def _load() -> Known:
    found = store.named()
    return Known(
        {one.name: one for one in found if isinstance(one, Pool)},
        {one.name: one for one in found if isinstance(one, PoolAlias)},
    )


def ensure_default(*, actor: Actor) -> None:
    """Read the pools, and make the default one where there is none yet. Idempotent.

    Raises:
        Refused: its record is gone, though keys are there: its minimum version would be lost.
    """
    if DEFAULT_POOL in read().pools:
        return
    if store.has_keys():
        raise Refused(
            "The record of the default key pool is gone, but its keys are not. Restore the table of pools."
        )
    try:
        make(DEFAULT_POOL, about="Whatever no other pool is for.", actor=actor)
    except PoolExists:  # another process made it just now
        forget()


class PoolExists(Refused):
    """A pool or an alias has this name already."""


def make(name: str, *, actor: Actor, suite: Suite = Suite.XWING, **chosen: Any) -> Pool:
    """Make a pool. It is filled by the next refill.

    Args:
        name: a to z, 0 to 9 and -, up to 32 characters.
        actor: who makes it.
        suite: of its keys, for good.
        chosen: fields of CHANGEABLE.

    Raises:
        Invalid: a value is not allowed.
        PoolExists: a pool or alias has this name already.
    """
    if not NAME.fullmatch(name) or name in set(Purpose):
        raise Invalid.of("name", "use a to z, 0 to 9 and -, up to 32 characters; not files or messages")
    if not suite.seals:
        raise Invalid.of("suite", "keys of this suite are made where they are asked for, in any pool")
    made = _with(Pool(name, clock.now(), str(actor), suite=suite), chosen)
    row = PoolTable.of(made)
    with transaction(actor) as tx:
        keep(tx, "pool", name=name)
        tx.put(row, otherwise=PoolExists(f"There is a pool or an alias {name!r} already."))
        tx.audit(PoolEvent.MADE, pool=name, suite=suite.value, **_as_detail(chosen))
    forget()
    return replace(made, tag=row.tag or "")


def change(name: str, *, actor: Actor, reason: str, **changes: Any) -> Pool:
    """Change what is said of a pool: any fields of CHANGEABLE.

    Raises:
        PoolNotFound: no such pool.
        Forbidden: the actor does not manage it, or would not after this change.
        Invalid: a value is not allowed.
        Refused: it was changed meanwhile.
    """
    before = read().find(name)
    check_managed(before, actor)
    after = replace(_with(before, changes), changed_at=clock.now())
    if not after.is_managed_by(actor):
        raise Forbidden(
            "You would no longer manage this pool. Name yourself, or one of your groups, as well."
        )
    return _replace(after, PoolEvent.CHANGED, actor=actor, reason=reason, **_as_detail(changes))


def change_versions(pool: Pool, *, event: PoolEvent, actor: Actor, current: int, minimum: int) -> Pool:
    """Change the versions of a pool, as it was read. Which versions there may be is decided by ``policy``."""
    after = replace(pool, current=current, minimum=minimum, changed_at=clock.now())
    return _replace(after, event, actor=actor, version=minimum, before=pool.minimum)


def _replace(after: Pool, event: PoolEvent, *, actor: Actor, **detail: Any) -> Pool:
    row = PoolTable.of(after)
    with transaction(actor) as tx:
        tx.replace(
            row,
            otherwise=Refused(f"Pool {after.name} was changed by someone else meanwhile. Look at it again."),
        )
        tx.audit(event, pool=after.name, **detail)
    forget()
    return replace(after, tag=row.tag or "")


def point(alias: str, pool: str, *, actor: Actor, reason: str) -> PoolAlias:
    """Give a pool another name, or point that name to it instead of another pool.

    ``files`` and ``messages`` name the pool of whoever names none and is served by none.

    Raises:
        PoolNotFound: no such pool.
        Forbidden: the actor does not manage both pools.
        Invalid: the alias is no name, or the pool is not for everybody, or not for this purpose.
        PoolExists: a pool has this name.
        Refused: it was changed meanwhile.
    """
    everything = read()
    target = everything.find(pool)
    check_managed(target, actor)
    _check_alias(alias, target)
    before = everything.aliases.get(alias)
    if before is not None:
        check_managed(everything.find(before.alias_of), actor)
    moment = clock.now()
    if before is None:
        after = PoolAlias(alias, target.name, moment, str(actor))
    else:
        after = replace(before, alias_of=target.name, changed_at=moment)
    row = PoolTable.of(after)
    with transaction(actor) as tx:
        if before is None:
            tx.put(row, otherwise=PoolExists(f"There is a pool or an alias {alias!r} already."))
        else:
            tx.replace(row, otherwise=Refused(f"Alias {alias} was changed meanwhile. Look at it again."))
        tx.audit(
            PoolEvent.ALIAS_POINTED,
            pool=target.name,
            alias=alias,
            before=before.alias_of if before else None,
            reason=reason,
        )
    forget()
    return replace(after, tag=row.tag or "")


def _check_alias(alias: str, target: Pool) -> None:
    if not NAME.fullmatch(alias):
        raise Invalid.of("alias", "use a to z, 0 to 9 and -, up to 32 characters")
    if alias in set(Purpose) and (target.users or alias not in target.purposes):
        raise Invalid.of(
            "pool", f"{alias} chooses for everybody, so its pool must be for {alias} and everybody"
        )


def check_managed(pool: Pool, actor: Actor) -> None:
    """Check that an actor manages a pool.

    Raises:
        Forbidden: not this one.
    """
    if not pool.is_managed_by(actor):
        raise Forbidden(f"You do not manage the key pool {pool.name}. Ask one of its managers.")


def visible_to(actor: Actor) -> list[Pool]:
    """The pools that an actor may use, manages, or sees with everything else, by name."""
    found = sorted(read().pools.values(), key=lambda pool: pool.name)
    return [pool for pool in found if _is_visible(pool, actor)]


def see(name: str, *, actor: Actor) -> Pool:
    """One pool by its name or alias, if the actor may see it.

    Raises:
        PoolNotFound: there is none, or none that the actor may know of.
    """
    found = read()
    alias = found.aliases.get(name)
    pool = found.pools.get(alias.alias_of if alias else name)
    if pool is None or not _is_visible(pool, actor):
        raise PoolNotFound(f"There is no key pool {name!r} that you may use.")
    return pool


def _is_visible(pool: Pool, actor: Actor) -> bool:
    return actor.sees_all or pool.is_used_by(actor) or (bool(pool.managers) and pool.is_managed_by(actor))


def select(purpose: Purpose, *, owner: str, actor: Actor, named: str | None = None) -> Pool:
    """The pool that a file or message is sealed to: the one named, else the owner's, else the purpose's.

    Args:
        purpose: what is sealed.
        owner: of the file or message.
        actor: who seals.
        named: a pool or alias that was asked for.

    Raises:
        PoolNotFound: no such pool.
        PoolEmpty: none is named, and there is none yet.
        Forbidden: the actor may not use it.
        Invalid: it is not for this purpose.
    """
    everything = known()
    if named is None:
        return _default(everything, purpose, owner)
    pool = everything.find(named)
    if not pool.is_used_by(actor):
        raise Forbidden(f"You may not use the key pool {pool.name}. Name another, or none.")
    if purpose not in pool.purposes:
        raise Invalid.of("pool", f"{pool.name} is not for {purpose}; name another, or none")
    return pool


def default(purpose: Purpose) -> Pool:
    """The pool that serves whoever has none of their own and names none.

    Raises:
        PoolEmpty: there is none yet.
    """
    return _default(known(), purpose, owner="")


def _default(everything: Known, purpose: Purpose, owner: str) -> Pool:
    for pool in everything.pools.values():
        if owner in pool.serves and purpose in pool.purposes:
            return pool
    if purpose not in everything.aliases and DEFAULT_POOL not in everything.pools:
        raise PoolEmpty("There is no key pool yet. It is being filled: try again in a moment.")
    return everything.find(purpose if purpose in everything.aliases else DEFAULT_POOL)


def _with(pool: Pool, changes: Mapping[str, Any]) -> Pool:
    """The pool with what is changed.

    Raises:
        Invalid: a field cannot be changed, or not to that.
    """
    for name, value in changes.items():
        if name not in CHANGEABLE:
            raise Invalid.of(name, f"cannot be chosen; what can be is {', '.join(sorted(CHANGEABLE))}")
        if name in NUMBERS and value is not None and (value < (name != "low_water") or value > 2**31):
            raise Invalid.of(name, "a whole number from 1, or nothing for the platform's setting")
    after = replace(pool, **changes)
    if after.low > after.full:
        raise Invalid.of("low_water", f"at most the target, {after.full}")
    if not after.purposes or not set(after.purposes) <= set(Purpose):
        raise Invalid.of("purposes", f"at least one of {', '.join(Purpose)}")
    _check_principals(after)
    _check_labels(after.labels)
    _check_serves(after)
    pointed = set(known().aliases_of(pool.name)) & set(Purpose)
    if pointed and (after.users or not pointed <= set(after.purposes)):
        raise Invalid.of("users", f"the aliases {', '.join(sorted(pointed))} need a pool for everybody")
    if pool.name == DEFAULT_POOL and (after.users or set(after.purposes) != set(Purpose)):
        raise Invalid.of("users", "the default pool is for everybody and every purpose")
    return after


def _check_principals(pool: Pool) -> None:
    for field in ("users", "managers", "serves"):
        for one in getattr(pool, field):
            if one.partition(":")[0] not in {"user", "service", "group"}:
                raise Invalid.of(
                    field, f"{one!r} is no principal; write user:, service: or group:, and the id"
                )


def _check_labels(labels: Mapping[str, str]) -> None:
    if len(labels) > LABELS or any(len(name) + len(value) > LABEL_LENGTH for name, value in labels.items()):
        raise Invalid.of("labels", f"at most {LABELS}, each with at most {LABEL_LENGTH} characters")


def _check_serves(pool: Pool) -> None:
    """Check that no owner is served by two pools for one purpose."""
    for other in known().pools.values():
        both = set(other.serves) & set(pool.serves)
        if other.name != pool.name and both and set(other.purposes) & set(pool.purposes):
            raise Invalid.of("serves", f"{', '.join(sorted(both))} is served by {other.name} already")


def _as_detail(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in changes.items()}
