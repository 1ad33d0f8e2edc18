"""The SHA-256 of a file: shown to who may read it, without a key being opened; kept so that it tells nobody else."""

import hashlib

import pytest

from apps.access.roles import Role
from apps.audit.services import entries_page
from apps.files.bodies import digests
from apps.files.keys import reencrypt
from apps.files.store import FileTable
from apps.files.trail import FileEvent
from apps.keys import seeds
from qkdseal import Envelope, PackageInvalid
from tests import requirement
from tests.conftest import TESTS, Api
from tests.files.test_client_side import uploaded
from tests.files.test_documents import encrypted, replaced
from tests.tables import everything
from tests.uploads import record_of

CONTENT = b"what people compare"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def digest_of(api, file_id, **body):
    return api.post(f"files/{file_id}/digest", body)


def sha256_of(api, file_id, **body):
    return digest_of(api, file_id, **body).json()["sha256"]


@requirement("E6", "C9")
def test_it_is_what_sha256sum_says_and_opens_no_key(api, stock, monkeypatch):
    file_id = encrypted(api, CONTENT)["file_id"]
    monkeypatch.setattr(seeds, "seed_of", None)  # whoever opened a key would fail
    assert sha256_of(api, file_id) == SHA256


@requirement("E6", "I10")
def test_equal_files_cannot_be_told_by_their_rows_and_nothing_stored_is_the_digest(api, stock):
    one, two = (record_of(encrypted(api, CONTENT)["file_id"]).sealed_digest for _ in range(2))
    assert one != two
    stored = str(everything())
    assert SHA256 not in stored
    assert str(bytes.fromhex(SHA256))[2:-1] not in stored


@requirement("E6", "C7")
def test_only_who_may_read_the_file_sees_it(api, other_api, stock, aws):
    file_id = encrypted(api, CONTENT)["file_id"]
    assert digest_of(other_api, file_id).status_code == 404
    assert digest_of(Api(Role.AUDITOR), file_id).status_code == 403
    assert "sha256" not in api.get(f"files/{file_id}").json()


@requirement("E6", "C4")
def test_behind_a_passphrase_only_the_passphrase_opens_it(api, stock):
    file_id = encrypted(api, CONTENT, passphrase="correct horse")["file_id"]
    for wrong in ({}, {"passphrase": "wrong horse"}):
        assert digest_of(api, file_id, **wrong).status_code == 400
    assert sha256_of(api, file_id, passphrase="correct horse") == SHA256
    file = record_of(file_id)
    with pytest.raises(PackageInvalid):
        digests.open_with_metadata_key(file.sealed_digest, header=Envelope.from_dict(file.envelope).header)
    page = entries_page(limit=20, by="file", value=file_id)
    assert [entry.detail.get("purpose") for entry in page.records if entry.event == FileEvent.READ][
        -1
    ] == "digest"


@requirement("E6", "C4")
def test_a_passphrase_that_is_not_part_of_the_key_is_refused(api, stock):
    file_id = encrypted(api, CONTENT)["file_id"]
    assert digest_of(api, file_id, passphrase="superfluous").status_code == 400


@requirement("E6", "C7")
@pytest.mark.parametrize("fields", [{}, {"passphrase": "correct horse"}], ids=["without", "with"])
def test_the_client_gives_the_digest_of_what_it_encrypted(api, stock, fields):
    file_id, answer, _ = uploaded(api, CONTENT, **fields)
    assert answer.status_code == 200, answer.content
    assert sha256_of(api, file_id, **fields) == SHA256
    assert api.post(f"files/{file_id}/key", fields).json()["sha256"] == SHA256


@requirement("E6", "C6")
def test_every_version_and_every_reencryption_keeps_its_own(api, stock):
    file_id = encrypted(api, CONTENT)["file_id"]
    replaced(api, file_id, b"second")
    before = record_of(file_id).sealed_digest
    for name in (file_id, f"{file_id}.v1"):
        reencrypt.reencrypt(name, actor=TESTS)
    assert record_of(file_id).sealed_digest != before
    assert digest_of(api, file_id).json()["sha256"] == hashlib.sha256(b"second").hexdigest()
    assert digest_of(api, f"{file_id}.v1").json()["sha256"] == SHA256


@requirement("I10", "C9")
def test_a_digest_that_was_changed_or_exchanged_in_the_table_is_not_shown(api, stock):
    one, two = (encrypted(api, content)["file_id"] for content in (CONTENT, b"another"))
    FileTable(one).update(actions=[FileTable.sealed_digest.set(record_of(two).sealed_digest)])
    answer = digest_of(api, one)
    assert answer.status_code == 409
    assert hashlib.sha256(b"another").hexdigest() not in answer.content.decode()


@requirement("E6")
def test_digests_from_before_the_metadata_key_was_changed_still_open(api, stock, settings):
    file_id = encrypted(api, CONTENT)["file_id"]
    old, settings.METADATA_KEY = settings.METADATA_KEY, "tests only: another"
    assert digest_of(api, file_id).status_code == 409
    settings.METADATA_KEY_PREVIOUS = [old]
    assert sha256_of(api, file_id) == SHA256


@requirement("E6")
def test_an_upload_has_no_digest_yet(api, stock):
    file_id = api.post("files", {"name": "a"}).json()["file"]["file_id"]
    answer = digest_of(api, file_id)
    assert (answer.status_code, "Only an encrypted file" in answer.json()["detail"]) == (409, True)
