"""Files encrypted anew because a key counts as known: which ones, and the job that does it.

A file is done when it was encrypted after the job was asked for; so whatever interrupts a worker, the next one
passes over what is done. What cannot be done now is told in the job's results, with the reason.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

from apps.audit.records import Actor, system
from apps.common.dynamodb import pages
from apps.common.errors import Refused, Unavailable
from apps.custody.rotations import SLICE_SECONDS, Pace
from apps.files.keys import reencrypt, rewrap
from apps.files.life import versions
from apps.files.records import Content, File, FileNotFound
from apps.jobs.records import Job
from apps.jobs.running import Work
from apps.keys import services as keys
from apps.keys.records import KeyState
from apps.sessions import quantum_keys
from apps.sessions import services as sessions
from apps.sessions.records import KeyPurpose, QuantumKey, QuantumKeyState

PAGE = 100
WAITS, WAIT_SECONDS = 24, 5.0  # for new quantum keys and pool keys
TOLD = 100  # files that could not be done, kept with the job
_EVERYONE = system("reencryption")


class FilesLeft(Refused):
    """Some files could not be encrypted anew; the job's results say why."""


class Source(StrEnum):
    """What counts as known."""

    SESSION = "session_id"
    KEY = "key_id"
    FILE = "file_id"


@dataclass(frozen=True, slots=True)
class Named:
    """A session, a pool key or a document."""

    source: Source
    identifier: str

    def as_parameters(self) -> dict[str, str]:
        """For a job."""
        return {self.source.value: self.identifier}

    @classmethod
    def of(cls, job: Job) -> "Named":
        """What a job is about."""
        source = next(one for one in Source if one in job.parameters)
        return cls(source, str(job.parameters[source]))


def affected_count(named: Named) -> int:
    """How many files, earlier versions included, are to be encrypted anew.

    Raises:
        SessionNotFound, KeyNotFound, FileNotFound: there is no such thing.
        Refused: the pool key still seals.
    """
    if named.source is Source.SESSION:
        sessions.find(named.identifier, actor=_EVERYONE)
    elif named.source is Source.KEY:
        if keys.find(named.identifier).state is KeyState.ACTIVE:
            raise Refused("The key still seals: rotate or revoke it first.")
        return rewrap.waiting_count(named.identifier)
    elif not any(versions.contents(named.identifier)):
        raise FileNotFound(f"There is no file {named.identifier!r}.")
    return sum(1 for _ in _affected(named))


def _affected(named: Named) -> Iterator[File]:
    """The files, as they are now. Those that are done are no longer under a session or key, but the same document."""
    if named.source is Source.FILE:
        yield from _sealed(named.identifier)
    elif named.source is Source.KEY:
        for page in pages(lambda at: rewrap.waiting(named.identifier, limit=PAGE, position=at)):
            yield from page.records
    else:
        for taken in pages(lambda at: quantum_keys.taken_from(named.identifier, limit=PAGE, position=at)):
            for key in taken.records:
                yield from _encrypted_with(key)


def _encrypted_with(taken: QuantumKey) -> Iterator[File]:
    if taken.purpose is KeyPurpose.FILE and taken.state is QuantumKeyState.USED:
        yield from (file for file in _sealed(taken.subject) if file.quantum_key_id == taken.key_id)


def _sealed(document_id: str) -> Iterator[File]:
    """A document's contents, but for what is shredded."""
    return (file for file in versions.contents(document_id) if file.envelope)


def run(work: Work, *, actor: Actor) -> bool:
    """Work on a job for a while; return whether it is done.

    Raises:
        JobCancelled: someone asked for that.
        FilesLeft: all others are done.
        StockEmpty, PoolEmpty: no new key is there; the job is to be asked for again.
    """
    left: dict[str, str] = {}
    until, pace = time.monotonic() + SLICE_SECONDS, Pace(settings.REWRAP_PER_SECOND, sleep=work.pause)
    for file in _affected(Named.of(work.job)):
        work.heartbeat()  # a job that goes on passes over much that is done
        if _is_done(file, work.job):
            continue
        try:
            _reencrypt(file, actor, work)
        except Refused as error:
            left[file.file_id] = error.detail
        told = {"left": dict(list(left.items())[:TOLD])}
        work.report(done=int(work.job.done) + (file.file_id not in left), results=told)
        if time.monotonic() > until:
            return False
        pace.after(1)
    if left:
        raise FilesLeft(f"{len(left)} files could not be encrypted anew; the results say why.")
    return True


def _reencrypt(file: File, actor: Actor, work: Work) -> None:
    """Re-encrypt one file, waiting a while for quantum keys where they are used up: sessions are run for more."""
    for waited in range(WAITS + 1):
        try:
            reencrypt.reencrypt(file.file_id, actor=actor, progress=lambda _: work.heartbeat())
        except Unavailable:
            if waited == WAITS:
                raise
            work.pause(WAIT_SECONDS)
        else:
            return


def _is_done(file: File, job: Job) -> bool:
    return isinstance(file, Content) and file.encrypted_at is not None and file.encrypted_at > job.created_at
