"""Destruction of pool keys: asked for, approved by a second person, after a window, never while a file needs the key."""

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common.errors import Refused
from apps.common.sweeps import each
from apps.custody import approvals, counting
from apps.custody.records import Approval, Guarded
from apps.files.keys import rewrap
from apps.keys import lifecycle
from apps.keys import services as keys
from apps.keys.records import PoolKey
from apps.sessions.sealed_messages import count_messages_sealed_by


class KeyNeeded(Refused):
    """A file still needs the key (I5)."""


def request(key_id: str, *, reason: str, actor: Actor, lose_messages: bool = False) -> Approval:
    """Ask for a key's destruction.

    Args:
        key_id: of a key that is expired, revoked, or was never active.
        reason: kept with the request and the key.
        actor: who asks.
        lose_messages: confirms that the messages sealed to this key will never open again: clients keep their
            packages, so that nothing can re-wrap them.

    Raises:
        KeyNotFound: no such key.
        IllegalTransition: its state has no way to destruction.
        KeyNeeded: a file needs it, or messages do and ``lose_messages`` is not set.
    """
    messages = _check(keys.find(key_id), lose_messages=lose_messages)
    return approvals.request(
        Guarded.DESTROY_KEY,
        key_id,
        reason=reason,
        actor=actor,
        parameters={"lose_messages": lose_messages, "messages": messages},
    )


def schedule(approval_id: str, *, actor: Actor) -> PoolKey:
    """Start the waiting window of a destruction that a second person allowed.

    Raises:
        ApprovalNotFound, NotApproved: not allowed (any more).
        IllegalTransition, KeyNeeded: as ``request``.
    """
    key = keys.find(approvals.find(approval_id).subject)
    approval = approvals.check(approval_id, Guarded.DESTROY_KEY, key.key_id)
    messages = _check(key, lose_messages=bool(approval.parameters["lose_messages"]))
    with transaction(actor) as tx:
        approvals.use(tx, approval)
        lifecycle.schedule_destruction(
            tx, key, after=lifecycle.destruction_end(), reason=approval.reason, messages=messages
        )
    return keys.find(key.key_id)


def _check(key: PoolKey, *, lose_messages: bool) -> int:
    """Check that nothing needs the key; return how many messages are lost with it, as was confirmed.

    They are counted where they are, up to ``counting.AT_ONCE``: the key's own counter is nothing that its record
    vouches for.
    """
    key.transition("destroy")
    files = counting.at_once(rewrap.waiting_count, [key.key_id])
    if files:
        raise KeyNeeded(
            f"{counting.as_words(files)} files need {key.key_id}, so it cannot be destroyed. Re-wrap them first."
        )
    messages = counting.at_once(count_messages_sealed_by, [key.key_id])
    if messages and not lose_messages:
        raise KeyNeeded(
            f"{counting.as_words(messages)} messages are sealed to {key.key_id} and would never open again. "
            "Set lose_messages to destroy it all the same."
        )
    return messages


def destroy_due(*, actor: Actor) -> int:
    """Destroy keys whose window has ended; returns how many. A key that a file still needs is kept and reported.

    Raises:
        ExceptionGroup: of KeyNeeded among others, once all were tried.
    """

    def destroy(key: PoolKey) -> None:
        # Checked again: nothing can seal to the key since it left use, but its loss could not be undone
        # A row that somebody made unreadable still needs its key, once it is put right
        if rewrap.is_needed(key.key_id):
            raise KeyNeeded(
                f"A file needs {key.key_id}, so it is not destroyed though that is due. Re-wrap it."
            )
        lifecycle.destroy(key, actor=actor)

    return each(lifecycle.due_for_destruction(), destroy)
