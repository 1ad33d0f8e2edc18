"""Bodies that lie elsewhere than their records say: named where they are, after a bucket was brought back from a copy.

S3 gives an object that is written again another version's id, and the bucket of another stage has another name. An
object key belongs to one attempt alone: so what lies under it, is as long as the record says and ends as a body under
this file's key ends, is that body.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common.dynamodb import Position
from apps.files import changes, services, store
from apps.files.bodies import objects
from apps.files.bodies.objects import ObjectGone, ObjectRef, Stored
from apps.files.life.reconciling import contents_of
from apps.files.opening import file_key
from apps.files.records import Document, StorageClass, Version
from apps.files.states import FileNotReady
from apps.files.trail import FileEvent
from apps.keys.records import KeyNotFound, KeyUnusable
from apps.sessions.records import SessionNotFound
from qkdseal import body
from qkdseal.envelope import Envelope
from qkdseal.errors import PackageInvalid

PAGE = 50
UNOPENED = (PackageInvalid, ValueError, ObjectGone, KeyNotFound, KeyUnusable, SessionNotFound)


@dataclass(frozen=True, slots=True)
class Found:
    """What one step found, and where the next one goes on; None: there is no more."""

    named: int = 0
    missing: tuple[str, ...] = ()
    after: str | None = None


def find_bodies(after: str, *, actor: Actor) -> Found:
    """Name the bodies of some documents, and of their versions, where they lie by now. Idempotent.

    Args:
        after: place in the list of files, newest first, at which to begin; empty: at its beginning.
        actor: who has them named.

    Raises:
        FileNotReady: a file was changed meanwhile; go on from the same place.
    """
    page = store.files_page(limit=PAGE, position=Position(after) if after else None)
    named, missing = 0, []
    for content in contents_of(page.records):
        if not content.body:
            continue
        place = _place_of(content)
        if place is None:
            missing.append(content.file_id)
        elif place.ref != ObjectRef.of(content.body):
            _name(content, place, actor)
            named += 1
    return Found(named, tuple(missing), page.older)


def _place_of(content: Document | Version) -> Stored | None:
    """Where a content's body lies in the bucket of now; of several that could be it, the one that the record names."""
    recorded = ObjectRef.of(content.body)
    there = objects.stored_under(settings.ENCRYPTED_BUCKET, recorded.key)
    fitting = [one for one in there if one.size == content.ciphertext_size]
    fitting.sort(key=lambda one: one.ref != recorded)
    return next((one for one in fitting if one.ref == recorded or _opens(content, one)), None)


def _opens(content: Document | Version, stored: Stored) -> bool:
    """Return whether an object ends as this content's body does; nobody here can tell it of what has a passphrase, or is frozen."""
    if content.has_passphrase or not _class_of(stored).instant:
        return True
    size = content.size or 0
    try:
        key = file_key(content, moving=True)
        context = Envelope.from_dict(content.envelope).header.digest()
        read_at = partial(objects.part_of, stored.ref)
        body.decrypt_range(read_at, key=key, context=context, start=size, stop=size, size=size)
    except UNOPENED:
        return False
    return True


def _class_of(stored: Stored) -> StorageClass:
    """What S3 moves by itself, as Intelligent-Tiering, is at hand as standard is."""
    known = stored.storage_class in set(StorageClass)
    return StorageClass(stored.storage_class) if known else StorageClass.STANDARD


def _name(content: Document | Version, stored: Stored, actor: Actor) -> None:
    before = ObjectRef.of(content.body)
    places: dict[str, Any] = {"body": stored.ref.as_document(), "storage_class": _class_of(stored)}
    if (
        isinstance(content, Document) and content.moved_from
    ):  # what it left is removed where the bucket is now
        left = {"bucket": stored.ref.bucket, "version": ""}
        places["moved_from"] = dict(content.moved_from) | left
    with transaction(actor) as tx:
        changed = replace(content, **places)
        changes.change(tx, content, changed, otherwise=FileNotReady(services.CHANGED))
        tx.audit(
            FileEvent.BODY_FOUND,
            file_id=content.file_id,
            keys=[before.key],
            version=stored.ref.version,
            old_version=before.version,
        )
