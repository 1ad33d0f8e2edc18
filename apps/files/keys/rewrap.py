"""Re-wrap files: their envelopes are sealed to another pool key, the bodies stay as they are.

A batch is one transaction, so a file is always under exactly one of the two keys, with its audit entry. Which
files are still to move is one Query on the index by pool key; the files themselves decide, the index may lag.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common.dynamodb import Page, Position, pages
from apps.common.errors import Refused
from apps.files import changes, store
from apps.files.records import File
from apps.files.trail import FileEvent
from apps.keys import seeds
from apps.keys import services as keys
from apps.keys.records import PoolKey
from qkdseal import envelope as envelopes
from qkdseal.envelope import Envelope
from qkdseal.errors import PackageInvalid

COUNTED = 1_000_000  # by 250 Queries, some seconds of a job
BATCH = 40  # TransactWriteItems takes 100 items: a row and an entry for each file, the new key, the head


class FileChanged(Refused):
    """A file of the batch was changed meanwhile; nothing was."""


@dataclass(slots=True)
class Rewrapped:
    """How many files of a batch were re-wrapped, and which do not open."""

    count: int = 0
    damaged: list[str] = field(default_factory=list)


def waiting(key_id: str, *, limit: int = BATCH, position: Position | None = None) -> Page[File]:
    """Files that still need a pool key, newest first."""
    return store.sealed_to(key_id, limit=limit, position=position)


def is_needed(key_id: str) -> bool:
    """Return whether a file still needs a pool key, or a row that somebody made unreadable may."""
    # Page by page: one may be empty because its files have just moved on
    return any(pages(lambda at: waiting(key_id, position=at)))


def waiting_count(key_id: str, *, limit: int = COUNTED) -> int:
    """How many files still need a pool key, counted up to a limit: some 4,000 by each Query."""
    return store.sealed_count(key_id, limit=limit)


def rewrap_files(files: Sequence[File], *, source: PoolKey, target: PoolKey, actor: Actor) -> Rewrapped:
    """Seal the envelopes of at most BATCH files to another key. Files under other keys are passed over.

    Raises:
        KeyUnusable: the target is no longer active, or one of the keys is damaged.
    """
    try:
        return _rewrap_files(files, source, target, actor)
    except FileChanged:  # the index was late, or someone was faster: one by one, as the files are now
        total = Rewrapped()
        for file in files:
            fresh = store.find_file(file.file_id)
            done = _rewrap_files([fresh] if fresh else [], source, target, actor)
            total.count += done.count
            total.damaged += done.damaged
        return total


def _rewrap_files(files: Sequence[File], source: PoolKey, target: PoolKey, actor: Actor) -> Rewrapped:
    done, rewrapped = Rewrapped(), []
    for file in files:
        if file.pool_key_id != source.key_id:
            continue
        try:
            rewrapped.append((file, _rewrap(file, source, target)))
        except PackageInvalid:
            done.damaged.append(file.file_id)
    if rewrapped:
        _commit(rewrapped, target, actor)
    done.count = len(rewrapped)
    return done


def _rewrap(file: File, source: PoolKey, target: PoolKey) -> Envelope:
    envelope = Envelope.from_dict(file.envelope)
    if envelope.pool_key_id != source.key_id:
        raise PackageInvalid
    return envelopes.rewrap(
        envelope,
        seed=seeds.seed_of(source, rewrap=True),
        pool_suite=source.suite,
        new_pool_key_id=target.key_id,
        new_public_key=target.public_key,
        new_suite=target.suite,
        new_seed=seeds.seed_of(target),
    )


def _commit(rewrapped: Sequence[tuple[File, Envelope]], target: PoolKey, actor: Actor) -> None:
    with transaction(actor) as tx:
        for file, envelope in rewrapped:
            changes.change(
                tx,
                file,
                replace(file, envelope=envelope.to_dict(), pool_key_id=target.key_id),
                otherwise=FileChanged(f"File {file.file_id} was changed meanwhile."),
            )
            tx.audit(
                FileEvent.REWRAPPED, file_id=file.file_id, key_id=target.key_id, old_key_id=file.pool_key_id
            )
        keys.count_use(tx, target, uses=len(rewrapped))
