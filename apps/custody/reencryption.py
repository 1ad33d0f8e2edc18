"""Files re-encrypted because a key may be compromised: which ones, and the job that does it.

A file is done once it was encrypted after the job was asked for, so that after an interruption the next worker
passes over what is done. The job's results say what cannot be done now, and why.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

from apps.audit.records import Actor, system
from apps.common.dynamodb import pages
from apps.common.errors import Refused, Unavailable
from apps.custody.job_kinds import CustodyJob
from apps.custody.pace import SLICE_SECONDS, Pace
from apps.files.keys import reencrypt, rewrap
from apps.files.life import versions
from apps.files.records import Content, File, FileNotFound
from apps.jobs import services as jobs
from apps.jobs.records import Job
from apps.jobs.running import Work
from apps.keys import services as keys
from apps.keys.records import KeyState
from apps.sessions import quantum_keys
from apps.sessions import services as sessions
from apps.sessions.records import KeyPurpose, QuantumKey, QuantumKeyState

PAGE = 100
WAITS, WAIT_SECONDS = 24, 5.0  # two minutes: a session for new quantum keys takes seconds, its judgement too
LEFT_SHOWN = 100  # ids of files that could not be re-encrypted, kept with the job
_EVERYONE = system("reencryption")


class FilesLeft(Refused):
    """Some files could not be re-encrypted; the job's results say why."""


class SuspectKind(StrEnum):
    """What may be compromised, by the parameter that names it."""

    SESSION = "session_id"
    KEY = "key_id"
    FILE = "file_id"


@dataclass(frozen=True, slots=True)
class Suspect:
    """A session, a pool key or a document whose keys may be compromised."""

    kind: SuspectKind
    identifier: str

    def as_parameters(self) -> dict[str, str]:
        """The parameters of a job."""
        return {self.kind.value: self.identifier}

    @classmethod
    def of(cls, job: Job) -> "Suspect":
        """The suspect that a job is about."""
        kind = next(one for one in SuspectKind if one in job.parameters)
        return cls(kind, str(job.parameters[kind]))


def start(suspect: Suspect, *, reason: str, actor: Actor) -> Job:
    """Start a job that re-encrypts what is under keys that may be compromised.

    Raises:
        SessionNotFound, KeyNotFound, FileNotFound: there is no such thing.
        Refused: the pool key still seals.
    """
    return jobs.enqueue(
        CustodyJob.REENCRYPT_FILES,
        total=affected_count(suspect),
        parameters=suspect.as_parameters() | {"reason": reason},
        actor=actor,
    )


def affected_count(suspect: Suspect) -> int:
    """How many files, earlier versions included, are to be re-encrypted.

    Raises:
        SessionNotFound, KeyNotFound, FileNotFound: there is no such thing.
        Refused: the pool key still seals.
    """
    if suspect.kind is SuspectKind.SESSION:
        sessions.find(suspect.identifier, actor=_EVERYONE)
    elif suspect.kind is SuspectKind.KEY:
        if keys.find(suspect.identifier).state is KeyState.ACTIVE:
            raise Refused(f"{suspect.identifier} is active and still encrypts. Rotate or revoke it first.")
        return rewrap.waiting_count(suspect.identifier)
    elif not any(versions.contents(suspect.identifier)):
        raise FileNotFound(f"There is no file {suspect.identifier!r}.")
    return sum(1 for _ in _affected(suspect))


def _affected(suspect: Suspect) -> Iterator[File]:
    """The files concerned, as they are now.

    A re-encrypted file is no longer under its session or key and so not found again; as its document it is.
    """
    if suspect.kind is SuspectKind.FILE:
        yield from _sealed(suspect.identifier)
    elif suspect.kind is SuspectKind.KEY:
        for page in pages(lambda at: rewrap.waiting(suspect.identifier, limit=PAGE, position=at)):
            yield from page.records
    else:
        for taken in pages(lambda at: quantum_keys.keys_of(suspect.identifier, limit=PAGE, position=at)):
            for key in taken.records:
                yield from _encrypted_with(key)


def _encrypted_with(taken: QuantumKey) -> Iterator[File]:
    if taken.purpose is KeyPurpose.FILE and taken.state is QuantumKeyState.USED:
        yield from (file for file in _sealed(taken.subject) if file.quantum_key_id == taken.key_id)


def _sealed(document_id: str) -> Iterator[File]:
    """A document's contents, except what is shredded."""
    return (file for file in versions.contents(document_id) if file.envelope)


def run(work: Work, *, actor: Actor) -> bool:
    """Work on a job for a while; return whether it is done.

    Raises:
        JobCancelled: someone asked for that.
        FilesLeft: all others are done.
        StockEmpty, PoolEmpty: there is no new key; ask for the job again later.
    """
    left: dict[str, str] = {}
    until, pace = time.monotonic() + SLICE_SECONDS, Pace(settings.REWRAP_PER_SECOND, sleep=work.pause)
    for file in _affected(Suspect.of(work.job)):
        work.heartbeat()  # a job that continues passes over much that is done
        if _is_done(file, work.job):
            continue
        try:
            _reencrypt(file, actor, work)
        except Refused as error:
            left[file.file_id] = error.detail
        told = {"left": dict(list(left.items())[:LEFT_SHOWN])}
        work.report(done=int(work.job.done) + (file.file_id not in left), results=told)
        if time.monotonic() > until:
            return False
        pace.after(1)
    if left:
        raise FilesLeft(f"{len(left)} files could not be re-encrypted. The job's results say why.")
    return True


def _reencrypt(file: File, actor: Actor, work: Work) -> None:
    """Re-encrypt one file, waiting a while if there are no quantum keys or pool keys: more are being made."""
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
