"""Root keys replaced: every wrapped secret is re-wrapped under the current one, each with its entry.

While that goes on the old root key still unwraps. What is left is one Query for each kind of secret, so an
interrupted replacement goes on by being started again. An old root key is retired only when nothing is under it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from apps.audit.records import Actor
from apps.audit.services import Conflict, record
from apps.common import clock
from apps.common.errors import Refused
from apps.common.root_keys.configured import root_key
from apps.common.root_keys.local import LocalRootKey
from apps.common.root_keys.ring import RootKeyRing
from apps.custody import kept_secrets
from apps.custody.trail import RootKeyEvent
from apps.keys import canaries, seeds, wrapped_secrets
from apps.keys.trail import SecretEvent
from apps.keys.wrapped_secrets import WrappedSecret, count_under
from apps.sessions import finals

SETTLE_SECONDS = 60  # an index shows a secret this long after it was wrapped at the latest
Progress = Callable[[int, int], None]


class NothingToRotate(Refused):
    """There is one root key only, and KMS has to make the next one."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A root key, and how much is wrapped under it."""

    root_key_id: str
    current: bool
    pool_keys: int
    sessions: int


def status() -> list[Holding]:
    """The current root key and the older ones."""
    root = root_key()
    return [
        Holding(name, name == root.id, count_under(seeds.KIND, name), count_under(finals.KIND, name))
        for name in (root.id, *root.old_ids)
    ]


def rotate(*, actor: Actor, progress: Progress | None = None) -> int:
    """Wrap everything under a new root key; returns how many secrets were re-wrapped.

    A local root key is made here, unless an earlier rotation is not finished. With KMS, ``ROOT_KEY`` names the
    new key and ``ROOT_KEY_PREVIOUS`` the old one before this runs.

    Raises:
        NothingToRotate: KMS, and no previous key is configured.
        RootKeyUnavailable: a root key does not answer; run it again.
    """
    root = _local()
    if not root_key().old_ids:
        if root is None:
            raise NothingToRotate(
                "There is no older root key to replace. Set ROOT_KEY to the new KMS key and ROOT_KEY_PREVIOUS to the old one."
            )
        record(
            actor, RootKeyEvent.MADE, old_root_key_id=root.id
        )  # first: what cannot be recorded is not done
        root.add()
    return rewrap_all(actor=actor, progress=progress)


def rewrap_all(*, actor: Actor, progress: Progress | None = None) -> int:
    """Re-wrap every secret that is under an older root key; returns how many were.

    Raises:
        KeyUnusable, SessionUnusable: one is damaged; it stays as it is, the others are done when run again.
    """
    waiting = [
        (find, identifier)
        for old in root_key().old_ids
        for kind, find in kept_secrets.FINDERS
        for identifier in wrapped_secrets.ids_under(kind, old)
    ]
    rewrapped = 0
    for number, (find, identifier) in enumerate(waiting, start=1):
        rewrapped += _rewrap(find(identifier), actor)
        if progress is not None:
            progress(number, len(waiting))
    return rewrapped


def _rewrap(secret: WrappedSecret | None, actor: Actor) -> bool:
    """Re-wrap a secret; return whether that was still to be done."""
    if secret is None or secret.wrapping.root_key_id == root_key().id:
        return False  # removed or re-wrapped since the Query
    try:
        wrapped_secrets.rewrap(
            secret, wrapped_secrets.unwrap(secret), event=SecretEvent.REWRAPPED, actor=actor
        )
    except Conflict:
        return False  # someone else re-wrapped it just now
    return True


def retire(*, actor: Actor) -> tuple[str, ...]:
    """Forget the older root keys, once nothing is wrapped under them; returns their ids.

    Keys of KMS are not touched: what is returned can be taken out of ``ROOT_KEY_PREVIOUS``.

    Raises:
        Refused: something is wrapped under one of them, or may be as the index lags.
    """
    for held in status():
        if not held.current and held.pool_keys + held.sessions:
            raise Refused(
                f"{held.pool_keys} pool keys and {held.sessions} sessions are wrapped under {held.root_key_id}. "
                "Re-wrap them first: manage.py root_key rotate."
            )
    root = _local()
    if root is None or not root.old_ids:
        canaries.retire(root_key().old_ids, actor=actor)
        return root_key().old_ids
    if root.seconds_since_change(clock.now().timestamp()) < SETTLE_SECONDS:
        raise Refused(f"The root key was changed less than {SETTLE_SECONDS} s ago. Try again in a minute.")
    record(actor, RootKeyEvent.RETIRED, root_key_ids=list(root.old_ids))
    canaries.retire(root.old_ids, actor=actor)
    return root.retire()


def _local() -> LocalRootKey | None:
    """The local root key, if that is what wraps."""
    root = root_key()
    current = root.current if isinstance(root, RootKeyRing) else root
    return current if isinstance(current, LocalRootKey) else None
