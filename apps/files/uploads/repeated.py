"""One announcement, however often its request is sent.

Where the client chooses an ``upload_id``, the file's id follows from that and from who asks. So a request whose answer
was lost finds what the first one made; another request under the same id is refused, by a digest of what was asked.
"""

import hashlib
import json
import uuid
from hmac import compare_digest
from typing import Any

from apps.audit.records import Actor
from apps.common import clock
from apps.common.errors import Refused
from apps.files import store
from apps.files.records import File, Upload
from apps.files.uploads import passphrases

NAMESPACE = uuid.UUID("0d0a7c53-6a4e-4a1c-8c43-1f3d0e2b9a77")  # of file ids that follow from upload ids
_OTHER = "This upload_id was used for another upload. Choose another upload_id, or repeat the first request unchanged."


class UploadIdUsed(Refused):
    """The client's id names an upload that was asked for otherwise."""


def file_id_for(upload_id: str | None, *, actor: Actor) -> str:
    """The id of a file to be announced: by the client's own id where it gives one."""
    return str(uuid.uuid4() if upload_id is None else uuid.uuid5(NAMESPACE, f"{actor}|{upload_id}"))


def digest_of(upload: Upload, **asked: Any) -> str:
    """The digest of what an announcement asks for. A passphrase is no part of it: a digest would tell of it."""
    fields = {
        name: getattr(upload, name)
        for name in (
            "name",
            "source_path",
            "document_type",
            "media_type",
            "attributes",
            "owner",
            "size_limit",
            "keys_from",
        )
    }
    ends = None if upload.expires_at is None else clock.as_text(upload.expires_at)
    text = json.dumps(fields | asked | {"expires_at": ends}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def find(upload: Upload, passphrase: str | None) -> File | None:
    """What was announced before under an upload's id; None where nothing was, or the client chose no id.

    Raises:
        UploadIdUsed: something else was announced under it.
    """
    if upload.asked is None:
        return None
    found = store.find_file(upload.file_id)
    if found is None:
        return None
    if found.asked is not None and not compare_digest(found.asked, upload.asked):
        raise UploadIdUsed(_OTHER)
    if isinstance(found, Upload) and not passphrases.is_same(found, passphrase):
        raise UploadIdUsed(_OTHER)
    return found
