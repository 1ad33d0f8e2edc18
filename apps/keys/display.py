"""Rendering of pool keys and pools in the console, and what a page says before keys are taken away."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest

from apps.access.console import actor_of
from apps.console import people, render
from apps.console.details import Related
from apps.console.models import DisplayModel
from apps.console.render import Tone
from apps.files.keys import rewrap
from apps.files.messages.listing import kind_of, messages_page
from apps.keys import models, pools, rotation, services
from apps.keys.pool_records import Pool
from apps.keys.records import TARGETS, KeyState, RotationNotFound, rotation_id_of

RELATED = 25

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


def rotation_of(request: HttpRequest, key_id: str) -> list[Related]:
    """Return the rotation of a key, if it has one, with its job and the key that took its place."""
    try:
        found = rotation.find(rotation_id_of(key_id))
    except RotationNotFound:
        return []
    viewer = request.user
    rows = [
        (
            render.link(viewer, "custody.rotation", found.rotation_id),
            found.status.value,
            render.link(viewer, "keys.poolkey", found.new_key_id),
            render.link(viewer, "jobs.job", found.job_id),
        )
    ]
    return [Related(title="Rotation", columns=("Rotation", "Status", "Replaced by", "Job"), rows=rows)]


def files_of(request: HttpRequest, key_id: str) -> Related:
    """Return the newest files that need a key."""
    page = rewrap.waiting(key_id, limit=RELATED)
    rows = [
        (
            render.link(request.user, "files.file", file.file_id, render.name(file.name)),
            render.words(file.status),
            render.link(request.user, "qkd_sessions.session", (file.quantum_key_id or "").rpartition(".")[0]),
            render.short(file.owner),
        )
        for file in page.records
    ]
    note = "" if rows else "No file needs this key."
    more = f"The newest {len(rows)} of {rewrap.waiting_count(key_id):,}." if page.older else ""
    columns = ("File", "Status", "Session of its quantum key", "Owner")
    return Related(title="Files that need it", columns=columns, rows=rows, note=note, more=more)


def messages_of(request: HttpRequest, key_id: str) -> Related:
    """Return the newest messages that are sealed to a key."""
    page = messages_page(actor=actor_of(request), limit=RELATED, pool_key=key_id)
    rows = [
        (
            render.link(request.user, "files.message", message.key_id, message.subject),
            kind_of(message.subject),
            render.link(request.user, "qkd_sessions.session", message.session_id),
            people.who(message.taken_by),
            render.moment(message.taken_at),
        )
        for message in page.records[:RELATED]
    ]
    note = "" if rows else "No message is sealed to this key."
    more = render.list_link(request.user, "files.message", "All messages sealed to it", key=key_id)
    columns = ("Message", "Kind", "Session of its quantum key", "Sealed by", "Sealed")
    return Related(
        title="Messages sealed to it", columns=columns, rows=rows, note=note, more=more if rows else ""
    )
