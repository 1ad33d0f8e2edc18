"""Export of a pool key, or of a quantum key that a package uses: asked for with the recipient's public key, allowed by a second person, once."""

import base64

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.custody import approvals
from apps.custody.records import Approval, Guarded
from apps.keys import services as keys
from apps.keys import transfer
from apps.keys.transfer import Exported
from apps.sessions import transfer as quantum_transfer
from apps.sessions.transfer import ExportedQuantumKey
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
        parameters=_recipient(recipient, suite),
    )


def request_quantum_key(
    key_id: str, *, recipient: bytes, suite: Suite, reason: str, actor: Actor
) -> Approval:
    """Ask for the export of a quantum key; what is approved is this recipient.

    Raises:
        SessionUnusable: no file or message uses it.
        Invalid: not a public key of the suite.
    """
    quantum_transfer.check_exportable(key_id)
    transfer.check_recipient(recipient, suite=suite)
    return approvals.request(
        Guarded.EXPORT_QUANTUM_KEY,
        key_id,
        reason=reason,
        actor=actor,
        parameters=_recipient(recipient, suite),
    )


def _recipient(public_key: bytes, suite: Suite) -> dict[str, str]:
    return {
        "recipient_public_key": base64.b64encode(public_key).decode(),
        "recipient_suite": suite.value,
        "recipient_fingerprint": kem.fingerprint(public_key),
    }


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


def export_quantum_key(approval_id: str, *, actor: Actor) -> ExportedQuantumKey:
    """The quantum key, sealed to the recipient that was approved. The entry is written first (I1).

    Raises:
        ApprovalNotFound, NotApproved: not allowed (any more).
        SessionNotFound, SessionUnusable: its session is gone or compromised meanwhile.
    """
    key_id = approvals.find(approval_id).subject
    approval = approvals.check(approval_id, Guarded.EXPORT_QUANTUM_KEY, key_id)
    recipient = base64.b64decode(approval.parameters["recipient_public_key"])
    with transaction(actor) as tx:
        approvals.use(tx, approval)
        return quantum_transfer.export(
            tx, key_id, recipient=recipient, suite=Suite(approval.parameters["recipient_suite"])
        )
