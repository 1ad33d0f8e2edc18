"""One attempt to encrypt a file: what it has to itself, and the object key that its body gets from that.

Each attempt writes its body under an object key named by its quantum key, so two attempts never overwrite each
other; the commit decides which one counts. What an interrupted attempt leaves is a reservation, and that names
the body to be removed.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import Transaction, transaction
from apps.common import clock
from apps.common.authenticated import RecordForged
from apps.files.bodies import objects, orphans
from apps.files.bodies.objects import BODIES_PREFIX, ObjectRef
from apps.files.trail import FileEvent
from apps.jobs.control import JobCancelled
from apps.keys import pools, seeds
from apps.keys import services as keys
from apps.keys.pool_records import Purpose
from apps.keys.records import KeyNotFound, KeyUnusable, PoolKey
from apps.sessions import committing, quantum_keys, reservations
from apps.sessions.records import KeyPurpose, Offer, QuantumKey, QuantumKeyState
from apps.sessions.taking import take_key
from apps.sessions.trail import QuantumKeyEvent
from qkdseal.envelope import Envelope, open_envelope, seal
from qkdseal.errors import PackageInvalid
from qkdseal.header import Header, PassphraseFactor

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A quantum key that nobody else has while it is reserved, and the pool key to seal to."""

    document_id: str
    offered: Offer = field(repr=False)
    reserved: QuantumKey
    pool_key: PoolKey
    until: datetime  # the sweep ends the reservation then, and removes the body

    @property
    def place(self) -> ObjectRef:
        """Where this attempt writes its body."""
        return place_of(self.document_id, self.offered.key_id)

    def seal(
        self, package_id: str, factor: PassphraseFactor | None = None, stretched: bytes | None = None
    ) -> tuple[Envelope, bytes]:
        """An envelope under this attempt's keys, and the new file key in it."""
        return seal(
            Header.of(file_id=package_id, quantum_key_id=self.offered.key_id, passphrase=factor),
            pool_key_id=self.pool_key.key_id,
            pool_public_key=self.pool_key.public_key,
            pool_suite=self.pool_key.suite,
            quantum_key=self.offered.key,
            stretched=stretched,
        )

    def check_opens(self, envelope: Envelope, *, file_key: bytes, stretched: bytes | None = None) -> None:
        """Open an envelope of this attempt again, as it will be opened: with the pool key's row as it is now (I4).

        Raises:
            KeyUnusable: it does not open; the pool key is not picked again by this process, so try again.
            RootKeyUnavailable: the root key cannot be used now.
        """
        try:
            opened = open_envelope(
                envelope,
                seed=seeds.seed_of(keys.find(self.pool_key.key_id)),
                pool_suite=self.pool_key.suite,
                quantum_key=self.offered.key,
                stretched=stretched,
            )
        except PackageInvalid:
            opened = b""
        except KeyUnusable:
            keys.forget(self.pool_key)
            raise
        except (KeyNotFound, RecordForged) as error:  # the process sealed to what it remembers of the row
            keys.forget(self.pool_key)
            raise KeyUnusable(
                f"The record of {self.pool_key.key_id} is damaged. The file is sealed to another key."
            ) from error
        if not compare_digest(opened, file_key):
            keys.forget(self.pool_key)
            raise KeyUnusable(
                f"What was sealed to {self.pool_key.key_id} does not open. It is sealed to another key."
            )

    def use(self, tx: Transaction) -> None:
        """Use the keys up in a transaction: it fails where the reservation has ended meanwhile."""
        reservations.use_reserved(tx, self.offered, self.reserved)
        keys.count_use(tx, self.pool_key)

    def give_up(self, *, actor: Actor) -> None:
        """End this attempt at once, which for certain did not commit: its body goes, its quantum key is never used.

        Called while the error that ended it is on its way; what fails here is left to the sweep.
        """
        objects.remove_all(self.place.bucket, self.place.key)
        try:
            reservations.discard([self.reserved], actor=actor)
        except ExceptionGroup as failed:  # ended already, as its session was revoked; or AWS does not answer
            log.warning("%s stays reserved until the sweep: %s", self.reserved.key_id, failed.exceptions[0])

    @contextmanager
    def end_if_cancelled(self, *, actor: Actor) -> Iterator[None]:
        """End this attempt where its job is cancelled within the block. Whatever else fails is left to the sweep."""
        try:
            yield
        except JobCancelled:
            reserved = quantum_keys.find_taken(self.offered.key_id)
            if reserved is not None:
                end(reserved, reason="The job that wrote it was cancelled.", actor=actor)
            raise


def begin(
    *, document_id: str, file_id: str, owner: str, actor: Actor, keys_from: str | None = None
) -> Attempt:
    """Reserve a quantum key for an attempt, and pick the pool key to seal to.

    Args:
        document_id: what the body becomes part of.
        file_id: of the record that is encrypted.
        owner: of the file.
        actor: who acts.
        keys_from: whose own sessions give the quantum key; the platform's unless told.

    Raises:
        StockEmpty: there is no quantum key; a session was run, ask again.
        SessionUnusable: none of those own sessions has one.
        PoolEmpty: no pool key is active; the pool was refilled, ask again.
    """
    # Counted from before the reservation, so that the attempt gives up before the sweep ends it
    until = clock.now() + timedelta(seconds=reservations.RESERVED_SECONDS)
    pool_key = keys.pick(pools.select(Purpose.FILES, owner=owner, actor=actor).name)

    def reserve(offered: Offer) -> tuple[Offer, QuantumKey]:
        with transaction(actor) as tx:
            reserved = committing.take(
                tx,
                offered,
                purpose=KeyPurpose.FILE,
                subject=document_id,
                state=QuantumKeyState.RESERVED,
            )
            tx.audit(
                QuantumKeyEvent.RESERVED,
                session_id=offered.session_id,
                file_id=file_id,
                quantum_key_id=offered.key_id,
            )
        return offered, reserved

    offered, reserved = take_key(reserve, actor=actor, owner=keys_from)
    return Attempt(document_id, offered, reserved, pool_key, until)


def end(
    reserved: QuantumKey, *, actor: Actor, reason: str = "The attempt that wrote it did not come back."
) -> None:
    """End an attempt: from here on it cannot commit, and its body is removed."""
    body = place_of(reserved.subject, reserved.key_id)
    orphan = orphans.find_note(body)
    if orphan is None:
        with transaction(actor) as tx:
            orphan = orphans.note(
                tx, body, document_id=reserved.subject, reason=reason, reservation=reserved.key_id
            )
            tx.audit(FileEvent.BODY_REMOVED, file_id=reserved.subject, phase="begun", keys=[body.key])
    # Noted first: were the key discarded before, nothing would name the body if this process ended here
    reservations.discard([reserved], actor=actor)
    orphans.remove(orphan)


def place_of(document_id: str, quantum_key_id: str) -> ObjectRef:
    """Where one attempt writes its body: no other attempt has its quantum key."""
    return ObjectRef(settings.ENCRYPTED_BUCKET, f"{BODIES_PREFIX}{document_id}/{quantum_key_id}")


def as_fields(envelope: Envelope) -> dict[str, Any]:
    """What a record holds of an envelope."""
    return {
        "envelope": envelope.to_dict(),
        "suite": envelope.header.suite.value,
        "pool_key_id": envelope.pool_key_id,
        "quantum_key_id": envelope.header.quantum_key_id,
    }
