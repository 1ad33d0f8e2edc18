"""Canaries: whether the root key is the one that the platform's secrets are wrapped under.

Beside the secrets stands, for each root key in use, a known text that it wrapped. A process opens all of them before
the first secret that it wraps under a root key leaves it; a start and readiness open them too. So another key file,
or an alias that points elsewhere, is refused before anything is acknowledged that only both keys could open.
"""

import logging

from apps.audit.records import Actor, system
from apps.audit.services import Conflict, transaction
from apps.common import clock
from apps.common.root_keys.configured import root_key
from apps.common.root_keys.interface import RootKey, RootKeyUnavailable, UnwrapFailed
from apps.keys import store
from apps.keys.records import Canary
from apps.keys.store import CanaryTable
from apps.keys.trail import CanaryEvent

log = logging.getLogger(__name__)
STARTER = system("start")
_TEXT = b"This is the root key that the platform's secrets are wrapped under."
_opened: set[str] = set()  # ids of root keys that this process has found to be right


class OtherRootKey(RootKeyUnavailable):
    """The configured root key does not open what the platform has wrapped."""


def open_all() -> list[Canary]:
    """Open every canary, and return them.

    Raises:
        OtherRootKey: one does not open, or all pool keys are wrapped under root keys that are not configured.
        RootKeyUnavailable: the root key does not answer.
    """
    root, found = root_key(), store.canaries()
    for canary in found:
        _open(root, canary)
    if not found and store.has_keys() and not store.any_under((root.id, *root.old_ids)):
        raise _other(root, "an unknown root key")
    return found


def ensure(*, actor: Actor = STARTER) -> None:
    """Open every canary, and wrap the one of the current root key where it has none yet.

    Raises:
        OtherRootKey, RootKeyUnavailable: as ``open_all``; nothing was changed.
    """
    found, root = open_all(), root_key()
    if root.id not in {canary.root_key_id for canary in found}:
        _wrap(root, actor)
    _opened.add(root.id)


def require(root: RootKey) -> None:
    """Let what was just wrapped leave this process only if its root key is the platform's; asks once for each key.

    It is called after wrapping: a key file may be replaced between any two calls.

    Raises:
        OtherRootKey, RootKeyUnavailable: what was wrapped must not be kept.
    """
    if root.id not in _opened:
        ensure()


def forget() -> None:
    """Let this process ask again."""
    _opened.clear()


def accept(*, actor: Actor) -> None:
    """Take the configured root key for the platform's, whatever the canaries say: the one before is lost.

    Raises:
        RootKeyUnavailable: the root key does not answer.
    """
    root = root_key()
    found = store.canaries()
    if root.id not in {canary.root_key_id for canary in found}:
        _wrap(root, actor)
    lost = [canary for canary in found if not _opens(root, canary)]
    if lost:
        _remove(lost, actor, event=CanaryEvent.ROOT_KEY_LOST)
    ensure(actor=actor)


def retire(root_key_ids: tuple[str, ...], *, actor: Actor) -> None:
    """Remove the canaries of root keys under which nothing is wrapped any more, before those keys are forgotten."""
    old = [canary for canary in store.canaries() if canary.root_key_id in root_key_ids]
    if old:
        _remove(old, actor, event=CanaryEvent.REMOVED)


def _wrap(root: RootKey, actor: Actor) -> None:
    blob = root.wrap(_TEXT, context=_context())
    canary = Canary(root_key_id=root.id, wrapped=blob, created_at=clock.now())
    try:
        with transaction(actor) as tx:
            tx.put(CanaryTable.of(canary))
            tx.audit(CanaryEvent.WRAPPED, root_key_id=canary.root_key_id)
    except Conflict:
        log.info("another process wrapped the canary of %s", canary.root_key_id)


def _remove(canaries: list[Canary], actor: Actor, *, event: CanaryEvent) -> None:
    with transaction(actor) as tx:
        for canary in canaries:
            tx.delete(CanaryTable.of(canary))
        tx.audit(event, root_key_ids=[canary.root_key_id for canary in canaries])


def _open(root: RootKey, canary: Canary) -> None:
    if not _opens(root, canary):
        raise _other(root, canary.root_key_id)


def _opens(root: RootKey, canary: Canary) -> bool:
    try:
        return root.unwrap(canary.wrapped, context=_context()) == _TEXT
    except UnwrapFailed:
        return False


def _other(root: RootKey, missing: str) -> OtherRootKey:
    problem = (
        f"The root key {root.id} does not open what the platform has wrapped under {missing}. Configure that root key "
        "(ROOT_KEY, or ROOT_KEY_PREVIOUS while it is being replaced); if it is lost, see docs/custody.md."
    )
    log.error("%s", problem)
    return OtherRootKey(problem)


def _context() -> dict[str, str]:
    return {"record": "root key canary"}
