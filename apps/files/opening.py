"""The key of a file's body, opened from its envelope."""

from dataclasses import dataclass, field

from apps.common.errors import Refused
from apps.files.records import File
from apps.keys import seeds
from apps.keys import services as keys
from apps.sessions import quantum_keys
from qkdseal.envelope import Envelope, open_envelope
from qkdseal.errors import PackageInvalid

DAMAGED = "The stored package is damaged. Report it to the operator."


class FileDamaged(Refused):
    """The stored package does not open. The plaintext is not released."""


@dataclass(frozen=True, slots=True)
class FileKey:
    """What a client needs to encrypt or decrypt one body."""

    file: File
    key: bytes = field(repr=False)
    context: bytes = field(repr=False)
    format: str
    url: str | None = None  # of the ciphertext, to be read
    sha256: str | None = None  # of the plaintext, in hex


def file_key(file: File, *, passphrase: str | None = None, moving: bool = False) -> bytes:
    """The key of the body, after the checks of C3 and C7.

    Args:
        file: as just read.
        passphrase: where one is part of the key.
        moving: the file is only taken to other keys, which is also done with keys that are suspended or outdated.

    Raises:
        PackageInvalid: the envelope does not open, or is not this file's.
        KeyNotFound, SessionNotFound: a key that it needs is gone.
    """
    envelope = Envelope.from_dict(file.envelope)
    if envelope.header.file_id != file.package_id or envelope.header.quantum_key_id != file.quantum_key_id:
        raise PackageInvalid
    pool_key = keys.find(envelope.pool_key_id)
    seed = seeds.seed_of(pool_key, rewrap=moving)
    quantum_key = quantum_keys.taken_key(envelope.header.quantum_key_id)
    return open_envelope(
        envelope, seed=seed, pool_suite=pool_key.suite, quantum_key=quantum_key, passphrase=passphrase
    )
