"""The content of a file, decrypted for those who may read it. Its record is read once, whatever is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from apps.audit.records import Actor, Event, Outcome
from apps.audit.services import record
from apps.common.errors import Invalid, PlatformError
from apps.files import services
from apps.files.bodies import objects
from apps.files.bodies.objects import ObjectGone, ObjectRef
from apps.files.bodies.reader import stream
from apps.files.opening import DAMAGED, FileDamaged, file_key
from apps.files.reading.ranges import RangeNotSatisfiable
from apps.files.records import Document, File, Upload, Version
from apps.files.states import FileNotReady, as_words
from apps.files.trail import FileEvent
from apps.keys.records import KeyNotFound
from apps.sessions.records import SessionNotFound
from qkdseal import body
from qkdseal.envelope import Envelope
from qkdseal.errors import PackageInvalid


@dataclass(frozen=True, slots=True)
class Released:
    """A file that may be read, with what its body is opened with."""

    file: Document | Version
    key: bytes
    context: bytes


def release(
    file: File,
    *,
    actor: Actor,
    passphrase: str | None = None,
    event: Event = FileEvent.READ,
    **detail: Any,
) -> Released:
    """Release a file's key to be read with; the audit entry is written first (I1).

    Args:
        file: as just found for this actor.
        actor: who reads.
        passphrase: where one is part of the key.
        event: what the trail says.
        detail: what else it says.

    Raises:
        FileNotReady: not encrypted yet, deleted, or in cold storage.
        Invalid: a passphrase is needed, or one is given that is not.
        FileDamaged: the envelope does not open, or a key is gone.
    """
    file = readable(file)
    if file.has_passphrase != (passphrase is not None):
        needs = "needs its passphrase" if file.has_passphrase else "has no passphrase"
        raise Invalid.of("passphrase", f"the file {needs}")
    session_id = services.session_of(file.quantum_key_id)
    told = detail if "start" in detail else {"size": size_of(file), **detail}  # bytes that are given out
    record(actor, event, file_id=file.file_id, key_id=file.pool_key_id, session_id=session_id, **told)
    try:
        key = file_key(file, passphrase=passphrase)
        return Released(file, key, Envelope.from_dict(file.envelope).header.digest())
    except (PackageInvalid, KeyNotFound, SessionNotFound):
        raise report_unopened(file, actor) from None


def readable(file: File) -> Document | Version:
    """The file, whose content can be given out now.

    Raises:
        FileNotReady: it cannot.
    """
    if isinstance(file, Upload) or not file.readable:
        raise FileNotReady(_unreadable(file))
    return file


def _unreadable(file: File) -> str:
    if isinstance(file, Upload) or file.storage_class.instant:
        return f"Only an encrypted file can be read; this one is {as_words(file.status)}."
    return (
        f"The file's content cannot be read now: it is {as_words(file.status)}, its body in {file.storage_class}. "
        "Restore it first."
    )


def report_unopened(file: File, actor: Actor) -> PlatformError:
    """Record that a package did not open; the error says why, as far as that can be told.

    A wrong passphrase looks like damage.
    """
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
    """Stream the plaintext; the audit entry is written first (I1).

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady, Invalid: as ``release``.
        FileDamaged: the envelope does not open, or a key or the body is gone. A damaged body, or a wrong
            passphrase, raises from the iterator, after nothing but true leading bytes.
    """
    file = services.find(file_id, actor=actor)
    return file, opened(file, actor=actor, passphrase=passphrase)


def opened(file: File, *, actor: Actor, passphrase: str | None = None) -> Iterator[bytes]:
    """As ``read``, of a file that was just found for the actor."""
    return decrypt(release(file, actor=actor, passphrase=passphrase), actor=actor)


def decrypt(released: Released, *, actor: Actor) -> Iterator[bytes]:
    """Stream the plaintext of a file whose key was released to an actor.

    Raises:
        FileDamaged, Invalid: the body is gone; or, from the iterator, is damaged, or the passphrase is wrong.
    """
    file = released.file
    try:
        source = stream(ObjectRef.of(file.body))
    except ObjectGone:
        raise report_unopened(file, actor) from None
    plaintext = body.decrypt_chunks(source, key=released.key, context=released.context)
    return _report_damage(file, actor, plaintext)


def check_opens(released: Released, *, actor: Actor) -> None:
    """Open the end of a body with the key that was released: a wrong passphrase gives a wrong key.

    Raises:
        FileDamaged, Invalid: it does not open.
    """
    size = size_of(released.file)
    _decrypt_range(released, size, size, actor)


def _report_damage(file: File, actor: Actor, plaintext: Iterator[bytes]) -> Iterator[bytes]:
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


def read_range(
    file_id: str, *, start: int, stop: int, actor: Actor, passphrase: str | None = None
) -> tuple[File, bytes]:
    """``plaintext[start:stop]``; of the body only the chunks that hold it are fetched.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady, Invalid, FileDamaged: as ``release``; FileDamaged also where those chunks are not whole and
            unchanged.
        RangeNotSatisfiable: it does not lie within the file.
    """
    file = services.find(file_id, actor=actor)
    return file, range_of(file, start=start, stop=stop, actor=actor, passphrase=passphrase)


def range_of(file: File, *, start: int, stop: int, actor: Actor, passphrase: str | None = None) -> bytes:
    """As ``read_range``, of a file that was just found for the actor."""
    size = size_of(file)
    if not 0 <= start < stop <= size:
        raise RangeNotSatisfiable(f"The file has {size} bytes; {start} to {stop} is not a part of it.")
    released = release(file, actor=actor, passphrase=passphrase, start=start, stop=stop)
    return _decrypt_range(released, start, stop, actor)


def _decrypt_range(released: Released, start: int, stop: int, actor: Actor) -> bytes:
    file = released.file
    read_at = partial(objects.part_of, ObjectRef.of(file.body))
    wanted = {"start": start, "stop": stop, "size": size_of(file)}
    try:
        return body.decrypt_range(read_at, key=released.key, context=released.context, **wanted)
    except (ObjectGone, PackageInvalid, ValueError):
        raise report_unopened(file, actor) from None


def size_of(file: File) -> int:
    """Bytes of the content; none while it is still to come."""
    return 0 if isinstance(file, Upload) else file.size or 0
