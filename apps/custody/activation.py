"""Activation of an imported key: who brought it may know its seed, so a second person lets it seal."""

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.custody import approvals
from apps.custody.records import Approval, Guarded
from apps.keys import lifecycle
from apps.keys import services as keys
from apps.keys.records import PoolKey
from qkdseal import kem


def request(key_id: str, *, reason: str, actor: Actor) -> Approval:
    """Ask that an imported key may seal; what is approved is this public key in this pool.

    Raises:
        KeyNotFound: no such key.
        IllegalTransition: it was activated already, or is out of use.
        Forbidden: the actor does not manage its pool.
        Refused: its pool takes no imported keys (any more).
    """
    key = keys.find(key_id)
    lifecycle.check_activation(key, actor=actor)
    return approvals.request(
        Guarded.ACTIVATE_KEY,
        key_id,
        reason=reason,
        actor=actor,
        parameters={"pool": key.pool, "fingerprint": kem.fingerprint(key.public_key)},
    )


def activate(approval_id: str, *, actor: Actor) -> PoolKey:
    """Let an imported key seal, as a second person allowed.

    Raises:
        ApprovalNotFound, NotApproved: not allowed (any more).
        IllegalTransition, Forbidden, Refused: as ``request``.
    """
    key = keys.find(approvals.find(approval_id).subject)
    approval = approvals.check(approval_id, Guarded.ACTIVATE_KEY, key.key_id)
    with transaction(actor) as tx:
        approvals.use(tx, approval)
        lifecycle.activate(tx, key, reason=approval.reason)
    return keys.find(key.key_id)
