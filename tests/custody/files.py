"""Files for tests of custody: real ones, and many rows whose body nobody reads."""

import os
import uuid

from django.conf import settings

from apps.audit.tagging import tag_row
from apps.common import clock
from apps.common.aws import client
from apps.files.bodies.objects import ObjectRef
from apps.files.reading import content as reading
from apps.files.records import Document, File
from apps.files.states import FileStatus
from apps.files.store import FileTable, find_file
from apps.files.uploads import pipeline
from apps.keys import seeds
from apps.keys import services as keys
from apps.keys.records import PoolKey
from qkdseal.envelope import Envelope, open_envelope, seal
from qkdseal.header import Header
from tests.conftest import TESTS

QUANTUM_KEY = bytes(range(32))


def encrypted(content: bytes, *, under: PoolKey, monkeypatch: object) -> File:
    """An upload that the pipeline encrypted under a given pool key."""
    answer = client("s3").put_object(Bucket=settings.UPLOADS_BUCKET, Key=f"{uuid.uuid4()}", Body=content)
    key = client("s3").list_objects_v2(Bucket=settings.UPLOADS_BUCKET)["Contents"][-1]["Key"]
    with monkeypatch.context() as patch:  # type: ignore[attr-defined]
        patch.setattr(keys, "pick", lambda _pool: keys.find(under.key_id))
        source = ObjectRef(settings.UPLOADS_BUCKET, key, answer["VersionId"])
        file = pipeline.encrypt_uploaded(source, actor=TESTS)
    assert file is not None
    return file


def plaintext_of(file: File) -> bytes:
    """What the platform gives back of a file."""
    return reading.whole(reading.read(file.file_id, actor=TESTS)[1])


def rows_under(key: PoolKey, count: int) -> dict[str, bytes]:
    """Records of files sealed to a key, without bodies; their file keys by id."""
    made = {}
    with FileTable.batch_write() as batch:
        for _ in range(count):
            file_id = str(uuid.uuid4())
            header = Header.of(file_id=file_id, quantum_key_id="00000000.0")
            envelope, file_key = seal(
                header,
                pool_key_id=key.key_id,
                pool_public_key=key.public_key,
                pool_suite=key.suite,
                quantum_key=QUANTUM_KEY,
            )
            row = FileTable.of(_record(file_id, envelope))
            tag_row(row)
            batch.save(row)
            made[file_id] = file_key
    return made


def _record(file_id: str, envelope: Envelope) -> Document:
    return Document(
        file_id=file_id,
        name="a file.bin",
        document_type="document",
        owner=str(TESTS),
        status=FileStatus.ENCRYPTED,
        uploaded_at=clock.now(),
        size=100,
        body={"bucket": settings.ENCRYPTED_BUCKET, "key": os.urandom(4).hex(), "version": "1"},
        envelope=envelope.to_dict(),
        suite=envelope.header.suite.value,
        pool_key_id=envelope.pool_key_id,
        quantum_key_id=envelope.header.quantum_key_id,
        encrypted_at=clock.now(),
    )


def opened(file_id: str) -> tuple[str, bytes]:
    """The pool key that a row is sealed to, and its file key as that opens it."""
    file = find_file(file_id)
    assert file is not None
    envelope = Envelope.from_dict(file.envelope)
    assert envelope.pool_key_id == file.pool_key_id, "row and envelope name the same key"
    pool_key = keys.find(envelope.pool_key_id)
    seed = seeds.seed_of(pool_key, rewrap=True)
    return envelope.pool_key_id, open_envelope(
        envelope, seed=seed, pool_suite=pool_key.suite, quantum_key=QUANTUM_KEY
    )
