"""Messages: encrypted like files, the package handed back instead of stored (C11)."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from apps.audit.records import Actor, Outcome, system
from apps.audit.services import may_see, record, transaction
from apps.common.errors import Invalid, PlatformError, Refused
from apps.files.trail import MessageEvent
from apps.keys import pools, seeds
from apps.keys import services as keys
from apps.keys.pool_records import PoolEmpty, Purpose
from apps.keys.records import KeyNotFound, KeyUnusable, PoolKey
from apps.sessions import quantum_keys
from apps.sessions.records import (
    KeyPurpose,
    Offer,
    QuantumKey,
    SessionNotFound,
    SessionUnusable,
    StockChoice,
)
from apps.sessions.taking import take_key
from qkdseal import pqfile
from qkdseal.errors import PackageInvalid
from qkdseal.header import Header, PassphraseFactor
from qkdseal.kem import Suite
from qkdseal.package import MESSAGE_LIMIT, Package, open_message, seal_batch, seal_message
from qkdseal.pqfile import PqfilePackage
from qkdseal.quantum_keys import split_key_id
from qkdseal.reading import read_package

BATCH_MESSAGES = 1000  # sealed within a second
UNIFORM = "The package is damaged, or not for this context, passphrase or caller."


def encrypt(
    plaintext: bytes,
    *,
    actor: Actor,
    session_id: str | None = None,
    stock: StockChoice = StockChoice.PLATFORM,
    pool: str | None = None,
    context: str | None = None,
    passphrase: str | None = None,
) -> Package:
    """Encrypt a message under a pool key and a quantum key of its own.

    Args:
        plaintext: at most ``package.MESSAGE_LIMIT`` bytes.
        actor: who asks; only they, and callers with the scope owners:all, can decrypt.
        session_id: take the quantum key from this session instead of a stock.
        stock: the platform's, or that of the actor's own sessions.
        pool: name or alias of the key pool to seal to; without it, the actor's, else that of messages.
        context: bound, not secret, not stored; needed again to decrypt.
        passphrase: an additional factor (C4).

    Raises:
        StockEmpty, PoolEmpty: nothing to encrypt with right now.
        PoolNotFound, Forbidden, Invalid: the named pool is none that the actor may seal messages to.
        SessionNotFound, SessionUnusable: the named session, or none of the actor's own, can give a key.
    """

    def seal(offered: Offer) -> Package:
        pool_key = keys.pick(_pool_of(actor, pool))
        package = _seal(plaintext, offered, pool_key, context, passphrase)
        _commit(package.header.file_id, offered, pool_key, actor)
        return package

    return take_key(seal, actor=actor, session_id=session_id, owner=stock.owner_for(actor))


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
        pool_key = keys.pick(_pool_of(actor, pool))
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
        _commit(batch_id, offered, pool_key, actor, messages=len(packages))
        return packages

    return take_key(seal, actor=actor, session_id=session_id, owner=stock.owner_for(actor))


def encrypt_compatible(
    plaintext: bytes,
    *,
    actor: Actor,
    session_id: str | None = None,
    stock: StockChoice = StockChoice.PLATFORM,
    pool: str | None = None,
    context: str | None = None,
) -> PqfilePackage:
    """As ``encrypt``, in the compatibility suite: for who has to be understood by PQFile, and nobody else."""

    def seal(offered: Offer) -> PqfilePackage:
        pool_key = _mlkem_key(_pool_of(actor, pool))
        package = _seal_compatible(plaintext, offered, pool_key, context)
        _commit(package.header.file_id, offered, pool_key, actor)
        return package

    return take_key(seal, actor=actor, session_id=session_id, owner=stock.owner_for(actor))


def _seal(
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


def _pool_of(actor: Actor, named: str | None) -> str:
    return pools.select(Purpose.MESSAGES, owner=str(actor), actor=actor, named=named).name


def _mlkem_key(pool: str) -> PoolKey:
    """A pool key for the PQFile suite alone, made when one is first asked for."""
    try:
        return keys.pick(pool, Suite.MLKEM768_RAW)
    except PoolEmpty:
        return keys.create(1, pool=pool, suite=Suite.MLKEM768_RAW, actor=system("compatibility"))[0]


def _seal_compatible(
    plaintext: bytes, offered: Offer, pool_key: PoolKey, context: str | None
) -> PqfilePackage:
    header = pqfile.pqfile_header(
        file_id=f"msg-{uuid.uuid4()}",
        quantum_key_id=offered.key_id,
        context=None if context is None else context.encode(),
    )
    return pqfile.seal_pqfile(
        header,
        plaintext,
        pool_key_id=pool_key.key_id,
        pool_public_key=pool_key.public_key,
        pool_suite=pool_key.suite,
        quantum_key=offered.key,
    )


def _commit(
    message_id: str, offered: Offer, pool_key: PoolKey, actor: Actor, *, messages: int | None = None
) -> None:
    """Use both keys up for a message, or for a batch of so many."""
    counted: dict[str, Any] = {} if messages is None else {"messages": messages}
    with transaction(actor) as tx:
        quantum_keys.take(
            tx, offered, purpose=KeyPurpose.MESSAGE, subject=message_id, sealed_by=pool_key.key_id
        )
        keys.count_use(tx, pool_key, uses=messages or 1, message=True)
        tx.audit(
            MessageEvent.ENCRYPTED,
            file_id=message_id,
            key_id=pool_key.key_id,
            session_id=offered.session_id,
            **counted,
        )


def decrypt(
    document: Mapping[str, Any], *, actor: Actor, context: str | None = None, passphrase: str | None = None
) -> bytes:
    """The plaintext of a package, alone or of a batch, for who encrypted it or sees all.

    Raises:
        Invalid: it does not open; whatever the cause, the answer is the same.
        Refused: a key that it needs is compromised or gone.
    """
    try:
        package = read_package(document)
    except PackageInvalid:
        raise Invalid.of("package", UNIFORM) from None
    header = package.header
    taken = _taken_for(header)
    superfluous = passphrase is not None and isinstance(package, PqfilePackage)
    if superfluous or taken is None:
        raise Invalid.of("package", UNIFORM)
    subject = {"file_id": header.file_id, "key_id": package.pool_key_id, "session_id": taken.session_id}
    if not may_see(actor, taken.taken_by, **subject):
        raise Invalid.of("package", UNIFORM)
    record(actor, MessageEvent.READ, **subject)
    try:
        return _open(package, taken.key_id, context, passphrase)
    except PlatformError:
        record(actor, MessageEvent.READ, outcome=Outcome.FAILED, **subject)
        raise


def _taken_for(header: Header) -> QuantumKey | None:
    """The quantum key that a package names, if it was taken for this message, or for the batch that it is of."""
    try:
        key_id, index = split_key_id(header.quantum_key_id)
    except ValueError:
        return None
    taken = quantum_keys.find_taken(key_id)
    # A file's envelope and body would make a package as well
    if taken is None or taken.purpose is not KeyPurpose.MESSAGE:
        return None
    subject = taken.subject if index is None else f"{taken.subject}/{index}"
    return taken if subject == header.file_id else None


def _open(
    package: Package | PqfilePackage, quantum_key_id: str, context: str | None, passphrase: str | None
) -> bytes:
    try:
        pool_key = keys.find(package.pool_key_id)
        seed, quantum_key = seeds.seed_of(pool_key), quantum_keys.taken_key(quantum_key_id)
        bound = None if context is None else context.encode()
        if isinstance(package, Package):
            return open_message(
                package,
                seed=seed,
                pool_suite=pool_key.suite,
                quantum_key=quantum_key,
                context=bound,
                passphrase=passphrase,
            )
        return pqfile.open_pqfile(
            package, seed=seed, pool_suite=pool_key.suite, quantum_key=quantum_key, context=bound
        )
    except (PackageInvalid, KeyNotFound, ValueError):
        raise Invalid.of("package", UNIFORM) from None
    except (KeyUnusable, SessionNotFound, SessionUnusable) as error:
        raise Refused(f"A key that the package needs cannot be used: {error.detail}") from None
