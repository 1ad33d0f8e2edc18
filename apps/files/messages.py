"""Messages: encrypted like files, the package handed back instead of stored (C11)."""

import uuid
from collections.abc import Mapping
from typing import Any

from apps.audit.records import Actor, Event
from apps.audit.services import record, transaction
from apps.common.errors import Invalid, Refused
from apps.files.envelope import Envelope
from apps.files.errors import PackageInvalid
from apps.files.header import Header, PassphraseFactor
from apps.files.package import Package, open_message, seal_message
from apps.keys import services as keys
from apps.keys.records import KeyNotFound, KeyUnusable, PoolKey
from apps.sessions import services as sessions
from apps.sessions.records import KeyPurpose, Offer, SessionNotFound, SessionUnusable, StockEmpty

ATTEMPTS = 16
UNIFORM = "The package is damaged, or not for this context, passphrase or caller."


def encrypt(
    plaintext: bytes,
    *,
    actor: Actor,
    session_id: str | None = None,
    context: str | None = None,
    passphrase: str | None = None,
) -> Package:
    """Encrypt a message under a pool key and a quantum key of its own.

    Args:
        plaintext: at most ``package.MESSAGE_LIMIT`` bytes.
        actor: who asks; only they, or who sees all, can decrypt.
        session_id: take the quantum key from this session instead of the stock.
        context: bound, not secret, not stored; needed again to decrypt.
        passphrase: an additional factor (C4).

    Raises:
        StockEmpty, PoolEmpty: nothing to encrypt with right now.
        SessionNotFound, SessionUnusable: the named session cannot give a key.
    """
    for _ in range(ATTEMPTS):
        try:
            offered = sessions.offer(session_id=session_id, actor=actor)
        except StockEmpty:
            sessions.refill(actor=actor)
            raise
        pool_key = keys.pick()
        package = _sealed(plaintext, offered, pool_key, context, passphrase)
        try:
            _commit(package.envelope, offered, pool_key, actor)
        except (sessions.KeyTaken, KeyUnusable):  # taken, or rotated, since it was picked
            continue
        return package
    raise StockEmpty("Too many ask for quantum keys at once. Try again in a moment.")


def _sealed(
    plaintext: bytes, offered: Offer, pool_key: PoolKey, context: str | None, passphrase: str | None
) -> Package:
    header = Header.of(
        file_id=f"msg-{uuid.uuid4()}",
        quantum_key_id=offered.key_id,
        context=None if context is None else context.encode(),
        passphrase=None if passphrase is None else PassphraseFactor(),
    )
    return seal_message(
        header,
        plaintext,
        pool_key_id=pool_key.key_id,
        pool_public_key=pool_key.public_key,
        pool_suite=pool_key.suite,
        quantum_key=offered.key,
        passphrase=passphrase,
    )


def _commit(envelope: Envelope, offered: Offer, pool_key: PoolKey, actor: Actor) -> None:
    message_id = envelope.header.file_id
    with transaction(actor) as tx:
        sessions.take(tx, offered, purpose=KeyPurpose.MESSAGE, subject=message_id)
        keys.count_use(tx, pool_key)
        tx.audit(
            Event.MESSAGE_ENCRYPTED,
            file_id=message_id,
            key_id=pool_key.key_id,
            session_id=offered.session_id,
        )


def decrypt(
    document: Mapping[str, Any], *, actor: Actor, context: str | None = None, passphrase: str | None = None
) -> bytes:
    """The plaintext of a package that ``encrypt`` gave, for who encrypted it or sees all.

    Raises:
        Invalid: it does not open; whatever the cause, the answer is the same.
        Refused: a key that it needs is compromised or gone.
    """
    try:
        package = Package.from_dict(document)
    except PackageInvalid:
        raise Invalid.of("package", UNIFORM) from None
    header = package.envelope.header
    taken = sessions.find_taken(header.quantum_key_id)
    if taken is None or taken.subject != header.file_id or not actor.may_see(taken.taken_by):
        raise Invalid.of("package", UNIFORM)
    record(
        actor,
        Event.MESSAGE_READ,
        file_id=header.file_id,
        key_id=package.envelope.pool_key_id,
        session_id=taken.session_id,
    )
    try:
        seed = keys.seed_of(keys.find(package.envelope.pool_key_id))
        quantum_key = sessions.taken_key(header.quantum_key_id)
        return open_message(
            package,
            seed=seed,
            quantum_key=quantum_key,
            context=None if context is None else context.encode(),
            passphrase=passphrase,
        )
    except (PackageInvalid, KeyNotFound, ValueError):
        raise Invalid.of("package", UNIFORM) from None
    except (KeyUnusable, SessionNotFound, SessionUnusable) as error:
        raise Refused(f"A key that the package needs cannot be used: {error.detail}") from None
