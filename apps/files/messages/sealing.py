"""Messages sealed: like files, the package handed back instead of stored (C11)."""

import os
import uuid
from collections.abc import Mapping
from typing import Any

from apps.audit.records import Actor, system
from apps.audit.services import transaction
from apps.common.idempotency import keep
from apps.files.trail import MessageEvent
from apps.keys import pools
from apps.keys import services as keys
from apps.keys.pool_records import PoolEmpty, Purpose
from apps.keys.records import PoolKey
from apps.sessions import committing
from apps.sessions.records import KeyPurpose, Offer, StockChoice
from apps.sessions.taking import take_key
from qkdseal import pqfile
from qkdseal.encoding import to_json
from qkdseal.header import Header, PassphraseFactor
from qkdseal.kem import Suite
from qkdseal.package import Package, seal_message
from qkdseal.pqfile import PqfilePackage

DATA_KEY_BYTES = 32  # an AES-256 key
KEPT_LIMIT = 128 * 1024  # characters of a whole package that a retry is answered from: a row has 400 KB


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
        pool_key = keys.pick(pool_of(actor, pool))
        package = _seal(plaintext, offered, pool_key, context, passphrase)
        kept = {"envelope": package.envelope.to_dict()}
        commit(package.header.file_id, offered, pool_key, actor, kind="message", kept=kept)
        return package

    return take_key(seal, actor=actor, session_id=session_id, owner=stock.owner_for(actor))


def make_data_key(
    *,
    actor: Actor,
    session_id: str | None = None,
    stock: StockChoice = StockChoice.PLATFORM,
    pool: str | None = None,
    context: str | None = None,
    passphrase: str | None = None,
) -> tuple[bytes, Package]:
    """A fresh data key, and the package that it is kept in: an encrypted message whose plaintext is the key (C14).

    ``decrypt`` opens the package. Arguments and errors as ``encrypt``.

    Returns:
        DATA_KEY_BYTES random bytes, to be used locally and not stored in the clear; and their package.
    """
    key = os.urandom(DATA_KEY_BYTES)

    def seal(offered: Offer) -> Package:
        pool_key = keys.pick(pool_of(actor, pool))
        package = _seal(key, offered, pool_key, context, passphrase)
        kept = {"package": package.to_text()}
        commit(package.header.file_id, offered, pool_key, actor, kind="data key", kept=kept)
        return package

    return key, take_key(seal, actor=actor, session_id=session_id, owner=stock.owner_for(actor))


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
        pool_key = _mlkem_key(pool_of(actor, pool))
        package = _seal_compatible(plaintext, offered, pool_key, context)
        kept = {"package": _kept(package)}
        commit(package.header.file_id, offered, pool_key, actor, kind="message", kept=kept)
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


def pool_of(actor: Actor, named: str | None) -> str:
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


def _kept(package: PqfilePackage) -> str:
    """A package as a retry is answered from it: of this suite nothing can be sealed again to the same envelope."""
    text = to_json(package.to_dict())
    return text if len(text) <= KEPT_LIMIT else ""


def commit(
    message_id: str,
    offered: Offer,
    pool_key: PoolKey,
    actor: Actor,
    *,
    kind: str,
    kept: Mapping[str, Any],
    **detail: Any,
) -> None:
    """Use both keys up for a message, a data key, or a batch of so many ``messages``.

    Args:
        message_id: of what was sealed.
        offered: the quantum key.
        pool_key: that it was sealed to.
        actor: who asked.
        kind: what a retry is answered as.
        kept: what from; no plaintext, no secret.
        detail: of the audit entry.
    """
    with transaction(actor) as tx:
        keep(tx, kind, **kept)
        committing.take(
            tx, offered, purpose=KeyPurpose.MESSAGE, subject=message_id, sealed_by=pool_key.key_id
        )
        keys.count_use(tx, pool_key, uses=detail.get("messages", 1), message=True)
        tx.audit(
            MessageEvent.DATA_KEY_MADE if kind == "data key" else MessageEvent.ENCRYPTED,
            file_id=message_id,
            key_id=pool_key.key_id,
            session_id=offered.session_id,
            **detail,
        )
