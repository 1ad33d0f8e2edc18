"""Cold storage: a body copied to another storage class and back, the record telling where it is (E6).

    encrypted → archiving → archived → recalling → encrypted

Each state before a step is written first, so the sweep finishes what was interrupted. The copy has a key of its own
for each version and class; doing a step twice writes the same object again, and what is superfluous is removed
before the next state.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError
from pynamodb.expressions.update import Action

from apps.audit.records import Actor, Event
from apps.audit.services import transaction
from apps.common import aws, clock
from apps.common.dynamodb import feed
from apps.common.errors import Invalid
from apps.common.sweeps import each
from apps.files import services, store
from apps.files.bodies import copying, objects
from apps.files.bodies.objects import BODIES_PREFIX, ObjectRef
from apps.files.records import File, FileNotReady, FileStatus, StorageClass
from apps.files.store import FileTable
from apps.files.trail import FileEvent

AT_ONCE_BYTES = 256 * 2**20  # copied while the caller waits; larger ones are left to the sweep
THAWED_DAYS = 2  # that S3 keeps a recalled object readable, while it is copied
_MOVES = {FileStatus.ARCHIVING: FileStatus.ARCHIVED, FileStatus.RECALLING: FileStatus.ENCRYPTED}


def archive(file_id: str, *, storage_class: StorageClass, actor: Actor) -> File:
    """Move a file's body to a cold storage class.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it is not ``encrypted``.
        Invalid: the class is not a cold one.
    """
    if storage_class is StorageClass.STANDARD:
        raise Invalid.of("storage_class", "a cold class: GLACIER_IR, GLACIER or DEEP_ARCHIVE")
    file = services.find(file_id, actor=actor)
    begun = _begun(file, FileStatus.ENCRYPTED, FileStatus.ARCHIVING, storage_class, actor)
    return _at_once(begun, actor)


def recall(file_id: str, *, actor: Actor) -> File:
    """Bring an archived file back; from Glacier it takes hours, and ``status`` tells when it is there.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it is not ``archived``.
    """
    file = services.find(file_id, actor=actor)
    begun = _begun(file, FileStatus.ARCHIVED, FileStatus.RECALLING, file.storage_class, actor)
    return _at_once(begun, actor)


def restore(file_id: str, *, actor: Actor) -> File:
    """Bring a file back that is deleted or archived.

    Raises:
        as ``services.restore`` and ``recall``.
    """
    if services.find(file_id, actor=actor).status is FileStatus.ARCHIVED:
        return recall(file_id, actor=actor)
    return services.restore(file_id, actor=actor)


def finish_moves(*, actor: Actor) -> int:
    """Go on with every move that is under way: the sweep's part."""
    moving = [file for status in _MOVES for file in store.in_status_before(status, clock.now())]
    return each(moving, lambda file: _finished(file, actor))


def _begun(
    file: File, source: FileStatus, target: FileStatus, storage_class: StorageClass, actor: Actor
) -> File:
    refused = FileNotReady(f"The file is {file.status}; only one that is {source} can be {target}.")
    if file.status is not source:
        raise refused
    event = FileEvent.ARCHIVED if target is FileStatus.ARCHIVING else FileEvent.RECALLED
    actions = [FileTable.storage_class.set(storage_class)]
    _move(file, target, actions, event, actor, refused=refused)
    return replace(file, status=target, storage_class=storage_class)


def _at_once(file: File, actor: Actor) -> File:
    if (file.ciphertext_size or 0) > AT_ONCE_BYTES:
        return file
    return _finished(file, actor)


def _finished(file: File, actor: Actor) -> File:
    """Take every step that can be taken now."""
    to = file.storage_class if file.status is FileStatus.ARCHIVING else StorageClass.STANDARD
    key = f"{BODIES_PREFIX}{file.file_id}/{file.status.value}.v{file.version}.{to.value}"
    body = ObjectRef.of(file.body)
    if body.key != key:
        if file.status is FileStatus.RECALLING and not _is_thawed(body, file.storage_class):
            return file
        copy = copying.copied(body, key=key, storage_class=to.value)
        moved = [FileTable.body.set(copy.as_document()), FileTable.moved_from.set(body.as_document())]
        _move(file, file.status, moved, _event(file), actor, phase="copied")
        file = replace(file, body=copy.as_document(), moved_from=body.as_document())
    return _settled(file, to, actor)


def _settled(file: File, to: StorageClass, actor: Actor) -> File:
    """Remove what the move left, then say that it is done."""
    body = ObjectRef.of(file.body)
    if file.moved_from:
        objects.remove(ObjectRef.of(file.moved_from))
    for stray in objects.written_before(body.bucket, clock.ago(0), prefix=body.key):
        if stray != body:
            objects.remove(stray)
    done = _MOVES[file.status]
    actions = [FileTable.storage_class.set(to), FileTable.moved_from.set({})]
    _move(file, done, actions, _event(file), actor, phase="done")
    return replace(file, status=done, storage_class=to, moved_from={})


def _event(file: File) -> Event:
    return FileEvent.ARCHIVED if file.status is FileStatus.ARCHIVING else FileEvent.RECALLED


def _move(
    file: File,
    target: FileStatus,
    actions: Sequence[Action],
    event: Event,
    actor: Actor,
    *,
    refused: FileNotReady | None = None,
    phase: str = "begun",
) -> None:
    changes = [
        *actions,
        FileTable.status.set(target),
        FileTable.status_feed.set(feed(target, file.file_id)),
    ]
    unchanged = (FileTable.status == file.status) & (FileTable.body == file.body)
    with transaction(actor) as tx:
        tx.update(FileTable.of(file), changes, condition=unchanged, otherwise=refused)
        tx.audit(event, file_id=file.file_id, phase=phase, storage_class=file.storage_class.value)


def _is_thawed(body: ObjectRef, storage_class: StorageClass) -> bool:
    """Whether a body in cold storage can be copied now; asks S3 to thaw it if nobody has."""
    if storage_class.instant:
        return True
    s3: Any = aws.client("s3")
    state = s3.head_object(**body.arguments()).get("Restore")
    if state is None:
        wanted = {"Days": THAWED_DAYS, "GlacierJobParameters": {"Tier": "Standard"}}
        try:
            s3.restore_object(**body.arguments(), RestoreRequest=wanted)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "RestoreAlreadyInProgress":
                raise
        state = s3.head_object(**body.arguments()).get("Restore", "")
    return 'ongoing-request="false"' in state
