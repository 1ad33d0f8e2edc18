"""Files that the client decrypts itself: the platform gives out the file's key, and never sees plaintext."""

from apps.audit.records import Actor
from apps.files import services
from apps.files.bodies import presigned
from apps.files.bodies.objects import ObjectRef
from apps.files.opening import FileKey
from apps.files.reading import content, digests
from apps.files.records import UNKNOWN_TYPE
from apps.files.trail import FileEvent
from qkdseal.envelope import Envelope


def release_key(file_id: str, *, actor: Actor, passphrase: str | None = None) -> FileKey:
    """Release the key of a file and the URL of its ciphertext; the audit entry is written first (I1).

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady, Invalid, FileDamaged: as ``content.release``.
    """
    file = services.find(file_id, actor=actor)
    released = content.release(
        file, actor=actor, passphrase=passphrase, event=FileEvent.KEY_RELEASED, purpose="decrypt"
    )
    where = ObjectRef.of(file.body)
    url = presigned.get_url(where, name=f"{file.file_id}.encrypted", media_type=UNKNOWN_TYPE)
    body_format = Envelope.from_dict(file.envelope).header.body.value
    return FileKey(
        file,
        released.key,
        released.context,
        body_format,
        url,
        sha256=digests.of_released(released, actor=actor),
    )
