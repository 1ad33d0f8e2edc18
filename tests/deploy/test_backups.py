"""A stage is exported, wiped and restored on the embedded cloud: files decrypt, people are there, the trail holds."""

import io
import json
import uuid
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command

from apps.access.roles import Role
from apps.audit import writing
from apps.common import aws, dynamodb
from apps.detections import services as detections
from apps.keys import services as keys
from apps.sessions import services as sessions
from apps.stack import resources
from apps.stack.backups import BackupFailed
from deploy import backups
from qkdseal.__main__ import main as qkdseal
from tests import requirement
from tests.conftest import TESTS, Api, forget_everything
from tests.embedded import on_embedded_aws
from tests.stage import SERVICES
from tests.uploads import deliver, plaintext_of, put

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.timeout(1800)]

USER = str(uuid.UUID(int=7))
PERSON = [
    {
        "model": "access.user",
        "pk": USER,
        "fields": {"username": "ada", "username_key": "ada", "password": "!"},
    },
    {
        "model": "mfa.authenticator",
        "pk": 1,
        "fields": {"user": USER, "type": "totp", "data": {"secret": "x"}},
    },
]


@pytest.fixture
def stage(tmp_path):
    """A stage's tables, buckets and secret on the embedded cloud, and a database with one person."""
    forget_everything()
    with on_embedded_aws(tmp_path / "aws", services=SERVICES):
        name = "qkd-local/platform"
        aws.client("secretsmanager").create_secret(Name=name, SecretString='{"AUDIT_KEY": "as before"}')
        client: Any = aws.client
        data = backups.StageData(
            client,
            settings.TABLE_PREFIX,
            name,
            f"sqlite:///{tmp_path}/users.sqlite3",
        )
        (tmp_path / "people.json").write_text(json.dumps(PERSON))
        data._django("migrate", "--no-input")
        data._django("loaddata", str(tmp_path / "people.json"))
        yield data
        forget_everything()


def wiped(stage, tmp_path):
    """Everything is gone: tables, secret, people, and what a bucket shows."""
    dynamodb_client = aws.client("dynamodb")
    for table in sorted(stage._tables()):
        dynamodb_client.delete_table(TableName=table)
    resources.ensure()
    s3 = aws.client("s3")
    for bucket in (settings.ENCRYPTED_BUCKET, settings.CHECKPOINTS_BUCKET):
        for one in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=one["Key"])
    aws.client("secretsmanager").put_secret_value(SecretId=stage.secret, SecretString="{}")
    stage.database = f"sqlite:///{tmp_path}/fresh.sqlite3"
    forget_everything()
    dynamodb.forget_connection()
    writing.known_chains.cache_clear()


def rows_of(stage):
    pages = aws.client("dynamodb").get_paginator("scan").paginate
    return sum(page["Count"] for table in stage._tables() for page in pages(TableName=table))


def filled():
    """Fill the stage with a message and a file of 7,000 bytes; the client, the message and the upload."""
    keys.create(4, actor=TESTS)
    request = sessions.GenerateRequest(key_length=4096, error_rate=0.01, link="stock")
    made = sessions.generate(request, actor=TESTS)
    assert detections.judge(made.session_id, actor=TESTS).outcome == "ready"
    api = Api(Role.CLIENT)
    message = api.post("encrypt", {"plaintext": "before"}).json()
    upload = put("report.bin", b"content" * 1000)
    deliver(upload.event)
    assert upload.is_safe
    return api, message, upload


@pytest.fixture
def recipient(tmp_path, capsys):
    """A recipient's documents, the public one and that with the seed."""
    assert qkdseal(["recipient", "-o", str(tmp_path / "me.json")]) == 0
    (tmp_path / "public.json").write_text(capsys.readouterr().out)
    return tmp_path / "public.json", tmp_path / "me.json"


@requirement("G5", "I3", "I4")
def test_a_stage_is_exported_wiped_and_restored(stage, tmp_path, recipient):
    api, message, upload = filled()
    backup, (public, key) = tmp_path / "monday.backup", recipient
    stage.make(recipient=public, out=backup)
    people = stage._django("dumpdata", "access.User", "mfa")
    with pytest.raises(BackupFailed, match="has rows"):
        stage.restore(backup, key=key)

    count = rows_of(stage)
    wiped(stage, tmp_path)
    assert stage.restore(backup, key=key) == rows_of(stage) == count
    s3, content = aws.client("s3"), b"content" * 1000
    assert plaintext_of(upload.file_id) == content, "records name versions, which are under the marks"
    assert "Contents" not in s3.list_objects_v2(Bucket=settings.ENCRYPTED_BUCKET)
    assert stage.undelete(settings.ENCRYPTED_BUCKET) == 1
    assert s3.list_objects_v2(Bucket=settings.ENCRYPTED_BUCKET)["KeyCount"] == 1, (
        "so that it does not end there"
    )
    stage.undelete(settings.CHECKPOINTS_BUCKET)

    assert plaintext_of(upload.file_id) == content
    assert api.post("decrypt", message).json()["plaintext"] == "before"
    assert stage._django("dumpdata", "access.User", "mfa") == people
    assert "as before" in aws.client("secretsmanager").get_secret_value(SecretId=stage.secret)["SecretString"]
    assert "OK:" in said_by("verify_audit", "--records")


def said_by(*words):
    said = io.StringIO()
    call_command(*words, stdout=said)
    return said.getvalue()


def synced(source, target):
    """Copy the newest version of each object, as `aws s3 sync` does."""
    s3 = aws.client("s3")
    for one in s3.list_objects_v2(Bucket=source).get("Contents", []):
        s3.copy_object(Bucket=target, Key=one["Key"], CopySource={"Bucket": source, "Key": one["Key"]})


@requirement("G5", "I4")
def test_a_stage_whose_buckets_are_lost_too_is_restored_into_fresh_ones(stage, tmp_path, recipient, settings):
    api, message, upload = filled()
    said_by("checkpoint")
    backup, (public, key) = tmp_path / "monday.backup", recipient
    stage.make(recipient=public, out=backup)
    lost = (settings.ENCRYPTED_BUCKET, settings.CHECKPOINTS_BUCKET)
    settings.ENCRYPTED_BUCKET, settings.CHECKPOINTS_BUCKET = fresh = (
        "elsewhere-encrypted",
        "elsewhere-checkpoints",
    )
    wiped(stage, tmp_path)
    for source, target in zip(lost, fresh, strict=True):
        synced(source, target)
    s3 = aws.client("s3")
    for one in s3.list_object_versions(Bucket=lost[0]).get("Versions", []):
        s3.delete_object(Bucket=lost[0], Key=one["Key"], VersionId=one["VersionId"])
    s3.delete_bucket(Bucket=lost[0])

    stage.restore(backup, key=key)
    assert "1 bodies are named" in said_by("find_bodies")
    assert plaintext_of(upload.file_id) == upload.content
    assert api.post("decrypt", message).json()["plaintext"] == "before"
    assert "OK:" in said_by("verify_audit", "--records")
