"""The bucket of bodies held against the records, both ways.

A body that no record names, and that nobody can commit any more, is removed; a body that a record names and that is not
there, or not whole, is reported. Listed first and read then: what is committed in between is in the records.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

from django.conf import settings

from apps.audit.records import Actor, Outcome
from apps.audit.services import record
from apps.common import clock
from apps.common.authenticated import RecordForged
from apps.common.dynamodb import Position
from apps.common.errors import Refused
from apps.files import store
from apps.files.bodies import objects
from apps.files.bodies.objects import BODIES_PREFIX, CLIENT_BODIES_PREFIX, ObjectGone, ObjectRef, Stored
from apps.files.life import checking, versions
from apps.files.records import Document, File, Upload, Version
from apps.files.trail import FileEvent
from apps.sessions import quantum_keys, reservations
from apps.sessions.records import QuantumKeyState

log = logging.getLogger(__name__)
PAGE = 100
UNCHECKED_SECONDS = 3600  # by then the job of an acknowledged body has begun


class BodiesMissing(Refused):
    """Records name bodies that are not there; what they say of them is in the job's results."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one step found, and where the next one goes on; None: there is no more."""

    removed: int = 0
    missing: tuple[str, ...] = ()
    after: str | None = None


def remove_unnamed(after: str, *, actor: Actor) -> Found:
    """Remove the bodies of some documents that no record names; older ones only, as others may still be committed.

    Args:
        after: object key behind which to begin.
        actor: who removes.
    """
    removed = 0
    for number, (_, stored) in enumerate(groupby(_bodies(after), key=lambda one: _document_of(one.ref))):
        bodies = list(stored)
        removed += _remove_unnamed(bodies, actor)
        after = bodies[-1].ref.key
        if number + 1 >= PAGE:
            return Found(removed, after=after)
    return Found(removed)


def _bodies(after: str) -> Iterator[Stored]:
    for found in objects.stored_versions(settings.ENCRYPTED_BUCKET, after=after):
        if found.ref.key.startswith((BODIES_PREFIX, CLIENT_BODIES_PREFIX)):
            yield found


def _document_of(ref: ObjectRef) -> str:
    return "/".join(ref.key.split("/")[:2])


def _remove_unnamed(bodies: list[Stored], actor: Actor) -> int:
    moment = clock.ago(settings.PRESIGNED_SECONDS + reservations.RESERVED_SECONDS)
    # Whether one may still be committed is read before the records are: else a commit in between would be missed
    settled = [one.ref for one in bodies if one.stored_at < moment and not _may_be_committed(one.ref)]
    if not settled:
        return 0
    document_id = settled[0].key.split("/")[1]
    try:
        named, keys = _named_by(document_id)
    except RecordForged:  # logged there; who knows what the true record names
        return 0
    there = {one.ref for one in bodies}
    # Brought back from a copy, a body is another version than its record names, until `finding` has changed that
    keys |= {ref.key for ref in named - there}
    unnamed = [ref for ref in settled if ref not in named and ref.key not in keys]
    for ref in unnamed:
        told = {"phase": "no record names it", "keys": [ref.key], "version": ref.version}
        record(actor, FileEvent.BODY_REMOVED, file_id=document_id, **told)
        objects.remove(ref)
    return len(unnamed)


def _may_be_committed(ref: ObjectRef) -> bool:
    """Return whether an attempt that wrote this body is not over: its quantum key, which names it, is reserved."""
    key = quantum_keys.find_taken(ref.key.rpartition("/")[2])
    return key is not None and key.state is QuantumKeyState.RESERVED


def _named_by(document_id: str) -> tuple[set[ObjectRef], set[str]]:
    """The bodies that the records of a document name, and the object keys under which one is to come."""
    named: set[ObjectRef] = set()
    keys: set[str] = set()
    found = store.find_file(document_id)
    if isinstance(found, Upload) and found.body:
        keys.add(found.body["key"])
    for content in versions.contents(document_id):
        named |= {
            ObjectRef.of(place) for place in (content.body, getattr(content, "moved_from", {})) if place
        }
        if moving := getattr(content, "moving_to", None):
            keys.add(moving)
    return named, keys


def report_missing(after: str, *, actor: Actor, unchecked: Callable[[Document], object]) -> Found:
    """Report the bodies of some documents that are not there, or not whole.

    Args:
        after: place in the list of files, newest first, at which to begin; empty: at its beginning.
        actor: who looks.
        unchecked: is told of each body that a client encrypted and nobody has read to its end, though there was time.
    """
    page = store.files_page(limit=PAGE, position=Position(after) if after else None)
    for file in page.records:
        if checking.is_unchecked(file) and file.uploaded_at < clock.ago(UNCHECKED_SECONDS):
            unchecked(file)
    missing = [content.file_id for content in contents_of(page.records) if _is_missing(content)]
    for file_id in missing:
        log.error("the body of file %s is missing or not whole", file_id)
        record(actor, FileEvent.BODY_MISSING, outcome=Outcome.FAILED, file_id=file_id)
    return Found(missing=tuple(missing), after=page.older)


def contents_of(files: Iterable[File]) -> Iterator[Document | Version]:
    """Documents and their versions; none of one with a forged row: the trail's verification tells of it."""
    for file in files:
        if isinstance(file, Document):
            with suppress(RecordForged):
                yield from list(versions.contents(file.file_id))


def _is_missing(content: Document | Version) -> bool:
    if not content.body or _is_whole(content):
        return False
    now = store.find_file(
        content.file_id
    )  # moved, replaced or shredded meanwhile, it is another body, or none
    return isinstance(now, Document | Version) and now.body == content.body


def _is_whole(content: Document | Version) -> bool:
    try:
        return objects.size_of(ObjectRef.of(content.body)) == content.ciphertext_size
    except ObjectGone:
        return False
