"""Encryptions answered once more, for a request whose answer was lost: no second quantum key is taken (E9).

What was kept is an envelope, or ids. The plaintext comes with the request again, which was proven to be the same one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.audit.records import Actor
from apps.audit.services import record
from apps.common.errors import Refused
from apps.files.messages.opening import OpenedKeys
from apps.files.trail import MessageEvent
from qkdseal import body
from qkdseal.envelope import Envelope, open_envelope
from qkdseal.package import Package, seal_batch
from qkdseal.pqfile import PqfilePackage
from qkdseal.reading import read_package


def seal_again(
    kept: Mapping[str, Any],
    plaintext: bytes,
    *,
    actor: Actor,
    context: str | None = None,
    passphrase: str | None = None,
) -> Package | PqfilePackage:
    """The package of a message that was encrypted before: the same envelope, with the body made again.

    Raises:
        Refused: a key that it needs is compromised or gone; or a package of the compatibility suite was too large to
            be remembered.
    """
    if "package" in kept:
        if not kept["package"]:
            raise Refused("The request was done, and its package is too large to be answered again.")
        return read_package(kept["package"])
    envelope = Envelope.from_dict(kept["envelope"])
    header = envelope.header
    _record(actor, header.file_id, envelope.pool_key_id)
    keys = OpenedKeys()
    pool_key, seed = keys.pool_key(envelope.pool_key_id)
    quantum_key = keys.quantum_key(header.quantum_key_id)
    file_key = open_envelope(
        envelope,
        seed=seed,
        pool_suite=pool_key.suite,
        quantum_key=quantum_key,
        context=None if context is None else context.encode(),
        passphrase=passphrase,
    )
    return Package(envelope=envelope, body=body.seal_bytes(file_key, header.digest(), plaintext))


def seal_batch_again(
    kept: Mapping[str, Any], plaintexts: Sequence[bytes], *, actor: Actor, context: str | None = None
) -> list[Package]:
    """The packages of a batch that was encrypted before: the same messages, under the same ids and keys.

    Their envelopes are fresh: a thousand of them would not fit into a row. The quantum key stays that of this one
    batch (I3).

    Raises:
        Refused: a key that they need is compromised or gone.
    """
    _record(actor, kept["batch_id"], kept["pool_key_id"])
    keys = OpenedKeys()
    pool_key, _ = keys.pool_key(kept["pool_key_id"])
    quantum_key = keys.quantum_key(kept["quantum_key_id"])
    return seal_batch(
        plaintexts,
        file_id=kept["batch_id"],
        quantum_key_id=kept["quantum_key_id"],
        pool_key_id=pool_key.key_id,
        pool_public_key=pool_key.public_key,
        pool_suite=pool_key.suite,
        quantum_key=quantum_key,
        context=None if context is None else context.encode(),
    )


def _record(actor: Actor, message_id: str, pool_key_id: str) -> None:
    record(actor, MessageEvent.REPEATED, file_id=message_id, key_id=pool_key_id)
