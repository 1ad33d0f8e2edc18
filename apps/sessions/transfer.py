"""Quantum keys to the outside: only those that a package uses, and only sealed to a recipient.

export = HPKE-Seal(recipient's public key, key, info = label || key id)

With the pool key, exported likewise, it opens what was kept offline (docs/client.md, the exit route).
"""

from dataclasses import dataclass, field

from apps.audit.services import Transaction
from apps.sessions import quantum_keys
from apps.sessions.records import KeyPurpose, QuantumKeyState, SessionUnusable
from apps.sessions.trail import QuantumKeyEvent
from qkdseal import kem
from qkdseal.kem import Suite

LABEL = b"qkdplatform quantum key export v1"
PACKAGES = frozenset({KeyPurpose.FILE, KeyPurpose.MESSAGE})


@dataclass(frozen=True, slots=True)
class ExportedQuantumKey:
    """A quantum key that only the recipient opens."""

    key_id: str
    recipient_suite: Suite
    sealed_key: bytes = field(repr=False)


def check_exportable(key_id: str) -> None:
    """Check that a package uses this quantum key: one that is free, reserved or delivered stays here (I3).

    Raises:
        SessionUnusable: none does.
    """
    found = quantum_keys.find_taken(key_id)
    if found is None or found.state is not QuantumKeyState.USED or found.purpose not in PACKAGES:
        raise SessionUnusable(
            f"No file or message uses a quantum key {key_id!r}. Give the id that its envelope names."
        )


def info_of(key_id: str) -> bytes:
    """The HPKE info that binds an exported key to its id; the recipient needs the same bytes to open it."""
    return b"\x00".join((LABEL, key_id.encode()))


def export(tx: Transaction, key_id: str, *, recipient: bytes, suite: Suite) -> ExportedQuantumKey:
    """Seal a quantum key to a recipient; the transaction's entry is to be committed before it is given out.

    Raises:
        SessionNotFound, SessionUnusable: no package uses it, or its session is gone or compromised.
    """
    check_exportable(key_id)
    sealed = kem.seal_secret(
        quantum_keys.taken_key(key_id), suite=suite, public_key=recipient, info=info_of(key_id)
    )
    tx.audit(
        QuantumKeyEvent.EXPORTED,
        session_id=key_id.rpartition(".")[0],
        quantum_key_id=key_id,
        recipient=kem.fingerprint(recipient),
    )
    return ExportedQuantumKey(key_id, suite, sealed)
