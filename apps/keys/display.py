"""Rendering of pool keys and pools in the console, and what a page says before keys are taken away."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest

from apps.console import render
from apps.console.models import DisplayModel
from apps.console.render import Tone
from apps.files.keys import rewrap
from apps.keys import models, pools, services
from apps.keys.pool_records import Pool
from apps.keys.records import TARGETS, KeyState

TONES = {
    KeyState.PRE_ACTIVE: Tone.INFO,
    KeyState.ACTIVE: Tone.GOOD,
    KeyState.SUSPENDED: Tone.WAIT,
    KeyState.ROTATION_QUEUED: Tone.WAIT,
    KeyState.EXPIRED: Tone.MUTED,
    KeyState.REVOKED: Tone.BAD,
    KeyState.DESTROYED: Tone.MUTED,
}


def leads_to(target: KeyState) -> Any:
    """Return whether a key's state has a way to another one, as an action asks it."""

    def offered(obj: DisplayModel) -> bool:
        return isinstance(obj, models.PoolKey) and target in TARGETS[KeyState(obj.state)]

    return offered


def key_facts(_request: HttpRequest, obj: DisplayModel) -> Sequence[tuple[str, Any]]:
    """Return what a key is now, and what needs it."""
    if not isinstance(obj, models.PoolKey):
        return ()
    return (
        ("State", render.badge(obj.state, TONES)),
        ("Pool", obj.pool),
        ("Uses", render.number(obj.usage)),
        ("Files that need it", render.number(rewrap.waiting_count(obj.pk))),
        ("Messages sealed to it", render.number(obj.messages)),
    )


def _taken(chosen: Sequence[DisplayModel]) -> list[tuple[Pool, int, int]]:
    """Each pool, with its active keys now, and how many of them are chosen."""
    everything = pools.known()
    counted: Counter[str] = Counter()
    for obj in chosen:
        if isinstance(obj, models.PoolKey) and obj.state == KeyState.ACTIVE:
            pool = everything.find(obj.pool)
            counted[pool.name] += obj.suite == pool.suite
    found = [(everything.find(name), count) for name, count in counted.items() if count]
    return [(pool, services.active_count(pool), count) for pool, count in found]


def left_in_pools(_request: HttpRequest, chosen: list[DisplayModel]) -> list[str]:
    """Say what the pools keep once the chosen keys are taken away."""
    told = []
    for pool, active, count in _taken(chosen):
        left = max(0, active - count)
        text = f"Pool {pool.name} keeps {left:,} of its {active:,} active keys (target {pool.full:,})."
        if not left:
            text += " Nothing could be encrypted with this pool until it is refilled, which is tried at once."
        elif left < pool.low:
            text += f" That is below its low-water mark of {pool.low:,}. It is refilled at once."
        told.append(text)
    return told


def spared(_request: HttpRequest, chosen: list[DisplayModel], given: Mapping[str, Any]) -> list[str]:
    """Refuse a choice, as a whole, that takes pools below their low-water marks, unless that is confirmed."""
    if given.get("below_low_water"):
        return []
    return [
        f"Pool {pool.name} would keep {max(0, active - count):,} active keys, fewer than its low-water mark "
        f"{pool.low:,}. Choose fewer keys, or confirm it below. Nothing was changed."
        for pool, active, count in _taken(chosen)
        if active - count < pool.low
    ]
