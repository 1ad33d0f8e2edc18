"""Settings of files."""

import re
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from apps.common.environment import Section

section = Section("Files")

UPLOADS_BUCKET = section.text(
    "UPLOADS_BUCKET", "qkd-{stage}-uploads", about="The bucket that uploads arrive in."
)
ENCRYPTED_BUCKET = section.text(
    "ENCRYPTED_BUCKET", "qkd-{stage}-encrypted", about="The bucket of encrypted bodies."
)
DOWNLOADS_BUCKET = section.text(
    "DOWNLOADS_BUCKET",
    "qkd-{stage}-downloads",
    about="The bucket of decrypted copies, which live for minutes.",
)
PRINCIPAL = re.compile(r"(user|service|group):[A-Za-z0-9._-]{1,64}")


def owners_of(rules: Any) -> dict[str, str]:
    """Check the rules that say whose an object is that nobody announced.

    Raises:
        ImproperlyConfigured: a rule is for every object, or names no principal.
    """
    if not isinstance(rules, dict):
        raise ImproperlyConfigured("UPLOAD_OWNERS must be a JSON object.")
    for name, owner in rules.items():
        if not name or not isinstance(owner, str) or not PRINCIPAL.fullmatch(owner):
            raise ImproperlyConfigured(
                f"UPLOAD_OWNERS: {name!r} must name a user:…, service:… or group:…, not {owner!r}."
            )
    return rules


UPLOADS_OWNER = section.text(
    "UPLOADS_OWNER",
    "group:uploads",
    about="Whose objects are that nobody announced and that no rule is about: a group, whose members read them.",
)
UPLOAD_OWNERS = owners_of(
    section.document(
        "UPLOAD_OWNERS",
        about="Whose objects are that nobody announced: by a prefix of the key, or by `writer:` and the identity in "
        'S3\'s event, as `{"in/alice/": "service:…", "writer:AWS:AIDA…": "group:…"}`.',
    )
)
UPLOAD_EVENTS_QUEUE = section.text(
    "UPLOAD_EVENTS_QUEUE", "qkd-{stage}-upload-events", about="The queue of S3's events about uploads."
)
UPLOAD_MAX_BYTES = section.integer("UPLOAD_MAX_BYTES", 5 * 2**30, about="The largest file.")
EVENT_UPLOAD_BYTES = section.integer(
    "EVENT_UPLOAD_BYTES",
    2 * 2**30,
    about="The largest upload that is encrypted in its event, as Lambda ends at 900 s; larger ones become a job.",
)
STREAMED_DOWNLOAD_BYTES = section.integer(
    "STREAMED_DOWNLOAD_BYTES",
    4 * 2**20,
    about="The largest content in an answer itself, as Lambda answers at most 6 MB; larger ones get a link.",
)
DOWNLOAD_AT_ONCE_BYTES = section.integer(
    "DOWNLOAD_AT_ONCE_BYTES",
    64 * 2**20,
    about="The largest content that a request for a download decrypts while it waits; for larger ones a job does.",
)
PRESIGNED_SECONDS = section.integer(
    "PRESIGNED_SECONDS", 900, low=1, high=3600, about="Seconds that a presigned link works."
)
METADATA_KEY = section.text(
    "METADATA_KEY",
    secret=True,
    about="The key under which the SHA-256 of files without a passphrase, and secrets of second factors, are kept.",
)
METADATA_KEY_PREVIOUS = section.words(
    "METADATA_KEY_PREVIOUS",
    about="Keys that still open digests and second factors after METADATA_KEY was changed.",
)
DELETION_WINDOW_DAYS = section.integer(
    "DELETION_WINDOW_DAYS",
    30,
    low=1,
    about="Days in which a deleted file can be restored, before it is shredded.",
)
