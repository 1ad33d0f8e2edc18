"""Objects that nobody announced: whose they are, and what is kept of what came with them."""

import re
import uuid
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings

from apps.common import aws, clock
from apps.files import attributes, names, store
from apps.files.bodies.objects import Head, ObjectRef
from apps.files.records import DEFAULT_DOCUMENT_TYPE, UNKNOWN_TYPE, File, Upload

NAMESPACE = uuid.UUID("6f1b0a1e-6f6b-4b59-9f0e-4c0d9a1d2a55")  # of file ids derived from objects
WRITER = "writer:"  # before a writer's identity, where a rule is by that
_ENCODING = re.compile(r"[a-z0-9-]{1,16}(, ?[a-z0-9-]{1,16}){0,3}")
_SAYS_NOTHING = {UNKNOWN_TYPE, "binary/octet-stream"}  # S3's own default is the second


@dataclass(frozen=True, slots=True)
class Origin:
    """Who put an object, and from where, as S3's event says; empty where no event told."""

    writer: str = ""
    address: str = ""

    def as_detail(self) -> dict[str, Any]:
        """For an audit entry, or a job."""
        told = {"uploaded_by": self.writer, "uploaded_from": self.address}
        return {name: value for name, value in told.items() if value}


UNTOLD = Origin()


def file_of(source: ObjectRef, origin: Origin) -> File:
    """The record of an object of its own, the same for each delivery of its event."""
    derived = str(uuid.uuid5(NAMESPACE, f"{source.bucket}/{source.key}/{source.version}"))
    return store.find_file(derived) or Upload(
        file_id=derived,
        name=names.of_key(source.key),
        source_path=source.key,
        document_type=DEFAULT_DOCUMENT_TYPE,
        owner=owner_of(source.key, origin),
        uploaded_at=clock.now(),
    )


def owner_of(key: str, origin: Origin) -> str:
    """Whose an object is: by who put it, else by the longest prefix of its key, else the configured principal's."""
    rules = settings.UPLOAD_OWNERS
    for name, owner in rules.items():
        # An assumed role is followed by the session's name
        if name.startswith(WRITER) and f"{origin.writer}:".startswith(f"{name.removeprefix(WRITER)}:"):
            return str(owner)
    fitting = [name for name in rules if not name.startswith(WRITER) and key.startswith(name)]
    return str(rules[max(fitting, key=len)] if fitting else settings.UPLOADS_OWNER)


def as_arrived(upload: Upload, source: ObjectRef, head: Head) -> Upload:
    """The upload with what came with its object: all that counts where nobody announced it, else the encoding."""
    if not upload.tag:
        upload = replace(upload, **_described(source, head))
    return replace(upload, content_encoding=encoding_of(head))


def _described(source: ObjectRef, head: Head) -> dict[str, Any]:
    tags = aws.client("s3").get_object_tagging(**source.arguments())["TagSet"]
    told = head.media_type.partition(";")[0].strip().lower()
    known = attributes.MEDIA_TYPE.fullmatch(told) and told not in _SAYS_NOTHING
    return {
        "media_type": told if known else UNKNOWN_TYPE,
        "attributes": attributes.kept(head.metadata, {tag["Key"]: tag["Value"] for tag in tags}),
    }


def encoding_of(head: Head) -> str | None:
    """The Content-Encoding that an object was put with; how it was sent is none of it."""
    told = [one.strip() for one in head.encoding.lower().split(",")]
    text = ", ".join(one for one in told if one not in {"", "aws-chunked", "identity"})
    return text if _ENCODING.fullmatch(text) else None


def is_folder(source: ObjectRef, size: int) -> bool:
    """Return whether an object only marks a folder, as consoles make them."""
    return size == 0 and source.key.endswith("/")
