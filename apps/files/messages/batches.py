"""Batches: many messages under one pool key and one quantum key; opened together, each told alone (C14, I3)."""

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from apps.audit.records import Actor, Outcome
from apps.audit.services import transaction
from apps.audit.trail import AuditEvent
from apps.common.errors import Invalid, PlatformError
from apps.files.messages.opening import UNIFORM, Opened, OpenedKeys, named_key, parsed, was_taken_for
from apps.files.messages.sealing import commit, pool_of
from apps.files.trail import MessageEvent
from apps.keys import services as keys
from apps.sessions import quantum_keys
from apps.sessions.records import Offer, QuantumKey, StockChoice
from apps.sessions.taking import take_key
from qkdseal.package import MESSAGE_LIMIT, Package, seal_batch
from qkdseal.pqfile import PqfilePackage

BATCH_MESSAGES = 1000  # sealed within a second
ENTRIES = 90  # of one transaction; an entry tells of all messages under one quantum key


def encrypt_batch(
    plaintexts: Sequence[bytes],
    *,
    actor: Actor,
    session_id: str | None = None,
    stock: StockChoice = StockChoice.PLATFORM,
    pool: str | None = None,
    context: str | None = None,
) -> list[Package]:
    """Encrypt many messages under one pool key and one quantum key, each with a key derived for its place (I3).

    Each package is decrypted alone. All are committed together: of a batch that fails, no key is used.

    Args:
        plaintexts: 1 to BATCH_MESSAGES messages, at most ``package.MESSAGE_LIMIT`` bytes together.
        actor: as in ``encrypt``, as are the others; ``context`` is bound to each message.
        session_id: of the session that gives the quantum key.
        stock: whose sessions give it else.
        pool: name or alias of the key pool.
        context: needed again to decrypt.

    Raises:
        Invalid: no message, too many, or too long ones.
        and as ``encrypt``.
    """
    if not 1 <= len(plaintexts) <= BATCH_MESSAGES:
        raise Invalid.of("messages", f"Give 1 to {BATCH_MESSAGES} messages.")
    if sum(map(len, plaintexts)) > MESSAGE_LIMIT:
        raise Invalid.of("messages", f"The messages of a batch have at most {MESSAGE_LIMIT} bytes together.")

    def seal(offered: Offer) -> list[Package]:
        pool_key = keys.pick(pool_of(actor, pool))
        batch_id = f"batch-{uuid.uuid4()}"
        packages = seal_batch(
            plaintexts,
            file_id=batch_id,
            quantum_key_id=offered.key_id,
            pool_key_id=pool_key.key_id,
            pool_public_key=pool_key.public_key,
            pool_suite=pool_key.suite,
            quantum_key=offered.key,
            context=None if context is None else context.encode(),
        )
        kept = {"batch_id": batch_id, "quantum_key_id": offered.key_id, "pool_key_id": pool_key.key_id}
        commit(batch_id, offered, pool_key, actor, kind="batch", kept=kept, messages=len(packages))
        return packages

    return take_key(seal, actor=actor, session_id=session_id, owner=stock.owner_for(actor))


@dataclass(frozen=True, slots=True)
class Sealed:
    """One package of a batch that is to be opened, and what it needs beside the keys."""

    document: Mapping[str, Any]
    context: str | None = None
    passphrase: str | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """A package that was read, and the quantum key that was taken for it."""

    place: int
    package: Package | PqfilePackage
    taken: QuantumKey


def decrypt_batch(items: Sequence[Sealed], *, actor: Actor) -> list[bytes | PlatformError]:
    """The plaintext of each package, or why it does not open; errors are those of ``decrypt``.

    One entry for each quantum key says how many of its messages are read, before any key is touched. Costs, over q
    quantum keys and p pool keys that are not in memory: ceil(q/100) + ceil(q/90) + p calls, and two for each session
    that is not in memory. Messages of one batch have q = p = 1.

    Args:
        items: 1 to BATCH_MESSAGES packages.
        actor: who asks.

    Raises:
        Invalid: no package, or too many.
    """
    if not 1 <= len(items) <= BATCH_MESSAGES:
        raise Invalid.of("packages", f"Give 1 to {BATCH_MESSAGES} packages.")
    answers: list[bytes | PlatformError] = [Invalid.of("package", UNIFORM) for _ in items]
    found = list(_found(items))
    visible = [one for one in found if actor.may_see(one.taken.taken_by)]
    hidden = [one for one in found if not actor.may_see(one.taken.taken_by)]
    _record(actor, AuditEvent.ACCESS_DENIED, hidden, Outcome.DENIED)
    _record(actor, MessageEvent.READ, visible)
    opened, failed = OpenedKeys(), []
    for one in visible:
        item = items[one.place]
        try:
            answers[one.place] = Opened(one.package, one.taken.key_id, opened).plaintext(
                context=item.context, passphrase=item.passphrase
            )
        except PlatformError as error:
            answers[one.place] = error
            failed.append(one)
    _record(actor, MessageEvent.READ, failed, Outcome.FAILED)
    return answers


def _found(items: Sequence[Sealed]) -> Iterator[_Found]:
    """Those of the packages that are whole, with the quantum keys that were taken for them."""
    read = [(place, parsed(item.document, item.passphrase)) for place, item in enumerate(items)]
    named = {place: named_key(package.header) for place, package in read if package is not None}
    taken = quantum_keys.find_all_taken({key for key in named.values() if key})
    for place, package in read:
        key = taken.get(named.get(place) or "")
        if package is not None and key is not None and was_taken_for(key, package.header):
            yield _Found(place, package, key)


def _record(
    actor: Actor, event: MessageEvent | AuditEvent, found: Sequence[_Found], outcome: Outcome = Outcome.OK
) -> None:
    """Write one entry for each quantum key and pool key, with how many messages it is about."""
    counted = iter(Counter((one.taken, one.package.pool_key_id) for one in found).items())
    while part := list(islice(counted, ENTRIES)):
        with transaction(actor) as tx:
            for (taken, pool_key_id), messages in part:
                subject = {"file_id": taken.subject, "key_id": pool_key_id, "session_id": taken.session_id}
                tx.audit(event, outcome=outcome, messages=messages, **subject)
