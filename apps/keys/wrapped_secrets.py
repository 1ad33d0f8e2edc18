"""Secrets at rest: wrapped under the root key, bound to their record, and sealed to the recovery key.

Seeds of pool keys and final keys of sessions are kept alike. Each app has a ``SecretKind`` that says where its
secrets are, and makes a ``WrappedSecret`` of a record.
"""

import binascii
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pynamodb.attributes import Attribute

from apps.audit.records import Actor, Event
from apps.audit.services import Transaction, transaction
from apps.common.dynamodb import feed, partitions
from apps.common.errors import Refused
from apps.common.root_keys.configured import root_key, wrap_checked
from apps.common.root_keys.interface import UnwrapFailed, canonical_context
from apps.keys import canaries, recovery_seal
from apps.keys.trail import SecretEvent

_COMMITMENT = b"qkdplatform secret commitment v1"


@dataclass(frozen=True, slots=True)
class SecretKind:
    """Where secrets of one kind are kept, and what is said of them."""

    record: str  # names the record in the context that the secret is bound to
    subject: str  # names it in audit entries
    label: str  # names it in sentences, with {} for the id
    table: Any  # has root_key_id, root_feed, recovery_seal and the index by_root_key
    column: Attribute[Any]  # of the wrapped secret
    unusable: type[Refused]
    as_stored: Callable[[bytes], Any] = bytes
    as_blob: Callable[[Any], bytes] = bytes

    def context_of(self, identifier: str) -> dict[str, str]:
        """The context that binds a secret to its record: copied to another one it does not open."""
        return {"record": self.record, "id": identifier}


@dataclass(frozen=True, slots=True)
class Wrapping:
    """A secret as its record keeps it."""

    root_key_id: str
    stored: Any = field(repr=False)
    recovery_seal: bytes | None = field(repr=False)
    commitment: str


@dataclass(frozen=True, slots=True)
class WrappedSecret:
    """The secret of one record.

    Args:
        kind: of the secret.
        identifier: of the record.
        wrapping: as the record keeps it.
        row: of the record as it was read, by which it is changed.
        check: raises the kind's ``unusable`` for bytes that are not this record's secret.
    """

    kind: SecretKind
    identifier: str
    wrapping: Wrapping
    row: Any = field(repr=False)
    check: Callable[[bytes], None]

    @property
    def label(self) -> str:
        """The name of the secret's record in sentences."""
        return self.kind.label.format(self.identifier)

    @property
    def context(self) -> dict[str, str]:
        """The context that the secret is bound to."""
        return self.kind.context_of(self.identifier)


def wrap(kind: SecretKind, identifier: str, secret: bytes) -> Wrapping:
    """Wrap a new record's secret, and seal it to the recovery key if there is one.

    Raises:
        RootKeyUnavailable: the root key cannot be used now.
    """
    root, context = root_key(), kind.context_of(identifier)
    blob = root.wrap(secret, context=context)
    canaries.require(root)
    return Wrapping(
        root_key_id=root.id,  # after wrapping: another process may have replaced the root key just before
        stored=kind.as_stored(blob),
        recovery_seal=recovery_seal.seal(secret, context=context),
        commitment=commit(kind, identifier, secret),
    )


def commit(kind: SecretKind, identifier: str, secret: bytes) -> str:
    """Commit to a secret without telling it: whoever can seal to the public recovery key cannot put another in its place.

    A plain hash hides secrets that nobody can guess; a final key too short for that encrypts nothing.
    """
    context = canonical_context(kind.context_of(identifier))
    return hashlib.sha256(_COMMITMENT + b"\x00" + context + b"\x00" + secret).hexdigest()


def unwrap(found: WrappedSecret) -> bytes:
    """The secret as the root key opens it, checked against its record.

    Raises:
        the kind's ``unusable``: what is stored is not this record's secret.
        RootKeyUnavailable: the root key cannot be used now.
    """
    try:
        blob = found.kind.as_blob(found.wrapping.stored)
        secret = root_key().unwrap(blob, context=found.context)
    except (UnwrapFailed, binascii.Error):
        raise found.kind.unusable(
            f"The secret of {found.label} does not unwrap: its record was changed, or its root key is gone."
        ) from None
    _check(found, secret)
    return secret


def rewrap(found: WrappedSecret, secret: bytes, *, event: Event, actor: Actor) -> None:
    """Wrap a secret under the current root key, in the place of what is stored.

    Raises:
        the kind's ``unusable``: it is another record's secret.
        Conflict: the record was changed meanwhile; nothing was.
        RootKeyUnavailable: the root key cannot be used now.
    """
    _check(found, secret)  # the last chance: what is stored now is overwritten below
    kind, root = found.kind, root_key()
    blob = wrap_checked(secret, context=found.context)
    canaries.require(root)
    with transaction(actor) as tx:
        tx.update(
            found.row,
            [
                kind.column.set(kind.as_stored(blob)),
                kind.table.root_key_id.set(root.id),
                kind.table.root_feed.set(feed(root.id, found.identifier)),
            ],
            condition=kind.column == found.wrapping.stored,  # else another process re-wrapped or removed it
        )
        _audit(tx, found, event, old_root_key_id=found.wrapping.root_key_id, root_key_id=root.id)


def seal_for_recovery(found: WrappedSecret, *, actor: Actor) -> None:
    """Seal a secret to the recovery key, in the place of an older seal.

    Raises:
        Refused: no recovery key is configured.
        the kind's ``unusable``: the secret does not unwrap.
        Conflict: the record was changed meanwhile; nothing was.
    """
    kind = found.kind
    secret = unwrap(found)
    seal = recovery_seal.require_seal(secret, context=found.context)
    commitment = commit(kind, found.identifier, secret)
    with transaction(actor) as tx:
        tx.update(
            found.row,
            [kind.table.recovery_seal.set(seal), kind.table.commitment.set(commitment)],
            condition=kind.column == found.wrapping.stored,
        )
        _audit(
            tx,
            found,
            SecretEvent.SEALED,
            recovery_key_id=recovery_seal.key_id_of(seal),
            commitment=commitment,
        )


def is_sealed(found: WrappedSecret) -> bool:
    """Return whether a secret is sealed to the configured recovery key, with the commitment that a seal is held against."""
    return bool(found.wrapping.commitment) and recovery_seal.is_current(found.wrapping.recovery_seal)


def open_seal(found: WrappedSecret, *, seed: bytes) -> bytes:
    """The secret in a recovery seal, by the private half of the recovery key, as its record commits to it.

    Raises:
        OpenFailed: the seal was changed, or is to another recovery key.
        the kind's ``unusable``: the record commits to another secret, or to none.
    """
    secret = recovery_seal.open_seal(found.wrapping.recovery_seal or b"", seed=seed, context=found.context)
    if found.wrapping.commitment != commit(found.kind, found.identifier, secret):
        raise found.kind.unusable(
            f"The recovery seal of {found.label} holds another secret than its record commits to: it was forged."
        )
    return secret


def ids_under(kind: SecretKind, root_key_id: str) -> Iterator[str]:
    """Ids of the records whose secret a root key wraps: one Query for each shard."""
    for part in partitions(root_key_id):
        for row in kind.table.by_root_key.query(part):
            yield row.key


def count_under(kind: SecretKind, root_key_id: str) -> int:
    """How many secrets a root key wraps."""
    return sum(kind.table.by_root_key.count(part) for part in partitions(root_key_id))


def _check(found: WrappedSecret, secret: bytes) -> None:
    found.check(secret)
    committed = found.wrapping.commitment
    if committed and committed != commit(found.kind, found.identifier, secret):
        raise found.kind.unusable(
            f"What is kept of {found.label} is another secret than its record commits to."
        )


def _audit(tx: Transaction, found: WrappedSecret, event: Event, **detail: Any) -> None:
    fields: dict[str, Any] = {found.kind.subject: found.identifier, **detail}
    tx.audit(event, **fields)
