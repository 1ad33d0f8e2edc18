"""Key material is in memory or wrapped, and nowhere else (I2, A8): everything that leaves is searched for it."""

import base64
import json
import logging
from collections.abc import Iterator

import pytest

from apps.access import api_keys as access
from apps.access.roles import Role
from apps.common.aws import client
from apps.common.root_keys import configured
from apps.custody import retirement
from apps.detections import services as detections
from apps.keys import seeds
from apps.keys import services as keys
from apps.sessions import finals, offering, tasks
from apps.sessions import services as sessions
from apps.sessions.records import SessionStatus
from qkdplatform import schedules
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS, Api
from tests.events import stream_insert
from tests.faults import Fault, injected
from tests.sessions.ready import ready
from tests.tables import every, everything, versions
from tests.uploads import deliver, registered

PASSPHRASE = "correct horse battery staple"


def spellings(secret: bytes) -> Iterator[bytes]:
    """A secret as it could stand in a text: as it is, hex, base64 at any offset, a repr, a list of numbers."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for offset in range(3):
        yield base64.b64encode(secret[offset:])[:-4]
        yield base64.urlsafe_b64encode(secret[offset:])[:-4]
    yield repr(secret)[2:-1].encode()
    yield str(list(secret))[1:-1].encode()


def found_in(text: bytes, secrets: dict[str, bytes]) -> set[str]:
    return {name for name, secret in secrets.items() for spelling in spellings(secret) if spelling in text}


def key_material() -> dict[str, bytes]:
    """Every secret that the platform holds: seeds, final keys, and quantum keys cut from them."""
    secrets: dict[str, bytes] = {}
    for key in every(keys.keys_page):
        secrets[f"seed of {key.key_id}"] = seeds.seed_of(key)
    for session in every(sessions.listed, actor=TESTS):
        if session.status is SessionStatus.READY:
            final = finals._open(session.session_id).key
            secrets[f"final key of {session.session_id}"] = final
            for number in range(len(final) // 32):
                secrets[f"quantum key {number} of {session.session_id}"] = final[
                    number * 32 : number * 32 + 32
                ]
    return secrets


@pytest.fixture(params=["local", "kms"])
def root(request, aws, settings):
    """Both kinds of root key."""
    if request.param == "kms":
        key = client("kms").create_key()["KeyMetadata"]["KeyId"]
        settings.ROOT_KEY = f"kms:{key}"
        configured.root_key.cache_clear()
    yield request.param
    configured.root_key.cache_clear()


@pytest.fixture
def outside(root, settings, caplog, monkeypatch) -> list[bytes]:
    """Everything that the platform says, does and stores while it works, fails, and works again."""
    caplog.set_level(logging.DEBUG)
    said: list[bytes] = []
    call = Api.call

    def listened(*arguments, **named):
        answer = call(*arguments, **named)
        said.append(answer.content + str(answer.headers).encode())
        return answer

    monkeypatch.setattr(Api, "call", listened)
    monkeypatch.setattr("apps.sessions.stock.SESSION_BITS", 4096)
    work(said)
    said.append(json.dumps(everything(but=set()), default=str).encode())
    for bucket in (settings.UPLOADS_BUCKET, settings.ENCRYPTED_BUCKET):
        for version in versions(bucket):
            body = client("s3").get_object(Bucket=bucket, Key=version["Key"])["Body"].read()
            said.append(version["Key"].encode() + body)
    said.extend(queued(settings.JOBS_QUEUE))
    assert "failed" in caplog.text, "the log was listened to"
    said.append(caplog.text.encode())
    return said


def queued(queue: str) -> list[bytes]:
    """The messages of a Celery queue, as they are and unpacked."""
    url = client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
    found = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    envelopes = [base64.b64decode(message["Body"]) for message in found]
    return envelopes + [base64.b64decode(json.loads(envelope)["body"]) for envelope in envelopes]


def work(said: list[bytes]) -> None:
    """The main job, with every kind of mistake and failure on its way."""
    api, admin = Api(Role.CLIENT), Api(Role.ADMINISTRATOR)
    keys.create(2, actor=TESTS)
    made = api.post("qkd/generate", {"key_length": 4096, "error_rate": 0.01}).json()
    handler(stream_insert(made["session_id"]), None)
    assert api.post("encrypt", {"plaintext": "x", "stock": "own"}).status_code == 200
    ready(key_length=4096)
    sealed = api.post("encrypt", {"plaintext": "hello", "passphrase": PASSPHRASE, "context": "c"}).json()
    for wrong in ({}, {"passphrase": "wrong", "context": "c"}, {"passphrase": PASSPHRASE, "context": "d"}):
        api.post("decrypt", sealed | wrong)
    api.post("decrypt", sealed | {"passphrase": PASSPHRASE, "context": "c"})
    upload = registered(api)
    for fault in Fault:
        for operation in ("TransactWriteItems", "Query", "PutObject", "GetObject"):
            with injected(fault, operation=operation):
                try:
                    handler(upload.event, None)
                except ExceptionGroup as error:
                    said.append(repr(error.exceptions).encode())
    deliver(upload.event)
    for path in ("content", "download"):
        api.call("GET" if path == "content" else "POST", f"files/{upload.file_id}/{path}")
    for path in ("qkd/sessions", "detections", "keys", "files", "jobs", "audit"):
        admin.get(path)
    with injected(Fault.REFUSED, operation="TransactWriteItems"):
        api.post("encrypt", {"plaintext": "x"})
    api.post("qkd/batches", {"count": 1, "key_length": 256, "error_rate": 0.01})
    retirement.revoke(keys.pick().key_id, reason="x", actor=TESTS)
    schedules.refill()
    detections.judge_overdue(seconds=-1, actor=TESTS)


@requirement("I2", "A8", "C10")
def test_no_key_material_leaves_the_process(outside):
    secrets = key_material()
    assert len(secrets) > 20
    leaked = {(name, where) for where, text in enumerate(outside) for name in found_in(text, secrets)}
    assert leaked == set()
    assert not any(PASSPHRASE.encode() in text for text in outside)


@requirement("I2")
def test_the_search_would_find_them():
    secret = bytes(range(32))
    told = [secret.hex(), base64.b64encode(b"ab" + secret).decode(), f"key={secret!r}", f"{list(secret)}"]
    assert all(found_in(text.encode(), {"it": secret}) for text in told)
    assert not found_in(b"nothing of the kind", {"it": secret})


@requirement("I2")
def test_no_record_shows_its_secrets(stock, pool):
    offered = offering.offer()
    shown = repr([offered, pool, sessions.find(stock.session_id, actor=TESTS), seeds._kept, finals._kept])
    assert not found_in(shown.encode(), key_material())
    assert "encrypted_final_key" not in shown


@requirement("I2", "E3")
def test_an_issued_key_is_neither_logged_nor_audited(aws, caplog):
    caplog.set_level(logging.DEBUG)
    _, key = access.issue_for_service("x", role=Role.CLIENT, actor=TESTS)
    Api(Role.CLIENT).call("GET", "files", **{"X-API-Key": key})
    secret = key.partition(".")[2]
    assert secret not in caplog.text
    assert secret not in str(everything(but=set()))


@requirement("I2")
@pytest.mark.parametrize(
    "name", ["botocore", "botocore.endpoint", "boto3", "urllib3.connectionpool", "pynamodb.connection"]
)
def test_libraries_that_log_bodies_are_kept_quiet_at_any_level(caplog, name):
    caplog.set_level(logging.DEBUG)
    assert not logging.getLogger(name).isEnabledFor(logging.DEBUG)


@requirement("I2", "A9")
def test_the_queue_carries_the_job_s_id_and_no_more(aws, settings):
    job = tasks.generate_later(sessions.GenerateRequest(key_length=64), count=1, actor=TESTS)
    _, body = queued(settings.JOBS_QUEUE)
    arguments, named, _ = json.loads(body)
    assert (arguments, named) == ([job.job_id], {})
