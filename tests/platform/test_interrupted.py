"""Each operation, interrupted at each of its AWS calls and asked for again, ends as if nothing had happened (I1, I3, I4)."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from apps.access import api_keys as access
from apps.access.records import KeyStatus
from apps.access.roles import Role
from apps.audit.services import transaction
from apps.audit.verification import verify
from apps.common.errors import Refused
from apps.custody import retirement
from apps.detections import services as detections
from apps.files import messages, services
from apps.files.reading import downloads
from apps.files.states import FileStatus
from apps.files.uploads import announce
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.keys import seeds
from apps.keys import services as keys
from apps.keys.records import KeyState
from apps.sessions import services as sessions
from apps.sessions import tasks
from apps.sessions.job_kinds import SessionJob
from apps.sessions.records import SessionStatus
from apps.sessions.services import GenerateRequest
from apps.sessions.store import QuantumKeyTable
from tests import requirement
from tests.conftest import TESTS, Api, empty_aws, forget_everything
from tests.faults import TELLING
from tests.queues import die
from tests.sessions.ready import long
from tests.tables import rows
from tests.uploads import deliver, plaintext_of, registered

SMALL = GenerateRequest(key_length=64, error_rate=0.01)


@pytest.fixture(scope="module")
def api():
    """A platform in full work, with enough quantum keys for all that follows."""
    with empty_aws():
        keys.create(2, actor=TESTS)
        for _ in range(8):  # each process that ends keeps a block from the others for a minute
            long(1024)
        yield Api(Role.CLIENT)


@dataclass(frozen=True)
class Operation:
    """What is done to a fresh subject, and what must be true of it in the end."""

    prepare: Callable[[Any], Any]
    attempt: Callable[[Any], object]
    ended_well: Callable[[Any], bool]
    again: Callable[[Any], object] | None = None  # where that is not another attempt


def uploaded(api: Any) -> Any:
    upload = registered(api)
    deliver(upload.event)
    return upload


def deleted(api: Any) -> Any:
    upload = uploaded(api)
    services.delete(upload.file_id, actor=TESTS)
    return upload


def batch(_: Any) -> str:
    job = jobs.new(SessionJob.GENERATE, total=1, parameters=SMALL.as_document(), actor=TESTS)
    with transaction(TESTS) as tx:
        jobs.put(tx, job)
    return job.job_id


def delivered_again(job_id: str) -> None:
    """As SQS does it: the message is hidden for as long as its worker may still be at the job."""
    die(job_id)
    tasks.generate_batch(job_id)


def status(upload: Any) -> FileStatus:
    return services.find(upload.file_id, actor=TESTS).status


def session_status(session: Any) -> SessionStatus:
    return sessions.find(session.session_id, actor=TESTS).status


def judged(session: Any) -> object:
    return detections.judge(session.session_id, actor=TESTS)


OPERATIONS = {
    "encrypt a message": Operation(
        prepare=lambda _: [],
        attempt=lambda found: found.append(messages.encrypt(b"hello", actor=TESTS)),
        ended_well=lambda found: messages.decrypt(found[-1].to_dict(), actor=TESTS) == b"hello",
    ),
    "decrypt a message": Operation(
        prepare=lambda _: [messages.encrypt(b"hello", actor=TESTS)],
        attempt=lambda found: found.append(messages.decrypt(found[0].to_dict(), actor=TESTS)),
        ended_well=lambda found: found[-1] == b"hello",
    ),
    "announce a file": Operation(
        prepare=lambda _: [],
        attempt=lambda found: found.append(announce.announce(name="x", actor=TESTS).file.file_id),
        ended_well=lambda found: services.find(found[-1], actor=TESTS).status is FileStatus.AWAITING_UPLOAD,
    ),
    "delete a file": Operation(
        prepare=uploaded,
        attempt=lambda upload: services.delete(upload.file_id, actor=TESTS),
        ended_well=lambda upload: status(upload) is FileStatus.DELETED,
    ),
    "restore a file": Operation(
        prepare=deleted,
        attempt=lambda upload: services.restore(upload.file_id, actor=TESTS),
        ended_well=lambda upload: plaintext_of(upload.file_id) == upload.content,
    ),
    "publish a file": Operation(
        prepare=uploaded,
        attempt=lambda upload: downloads.publish(upload.file_id, actor=TESTS),
        ended_well=lambda upload: plaintext_of(upload.file_id) == upload.content,
    ),
    "run a session": Operation(
        prepare=lambda _: [],
        attempt=lambda found: found.append(sessions.generate(SMALL, actor=TESTS)),
        ended_well=lambda found: session_status(found[-1]) is SessionStatus.PENDING,
    ),
    "judge a session": Operation(
        prepare=lambda _: sessions.generate(SMALL, actor=TESTS),
        attempt=judged,
        ended_well=lambda session: session_status(session) is SessionStatus.READY,
    ),
    "run a batch": Operation(
        prepare=batch,
        attempt=tasks.generate_batch,
        again=delivered_again,
        ended_well=lambda job_id: jobs.find(job_id, actor=TESTS).state is JobState.SUCCEEDED,
    ),
    "make pool keys": Operation(
        prepare=lambda _: [],
        attempt=lambda found: found.extend(keys.create(1, actor=TESTS)),
        ended_well=lambda found: len(seeds.seed_of(keys.find(found[-1].key_id))) == 32,
    ),
    "revoke a pool key": Operation(
        prepare=lambda _: keys.create(1, actor=TESTS)[0].key_id,
        attempt=lambda key_id: retirement.revoke(key_id, reason="x", actor=TESTS),
        ended_well=lambda key_id: keys.find(key_id).state is KeyState.REVOKED,
    ),
    "issue an API key": Operation(
        prepare=lambda _: [],
        attempt=lambda found: found.append(
            access.issue_for_service(str(uuid.uuid4()), role=Role.CLIENT, actor=TESTS)
        ),
        ended_well=lambda found: access.authenticate(found[-1][1], source_ip="127.0.0.1") == found[-1][0],
    ),
    "revoke an API key": Operation(
        prepare=lambda _: access.issue_for_service("x", role=Role.CLIENT, actor=TESTS)[0].key_id,
        attempt=lambda key_id: access.revoke(key_id, reason="leaked", actor=TESTS),
        ended_well=lambda key_id: access.find(key_id).status is KeyStatus.REVOKED,
    ),
}


def asked_again(operation: Operation, subject: Any) -> None:
    """As a caller does who got an error; that it had been done already is an answer too."""
    try:
        (operation.again or operation.attempt)(subject)
    except Refused as error:
        assert type(error).status == 409  # noqa: PT017 - the answer is only checked where there is one


@requirement("I1", "I3", "I4")
@pytest.mark.parametrize("fault", TELLING)
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_interrupted_anywhere_and_asked_for_again_ends_well(api, name, fault, each_call):
    operation = OPERATIONS[name]

    def prepared():
        subject = operation.prepare(api)
        forget_everything()  # a fresh process makes the most calls
        return subject

    for place, subject in each_call(name, fault, prepared, operation.attempt):
        if not place.endswith("None"):
            asked_again(operation, subject)
        assert operation.ended_well(subject), place


@requirement("I1", "I3", "D3")
def test_after_all_that_the_trail_is_whole_and_no_quantum_key_has_two_owners(api):
    assert verify().problems == []
    taken = rows(QuantumKeyTable.Meta.table_name)
    assert len({item["key_id"]["S"] for item in taken}) == len(taken)
