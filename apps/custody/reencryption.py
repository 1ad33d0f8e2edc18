"""Files re-encrypted because a key may be compromised: which ones, and the job that does it.

A file is done once it was encrypted after the job was asked for, so that after an interruption the next worker
passes over what is done. The job's results say what cannot be done now, and why.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

from apps.audit.records import Actor, system
from apps.audit.services import transaction
from apps.cases import affected
from apps.cases import services as cases
from apps.cases.records import Case
from apps.common.dynamodb import pages
from apps.common.errors import Refused, Unavailable
from apps.custody.job_kinds import CustodyJob
from apps.custody.pace import Pace
from apps.files.keys import reencrypt, rewrap
from apps.files.life import versions
from apps.files.records import Content, File, FileNotFound
from apps.jobs import services as jobs
from apps.jobs.records import Job
from apps.jobs.running import Work
from apps.keys import services as keys
from apps.keys.records import KeyState
from apps.sessions import quantum_keys, transitions
from apps.sessions import services as sessions
from apps.sessions.records import KeyPurpose, QuantumKey, QuantumKeyState, SessionStatus, SessionUnusable

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
    CASE = "case_id"


@dataclass(frozen=True, slots=True)
class Suspect:
    """A session, a pool key, a document or a case whose keys may be compromised."""

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
        SessionNotFound, KeyNotFound, FileNotFound, CaseNotFound: there is no such thing.
        Refused: the pool key still seals.
    """
    _check(suspect)
    job = jobs.new(
        CustodyJob.REENCRYPT_FILES,
        total=0,  # the job counts
        parameters=suspect.as_parameters() | {"reason": reason},
        actor=actor,
    )
    with transaction(actor) as tx:
        job = jobs.put(tx, job)
        if suspect.kind is SuspectKind.CASE:
            case = cases.find(suspect.identifier)
            cases.add_note(tx, case, f"Job {job.job_id} re-encrypts what used the link's keys: {reason}")
    jobs.dispatch(job)
    return job


def _check(suspect: Suspect) -> None:
    if suspect.kind is SuspectKind.SESSION:
        sessions.find(suspect.identifier, actor=_EVERYONE)
    elif suspect.kind is SuspectKind.KEY:
        if keys.find(suspect.identifier).state is KeyState.ACTIVE:
            raise Refused(f"{suspect.identifier} is active and still encrypts. Rotate or revoke it first.")
    elif suspect.kind is SuspectKind.CASE:
        cases.find(suspect.identifier)
    elif not versions.exists(suspect.identifier):
        raise FileNotFound(f"There is no file {suspect.identifier!r}.")


def _count(suspect: Suspect) -> int:
    """How many files, earlier versions included, are to be re-encrypted."""
    if suspect.kind is SuspectKind.KEY:
        return rewrap.waiting_count(suspect.identifier)
    if suspect.kind is SuspectKind.CASE:  # not the files one by one: a link's may be many
        used = affected.affected(cases.find(suspect.identifier))
        return sum(key.purpose is KeyPurpose.FILE for key in used)
    return sum(1 for _ in _affected(suspect))


def _affected(suspect: Suspect) -> Iterator[File]:
    """The files concerned, as they are now.

    A re-encrypted file is no longer under its session or key and so not found again; as its document it is.
    """
    if suspect.kind is SuspectKind.FILE:
        yield from _sealed(suspect.identifier)
    elif suspect.kind is SuspectKind.CASE:
        for some in affected.affected_together(cases.find(suspect.identifier)):
            yield from _encrypted_with(some)
    elif suspect.kind is SuspectKind.KEY:
        for page in pages(lambda at: rewrap.waiting(suspect.identifier, limit=PAGE, position=at)):
            yield from page.records
    else:
        for taken in pages(lambda at: quantum_keys.keys_of(suspect.identifier, limit=PAGE, position=at)):
            yield from _encrypted_with(taken.records)


def _encrypted_with(taken: Sequence[QuantumKey]) -> Iterator[File]:
    """The contents under some quantum keys; a document with versions under several of them is read once."""
    used = [key for key in taken if (key.purpose, key.state) == (KeyPurpose.FILE, QuantumKeyState.USED)]
    key_ids = {key.key_id for key in used}
    for document_id in dict.fromkeys(key.subject for key in used):
        yield from (file for file in _sealed(document_id) if file.quantum_key_id in key_ids)


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
    suspect = Suspect.of(work.job)
    if suspect.kind is SuspectKind.CASE:
        _revoke_suspect(cases.find(suspect.identifier), work, actor)
    left: dict[str, str] = {}
    pace = Pace(settings.REWRAP_PER_SECOND, sleep=work.pause)
    if not work.job.total:
        work.count(_count(suspect))
    for file in _affected(suspect):
        work.heartbeat()  # a job that continues passes over much that is done
        if _is_done(file, work.job):
            continue
        try:
            _reencrypt(file, actor, work)
        except Refused as error:
            left[file.file_id] = error.detail
        told = {"left": dict(list(left.items())[:LEFT_SHOWN])}
        work.report(done=int(work.job.done) + (file.file_id not in left), results=told)
        if work.must_hand_over:
            return False
        pace.after(1)
    if left:
        raise FilesLeft(f"{len(left)} files could not be re-encrypted. The job's results say why.")
    return True


def _revoke_suspect(case: Case, work: Work, actor: Actor) -> None:
    """Take the ready sessions of a case's window out of use, so that nothing is encrypted with their keys again.

    Those run since the job was asked for are left: the new keys may come from them.
    """
    for session in affected.suspect_sessions(case):
        work.heartbeat()
        if session.timestamp < work.job.created_at and session.status in {
            SessionStatus.READY,
            SessionStatus.REVOKED,  # by a worker that was interrupted, perhaps
        }:
            with suppress(SessionUnusable):  # revoked whole, by this job or by somebody else
                transitions.revoke(
                    session.session_id, reason=f"under suspicion in {case.case_id}", actor=actor
                )


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
