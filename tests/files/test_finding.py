"""A bucket of bodies that was lost and brought back from a copy: records name the bodies where they are by then (G5)."""

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from django.conf import settings
from django.core.management import CommandError, call_command

from apps.audit.services import entries_page
from apps.audit.verification import Depth, verify
from apps.common.aws import client
from apps.common.deadline import ending_in
from apps.files import services
from apps.files.bodies import objects
from apps.files.bodies.objects import ObjectRef
from apps.files.life import archive, finding, reconciling
from apps.files.opening import FileDamaged
from apps.files.records import StorageClass
from tests import requirement
from tests.conftest import TESTS
from tests.files.test_client_side import CONTENT, uploaded
from tests.files.test_documents import encrypted, replaced
from tests.tables import versions
from tests.uploads import plaintext_of, record_of

pytestmark = requirement("G5", "I4")
OTHER = "qkd-elsewhere-encrypted"


@pytest.fixture(params=["other"])
def brought_back(request, aws, monkeypatch):
    """Loses the bucket and brings its objects back as any copy does: with new ids; or into that of another stage."""

    def lose(change=lambda content: content, but=()):
        s3, lost = client("s3"), settings.ENCRYPTED_BUCKET
        kept = [(one, s3.get_object(**place(one, lost))["Body"].read()) for one in versions(lost)]
        for one, _ in kept:
            s3.delete_object(**place(one, lost))
        if request.param == "other":
            s3.delete_bucket(Bucket=lost)
            monkeypatch.setattr(settings, "ENCRYPTED_BUCKET", OTHER)
            s3.create_bucket(Bucket=OTHER)
            s3.put_bucket_versioning(Bucket=OTHER, VersioningConfiguration={"Status": "Enabled"})
        for one, content in reversed(kept):  # of a key, the oldest first
            if one["Key"] not in but:
                s3.put_object(Bucket=settings.ENCRYPTED_BUCKET, Key=one["Key"], Body=change(content))

    return lose


def place(listed, bucket):
    return {"Bucket": bucket, "Key": listed["Key"], "VersionId": listed["VersionId"]}


def found(capsys, *words):
    call_command("find_bodies", *words)
    return capsys.readouterr().out


def test_all_that_records_name_is_read_again_and_the_trail_holds(api, stock, brought_back, capsys):
    file_id = encrypted(api, b"one")["file_id"]
    replaced(api, file_id, b"two")
    of_client = uploaded(api)[0]
    with_passphrase = uploaded(api, passphrase="a long enough passphrase")[0]
    cold = encrypted(api, b"cold")["file_id"]
    archive.archive(cold, storage_class=StorageClass.GLACIER_IR, actor=TESTS)
    deleted = encrypted(api, b"deleted")["file_id"]
    services.delete(deleted, actor=TESTS)
    brought_back()
    with pytest.raises((FileDamaged, ClientError)):
        plaintext_of(file_id)
    assert "6 bodies are named" in found(capsys)
    assert (plaintext_of(file_id), plaintext_of(f"{file_id}.v1")) == (b"two", b"one")
    assert plaintext_of(of_client) == CONTENT
    assert objects.size_of(ObjectRef.of(record_of(with_passphrase).body)) > len(CONTENT)
    assert record_of(cold).storage_class is StorageClass.STANDARD, "as it was written"
    archive.recall(cold, actor=TESTS)
    services.restore(deleted, actor=TESTS)
    assert (plaintext_of(cold), plaintext_of(deleted)) == (b"cold", b"deleted")
    (entry,) = [
        one for one in entries_page(limit=50, by="file", value=of_client).records if one.event == "body.found"
    ]
    assert entry.detail["version"] == record_of(of_client).body["version"]
    assert verify(Depth.RECORDS).whole
    assert "0 bodies are named" in found(capsys)


@pytest.mark.parametrize("brought_back", ["same"], indirect=True)
def test_nothing_of_it_is_removed_before_it_was_found(api, stock, brought_back, capsys, later):
    file_id, (of_client, *_) = encrypted(api, b"one")["file_id"], uploaded(api)
    brought_back()
    later(days=1)
    for one in (file_id, of_client):
        named = ObjectRef.of(record_of(one).body)
        assert objects.remove_others(replace(named, bucket=settings.ENCRYPTED_BUCKET)) == 0
    assert reconciling.remove_unnamed("", actor=TESTS).removed == 0
    found(capsys)
    assert (plaintext_of(file_id), plaintext_of(of_client)) == (b"one", CONTENT)
    assert reconciling.remove_unnamed("", actor=TESTS).removed == 0


def test_what_is_another_body_or_not_there_is_reported_and_not_named(api, stock, brought_back, capsys):
    lost, changed = encrypted(api, b"lost")["file_id"], encrypted(api, b"changed")["file_id"]
    before = record_of(changed).body
    brought_back(lambda content: content[:-1] + bytes([content[-1] ^ 1]), but={record_of(lost).body["key"]})
    with pytest.raises(CommandError, match="Bring those back"):
        call_command("find_bodies")
    said = capsys.readouterr().out
    assert "0 bodies are named" in said
    assert lost in said
    assert changed in said
    assert record_of(changed).body == before


@pytest.mark.parametrize("brought_back", ["same"], indirect=True)
def test_it_goes_on_where_the_function_s_time_ended(api, stock, brought_back, capsys, monkeypatch):
    files = [encrypted(api, b"%d" % number)["file_id"] for number in range(3)]
    brought_back()
    monkeypatch.setattr(finding, "PAGE", 1)
    with ending_in(1), pytest.raises(CommandError, match="Go on: find_bodies") as told:
        call_command("find_bodies")
    assert "1 bodies are named" in capsys.readouterr().out
    assert "2 bodies are named" in found(capsys, *str(told.value).rpartition("find_bodies ")[2].split())
    assert [plaintext_of(one) for one in files] == [b"0", b"1", b"2"]
