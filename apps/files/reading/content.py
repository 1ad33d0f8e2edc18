"""The content of a file, decrypted for those who may read it."""

from collections.abc import Iterator
from typing import Any

from apps.audit.records import Actor, Event, Outcome
from apps.audit.services import record
from apps.common.errors import Invalid, PlatformError
from apps.files import services
from apps.files.bodies import objects
from apps.files.bodies.objects import ObjectGone, ObjectRef
from apps.files.opening import DAMAGED, FileDamaged, file_key
from apps.files.records import File, FileNotReady
from apps.files.trail import FileEvent
from apps.keys.records import KeyNotFound
from apps.sessions.records import SessionNotFound
from qkdseal import body
from qkdseal.envelope import Envelope
from qkdseal.errors import PackageInvalid


def release(
    file_id: str,
    *,
    actor: Actor,
    passphrase: str | None = None,
    event: Event = FileEvent.READ,
    **detail: Any,
) -> tuple[File, bytes, bytes]:
    """A file, its key and the context of its body, to be read; the audit entry is written first (I1).

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: not encrypted yet, deleted, or in cold storage.
        Invalid: a passphrase is needed, or one is given that is not.
        FileDamaged: the envelope does not open, or a key is gone.
    """
    file = services.find(file_id, actor=actor)
    if not file.readable:
        raise FileNotReady(f"The file is {file.status} ({file.storage_class}); it cannot be read now.")
    if file.has_passphrase != (passphrase is not None):
        needs = "needs its passphrase" if file.has_passphrase else "has no passphrase"
        raise Invalid.of("passphrase", f"the file {needs}")
    session_id = services.session_of(file.quantum_key_id)
    record(actor, event, file_id=file_id, key_id=file.pool_key_id, session_id=session_id, **detail)
    try:
        key = file_key(file, passphrase=passphrase)
        return file, key, Envelope.from_dict(file.envelope).header.digest()
    except (PackageInvalid, KeyNotFound, SessionNotFound):
        raise report_unopened(file, actor) from None


def report_unopened(file: File, actor: Actor) -> PlatformError:
    """Why a package did not open, as far as it can be told: a wrong passphrase looks like damage. It is recorded."""
    subject = {
        "file_id": file.file_id,
        "key_id": file.pool_key_id,
        "session_id": services.session_of(file.quantum_key_id),
    }
    record(actor, FileEvent.READ, outcome=Outcome.FAILED, **subject)
    if file.has_passphrase:
        return Invalid.of("passphrase", "wrong, or the stored package is damaged")
    return FileDamaged(DAMAGED)


def read(file_id: str, *, actor: Actor, passphrase: str | None = None) -> tuple[File, Iterator[bytes]]:
    """The plaintext, streamed; the audit entry is written first (I1).

    Raises:
        FileNotFound, FileNotReady, Invalid: as ``release``.
        FileDamaged: the envelope does not open, or a key or the body is gone. A damaged body, or a wrong
            passphrase, raises from the iterator, after nothing but true leading bytes.
    """
    file, key, context = release(file_id, actor=actor, passphrase=passphrase)
    try:
        source = objects.opened(ObjectRef.of(file.body))
    except ObjectGone:
        raise report_unopened(file, actor) from None
    return file, _opened(file, actor, body.decrypt_chunks(source, key=key, context=context))


def _opened(file: File, actor: Actor, plaintext: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from plaintext
    except PackageInvalid:
        raise report_unopened(file, actor) from None


def whole(plaintext: Iterator[bytes]) -> bytes:
    """All of a plaintext that fits in memory.

    Raises:
        FileDamaged, Invalid: the body is not whole and unchanged, or the passphrase is wrong.
    """
    return b"".join(plaintext)
