"""Messages opened, for who encrypted them or sees all (C7, C11)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.audit.records import Actor, Outcome
from apps.audit.services import may_see, record
from apps.common.errors import Invalid, PlatformError, Refused
from apps.files.trail import MessageEvent
from apps.keys import seeds
from apps.keys import services as keys
from apps.keys.records import KeyNotFound, KeyUnusable, PoolKey
from apps.metrics.catalog import DECRYPTED_BYTES
from apps.metrics.recording import observe
from apps.sessions import quantum_keys
from apps.sessions.records import KeyPurpose, QuantumKey, SessionNotFound, SessionUnusable
from qkdseal import pqfile
from qkdseal.errors import PackageInvalid
from qkdseal.header import Header
from qkdseal.package import Package, open_message
from qkdseal.pqfile import PqfilePackage
from qkdseal.quantum_keys import split_key_id
from qkdseal.reading import read_package

UNIFORM = "The package is damaged, or not for this context, passphrase or caller."


def decrypt(
    document: Mapping[str, Any], *, actor: Actor, context: str | None = None, passphrase: str | None = None
) -> bytes:
    """The plaintext of a package, alone or of a batch, for who encrypted it or sees all.

    Raises:
        Invalid: it does not open; whatever the cause, the answer is the same.
        Refused: a key that it needs is compromised or gone.
    """
    package, taken = find(document, actor=actor, passphrase=passphrase)
    subject = subject_of(package, taken)
    record(actor, MessageEvent.READ, **subject)
    try:
        found = Opened(package, taken.key_id, OpenedKeys()).plaintext(context=context, passphrase=passphrase)
    except PlatformError:
        record(actor, MessageEvent.READ, outcome=Outcome.FAILED, **subject)
        raise
    observe(DECRYPTED_BYTES, len(found), kind="message")
    return found


def find(
    document: Mapping[str, Any], *, actor: Actor, passphrase: str | None = None
) -> tuple[Package | PqfilePackage, QuantumKey]:
    """A package, and the quantum key that was taken for it, if the actor may see it; else the attempt is recorded.

    Raises:
        Invalid: it is none, or another's; the answer is the same.
    """
    package = parsed(document, passphrase)
    key_id = named_key(package.header) if package else None
    taken = quantum_keys.find_taken(key_id) if key_id else None
    if package is None or taken is None or not was_taken_for(taken, package.header):
        raise Invalid.of("package", UNIFORM)
    if not may_see(actor, taken.taken_by, **subject_of(package, taken)):
        raise Invalid.of("package", UNIFORM)
    return package, taken


def subject_of(package: Package | PqfilePackage, taken: QuantumKey) -> dict[str, str]:
    """What an entry about a package names."""
    return {
        "file_id": package.header.file_id,
        "key_id": package.pool_key_id,
        "session_id": taken.session_id,
    }


def parsed(document: Mapping[str, Any], passphrase: str | None = None) -> Package | PqfilePackage | None:
    """Read a package; None where it is none, or a passphrase is given that its suite does not know."""
    try:
        package = read_package(document)
    except PackageInvalid:
        return None
    superfluous = passphrase is not None and isinstance(package, PqfilePackage)
    return None if superfluous else package


def named_key(header: Header) -> str | None:
    """The quantum key that a package names, or None where it names none."""
    try:
        return split_key_id(header.quantum_key_id)[0]
    except ValueError:
        return None


def was_taken_for(taken: QuantumKey, header: Header) -> bool:
    """Return whether a quantum key was taken for this very message, or for the batch that it is of."""
    # A file's envelope and body would make a package as well
    if taken.purpose is not KeyPurpose.MESSAGE:
        return False
    _, index = split_key_id(header.quantum_key_id)
    subject = taken.subject if index is None else f"{taken.subject}/{index}"
    return subject == header.file_id


@dataclass(slots=True)
class OpenedKeys:
    """Pool keys and quantum keys that one call has opened, each once; the entries about them were written before."""

    _pool: dict[str, tuple[PoolKey, bytes]] = field(default_factory=dict, repr=False)
    _quantum: dict[str, bytes] = field(default_factory=dict, repr=False)

    def pool_key(self, key_id: str) -> tuple[PoolKey, bytes]:
        """A pool key and its seed.

        Raises:
            KeyNotFound: no such pool key.
            Refused: it opens nothing.
        """
        if key_id not in self._pool:
            found = keys.find(key_id)
            try:
                self._pool[key_id] = (found, seeds.seed_of(found))
            except KeyUnusable as error:
                raise _unusable(error) from None
        return self._pool[key_id]

    def quantum_key(self, key_id: str) -> bytes:
        """A quantum key that was taken.

        Raises:
            Refused: its session is compromised or gone.
        """
        if key_id not in self._quantum:
            try:
                self._quantum[key_id] = quantum_keys.taken_key(key_id)
            except (SessionNotFound, SessionUnusable) as error:
                raise _unusable(error) from None
        return self._quantum[key_id]


def _unusable(error: PlatformError) -> Refused:
    return Refused(f"A key that the package needs cannot be used: {error.detail}")


@dataclass(frozen=True, slots=True)
class Opened:
    """A package with the keys that it needs."""

    package: Package | PqfilePackage
    quantum_key_id: str
    keys: OpenedKeys

    def plaintext(self, *, context: str | None, passphrase: str | None) -> bytes:
        """Open the package.

        Raises:
            Invalid: it does not open.
            Refused: a key that it needs is compromised or gone.
        """
        bound = None if context is None else context.encode()
        try:
            pool_key, seed = self.keys.pool_key(self.package.pool_key_id)
            quantum_key = self.keys.quantum_key(self.quantum_key_id)
            if isinstance(self.package, Package):
                return open_message(
                    self.package,
                    seed=seed,
                    pool_suite=pool_key.suite,
                    quantum_key=quantum_key,
                    context=bound,
                    passphrase=passphrase,
                )
            return pqfile.open_pqfile(
                self.package, seed=seed, pool_suite=pool_key.suite, quantum_key=quantum_key, context=bound
            )
        except (PackageInvalid, KeyNotFound, ValueError):
            raise Invalid.of("package", UNIFORM) from None
