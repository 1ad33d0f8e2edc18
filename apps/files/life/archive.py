"""Cold storage: a body copied to another storage class and back, the record telling where it is (E6).

    encrypted → archiving → archived → recalling → encrypted

Each state before a step is written first, with the object key of the copy, so the sweep finishes what was interrupted:
doing a step twice writes the same object again, and what is superfluous is removed before the next state. A key is
never used by another move, so that whatever lies under one that was given up can be removed.

S3 tells when it has thawed a body, and the recall goes on at once. Should that event be lost, the sweep looks for
itself, after waits that grow.
"""

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import aws, clock
from apps.common.errors import Invalid
from apps.common.sweeps import each
from apps.files import changes, services, store
from apps.files.bodies import copying, objects
from apps.files.bodies.objects import BODIES_PREFIX, ObjectRef
from apps.files.records import Document, StorageClass
from apps.files.states import FileNotReady, FileStatus, Transition, transition

AT_ONCE_BYTES = 256 * 2**20  # copied while the caller waits; larger ones are left to the sweep
THAWED_DAYS = 2  # that S3 keeps a recalled object readable, while it is copied
# Seconds until the sweep looks at a move again: doubled with each look. S3 takes 5 to 48 hours, so that it looks ten times
FIRST_LOOK, LONGEST_LOOK = 300, 6 * 3600
_AT_REST: dict[str, Any] = {"moving_to": None, "moved_from": {}, "look_after": None, "looks": None}
_FINISHED_BY = {FileStatus.ARCHIVING: "finish_archiving", FileStatus.RECALLING: "finish_recalling"}


def archive(file_id: str, *, storage_class: StorageClass, actor: Actor) -> Document:
    """Move a file's body to a cold storage class.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it is not ``encrypted``.
        Invalid: the class is not a cold one.
    """
    if storage_class is StorageClass.STANDARD:
        raise Invalid.of("storage_class", "a cold class: GLACIER_IR, GLACIER or DEEP_ARCHIVE")
    document = services.find_document(file_id, actor=actor, to="archive")
    return _at_once(_begin(document, "archive", storage_class, actor), actor)


def recall(file_id: str, *, actor: Actor) -> Document:
    """Bring an archived file back; from Glacier it takes hours, and ``status`` tells when it is there.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it is not ``archived``.
    """
    document = services.find_document(file_id, actor=actor, to="recall")
    return _at_once(_begin(document, "recall", document.storage_class, actor), actor)


def restore(file_id: str, *, actor: Actor) -> Document:
    """Bring a file back that is deleted or archived.

    Raises:
        as ``services.restore`` and ``recall``.
    """
    if services.find(file_id, actor=actor).status is FileStatus.ARCHIVED:
        return recall(file_id, actor=actor)
    return services.restore(file_id, actor=actor)


def finish_moves(*, actor: Actor) -> int:
    """Resume the moves to or from cold storage that are due for a look: the sweep's part."""
    return each(list(store.moves_due(clock.now())), lambda document: _go_on(document, actor))


def resume_thawed(key: str, *, actor: Actor) -> None:
    """Go on with the recall of a body that S3 says it has thawed; nothing waits for it where it was moved or removed.

    Args:
        key: of the object.
        actor: who acts.
    """
    document = store.find_document(key.split("/")[1]) if key.startswith(BODIES_PREFIX) else None
    if document is None or document.status is not FileStatus.RECALLING or document.body.get("key") != key:
        return
    _go_on(document, actor)


def _begin(document: Document, name: str, storage_class: StorageClass, actor: Actor) -> Document:
    step = transition(name, document.status)
    key = f"{BODIES_PREFIX}{document.file_id}/{step.target.value}.v{document.version}.{secrets.token_hex(8)}"
    return _move(
        document,
        step,
        actor,
        phase="begun",
        storage_class=storage_class,
        moving_to=key,
        look_after=clock.now() + timedelta(seconds=0 if _is_large(document) else FIRST_LOOK),
        looks=0,
    )


def _at_once(document: Document, actor: Actor) -> Document:
    return document if _is_large(document) else _go_on(document, actor)


def _is_large(document: Document) -> bool:
    return (document.ciphertext_size or 0) > AT_ONCE_BYTES


def _go_on(document: Document, actor: Actor) -> Document:
    """Take every step that can be taken now."""
    archiving = document.status is FileStatus.ARCHIVING
    to = document.storage_class if archiving else StorageClass.STANDARD
    key = (
        document.moving_to or f"{BODIES_PREFIX}{document.file_id}/{document.status.value}.v{document.version}"
    )
    body = ObjectRef.of(document.body)
    finish = transition(_FINISHED_BY[document.status], document.status)
    if body.key != key:
        if not archiving and not _is_thawed(body, document.storage_class):
            return _look_later(document)
        copy = copying.copy(body, key=key, storage_class=to.value)
        # Both bodies are named until the old one is removed, so that no interruption loses track of either
        places = {"body": copy.as_document(), "moved_from": body.as_document()}
        document = _move(document, replace(finish, target=document.status), actor, phase="copied", **places)
    _remove_others(document)
    return _move(document, finish, actor, phase="done", storage_class=to, **_AT_REST)


def _look_later(document: Document) -> Document:
    """Leave a move to the event of S3, or to a later look; that of its beginning counts as none."""
    looks = int(document.looks or 0)
    wait = min(LONGEST_LOOK, FIRST_LOOK * 2**looks)
    store.look_again(document, after=clock.now() + timedelta(seconds=wait), looks=looks + 1)
    return document


def _remove_others(document: Document) -> None:
    """Remove the body before the move, and what steps taken twice left under the new key."""
    body = ObjectRef.of(document.body)
    if document.moved_from:
        left = ObjectRef.of(document.moved_from)
        objects.remove_all(left.bucket, left.key)
    objects.remove_others(body)


def _move(document: Document, step: Transition, actor: Actor, *, phase: str, **fields: Any) -> Document:
    moved = replace(document, status=step.target, **fields)  # type: ignore[arg-type]  # the table's targets
    with transaction(actor) as tx:
        moved = changes.change(tx, document, moved, otherwise=FileNotReady(services.CHANGED))
        tx.audit(
            step.event, file_id=document.file_id, phase=phase, storage_class=document.storage_class.value
        )
    return moved


def _is_thawed(body: ObjectRef, storage_class: StorageClass) -> bool:
    """Return whether a body in cold storage can be copied now; asks S3 to thaw it if nobody has."""
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
