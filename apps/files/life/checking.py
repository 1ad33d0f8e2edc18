"""Bodies that clients encrypted, read to their end in the background.

When a client finishes a file, only the commitment and the end of its body are opened, and the SHA-256 is what the
client says. A job reads all of it: then the digest is the platform's own, or the record says what is wrong. Where a
passphrase is part of the key the platform cannot read the body, and the digest stays the client's own.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from hmac import compare_digest
from typing import TypeGuard

from apps.audit.records import Actor, Outcome
from apps.audit.services import transaction
from apps.common.errors import PlatformError
from apps.files import changes, services, store
from apps.files.bodies import digests
from apps.files.bodies.media_types import Head
from apps.files.reading import content
from apps.files.reading.digests import of_released
from apps.files.records import DigestBy, Document, File
from apps.files.states import FileNotReady
from apps.files.trail import FileEvent
from qkdseal.envelope import Envelope

DAMAGED = "The body that the client sent does not open to its end. Upload the file again."
OTHER_DIGEST = "The content is not what the client gave the SHA-256 of."


def check(file_id: str, *, actor: Actor, progress: Callable[[int], object]) -> Document | None:
    """Read a finished file to its end, and record what was found; None where there is nothing to check any more.

    Raises:
        FileNotReady: the file was changed meanwhile; check it again.
    """
    file = store.find_document(file_id)
    if file is None or not _can_be_checked(file):
        return None
    try:
        found = _read(file, actor, progress)
    except PlatformError:
        return _record(file, replace(file, damage=DAMAGED), actor)
    return _record(file, found, actor)


def is_unchecked(file: File) -> TypeGuard[Document]:
    """Return whether only the client has told what a body is, and no check has found it damaged."""
    return isinstance(file, Document) and _can_be_checked(file) and file.damage is None


def _can_be_checked(file: Document) -> bool:
    return file.digest_by is DigestBy.CLIENT and file.readable and not file.has_passphrase


def _read(file: Document, actor: Actor, progress: Callable[[int], object]) -> Document:
    released = content.release(file, actor=actor, purpose="check")
    sha256, head, done = hashlib.sha256(), Head(), 0
    for piece in content.decrypt(released, actor=actor):
        sha256.update(piece)
        head.update(memoryview(piece))
        done += len(piece)
        progress(done)
    told = of_released(released, actor=actor)
    header = Envelope.from_dict(file.envelope).header
    differs = told is not None and not compare_digest(told, sha256.hexdigest())
    return replace(
        file,
        sealed_digest=digests.seal(sha256.digest(), header=header, file_key=released.key),
        digest_by=DigestBy.PLATFORM,
        sniffed_type=head.media_type(file.name),
        damage=OTHER_DIGEST if differs else None,
    )


def _record(file: Document, found: Document, actor: Actor) -> Document:
    event = FileEvent.DAMAGED if found.damage else FileEvent.CHECKED
    outcome = Outcome.FAILED if found.damage else Outcome.OK
    with transaction(actor) as tx:
        found = changes.change(tx, file, found, otherwise=FileNotReady(services.CHANGED))
        tx.audit(event, outcome=outcome, file_id=file.file_id, reason=found.damage)
    return found
