"""The keys that sign checkpoints: ML-DSA-65 key pairs of the platform's, or one of KMS.

The private half of the platform's own is wrapped under the root key. It signs for as long as the root key is the one
that it is wrapped under; then another is made, with an entry. A key of KMS (``CHECKPOINT_KMS_KEY``) is noted likewise
the first time that it signs. Public halves stay, so that what an earlier one signed still verifies. Each row is tagged:
who writes the table can make no signer that counts, and ``CHECKPOINT_SIGNERS`` names those that count for who verifies
with less trust.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from django.conf import settings

from apps.audit import kms_signing, store
from apps.audit.checkpoints import signer_id
from apps.audit.records import Actor, Signer
from apps.audit.services import transaction
from apps.audit.store import SIGNERS, SignerTable
from apps.audit.trail import AuditEvent
from apps.common import clock
from apps.common.root_keys.configured import root_key


@dataclass(frozen=True, slots=True)
class Signing:
    """A signing key, ready."""

    public_key: bytes
    sign: Callable[[bytes], bytes]


def accepted() -> frozenset[str]:
    """Return the ids of the keys whose checkpoints count."""
    if settings.CHECKPOINT_SIGNERS:
        return frozenset(settings.CHECKPOINT_SIGNERS)
    return frozenset(signer.signer_id for signer in store.signers())


def current(*, actor: Actor) -> Signing:
    """Return the key that signs now; one that is new is noted first, with its entry.

    Raises:
        SigningKeyUnavailable: KMS does not give the configured key's public half.
        RootKeyUnavailable: the root key cannot be used now.
        UnwrapFailed: the newest signer's private half is not what the root key wrapped.
    """
    if settings.CHECKPOINT_KMS_KEY:
        return _of_kms(actor)
    own = [signer for signer in store.signers() if signer.root_key_id == root_key().id]
    signer = max(own, key=lambda one: one.created_at) if own else _make(actor)
    seed = root_key().unwrap(signer.wrapped_seed, context=_context(signer.signer_id))
    return Signing(signer.public_key, MLDSA65PrivateKey.from_seed_bytes(seed).sign)


def _of_kms(actor: Actor) -> Signing:
    arn, public = kms_signing.find(settings.CHECKPOINT_KMS_KEY)
    if signer_id(public) not in {signer.signer_id for signer in store.signers()}:
        # Without a seed: KMS keeps it, and the key is its own
        _note(public, wrapped_seed=b"", key=f"kms:{arn}", actor=actor)
    return Signing(public, kms_signing.signing(arn, public))


def _make(actor: Actor) -> Signer:
    private = MLDSA65PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    wrapped = root_key().wrap(private.private_bytes_raw(), context=_context(signer_id(public)))
    return _note(public, wrapped_seed=wrapped, key=root_key().id, actor=actor)


def _note(public: bytes, *, wrapped_seed: bytes, key: str, actor: Actor) -> Signer:
    made = Signer(
        place=SIGNERS,
        signer_id=signer_id(public),
        public_key=public,
        wrapped_seed=wrapped_seed,
        root_key_id=key,
        created_at=clock.now(),
    )
    row = SignerTable.of(made)
    with transaction(actor) as tx:
        tx.put(row)
        tx.audit(AuditEvent.SIGNER_MADE, signer_id=made.signer_id, root_key_id=key)
    return row.record()


def _context(identifier: str) -> dict[str, str]:
    return {"record": "checkpoint_signer", "id": identifier}
