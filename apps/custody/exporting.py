"""Export of a pool key: asked for with the recipient's public key, allowed by a second person, once."""

import base64

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.custody import approvals
from apps.custody.records import Approval, Guarded
from apps.keys import services as keys
from apps.keys import transfer
from apps.keys.transfer import Exported
from qkdseal import kem
from qkdseal.kem import Suite


def request(key_id: str, *, recipient: bytes, suite: Suite, reason: str, actor: Actor) -> Approval:
    """Ask for a key's export; what is approved is this recipient, by the fingerprint of their public key.

    Raises:
        KeyNotFound: no such key.
        KeyUnusable: it is destroyed.
        Invalid: not a public key of the suite.
    """
    transfer.check_exportable(keys.find(key_id))
    transfer.check_recipient(recipient, suite=suite)
    return approvals.request(
        Guarded.EXPORT_KEY,
        key_id,
        reason=reason,
        actor=actor,
        parameters={
            "recipient_public_key": base64.b64encode(recipient).decode(),
            "recipient_suite": suite.value,
            "recipient_fingerprint": kem.fingerprint(recipient),
        },
    )


def export(approval_id: str, *, actor: Actor) -> Exported:
    """The seed, sealed to the recipient that was approved. The entry is written first (I1).

    Raises:
        ApprovalNotFound, NotApproved: not allowed (any more).
        KeyUnusable: destroyed meanwhile, or damaged.
    """
    key = keys.find(approvals.find(approval_id).subject)
    approval = approvals.check(approval_id, Guarded.EXPORT_KEY, key.key_id)
    recipient = base64.b64decode(approval.parameters["recipient_public_key"])
    with transaction(actor) as tx:
        approvals.use(tx, approval)
        return transfer.export(
            tx, key, recipient=recipient, suite=Suite(approval.parameters["recipient_suite"])
        )
