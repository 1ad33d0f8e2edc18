"""Files that the client decrypts itself: the platform gives out the file's key, and never sees plaintext."""

from apps.audit.records import Actor
from apps.files.bodies import objects
from apps.files.bodies.media_types import UNKNOWN
from apps.files.bodies.objects import ObjectRef
from apps.files.opening import FileKey
from apps.files.reading import content
from apps.files.trail import FileEvent
from qkdseal.envelope import Envelope


def release_key(file_id: str, *, actor: Actor, passphrase: str | None = None) -> FileKey:
    """The key of a file and where its ciphertext is, so that the client decrypts it; the entry is written first.

    Raises:
        as ``content.release``.
    """
    file, key, context = content.release(
        file_id, actor=actor, passphrase=passphrase, event=FileEvent.KEY_RELEASED, purpose="decrypt"
    )
    where = ObjectRef.of(file.body)
    url = objects.presigned_get(where, name=f"{file.file_id}.encrypted", media_type=UNKNOWN)
    return FileKey(file, key, context, Envelope.from_dict(file.envelope).header.body.value, url)
