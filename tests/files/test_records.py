"""Documents, versions, uploads and orphans say what happens to each of their fields, and it does."""

from dataclasses import fields

import pytest
from django.conf import settings

from apps.audit.services import Transaction
from apps.common import clock
from apps.files import changes, states, store, traits
from apps.files.api.serializers.files import FileOut
from apps.files.keys import reencrypt
from apps.files.life import shredding
from apps.files.records import Document, Orphan, Upload, Version
from apps.files.services import delete
from apps.files.states import KEYED, TRANSITIONS, FileNotReady, FileStatus, transition
from apps.files.store import RECORDS, FileTable
from apps.files.traits import COPIED, RENEWED, SHOWN, SURVIVES, Trait
from tests import requirement
from tests.conftest import TESTS
from tests.files.test_documents import PNG, encrypted, replaced
from tests.tables import rows
from tests.uploads import deliver, put, record_of

FILES = [Document, Version, Upload]


@requirement("E6")
@pytest.mark.parametrize("record", [Document, Version, Upload, Orphan])
def test_every_field_says_what_happens_to_it(record):
    silent = [name for name, said in traits.traits_of(record).items() if not said]
    assert silent == []
    both = [name for name, said in traits.traits_of(record).items() if Trait.UNTOLD in said and len(said) > 1]
    assert both == []


@requirement("E6")
def test_every_field_has_its_attribute_and_every_attribute_its_field():
    index_keys = {"feed", "sort", "kind", "name_key"} | {
        name for name in FileTable.get_attributes() if name.endswith("_feed")
    }
    named = {field.name for record in RECORDS.values() for field in fields(record)}
    assert named == set(FileTable.get_attributes()) - index_keys


@requirement("E6")
def test_what_is_shown_to_the_client_is_said_on_the_fields():
    shown = {name for record in FILES for name in traits.fields_with(record, SHOWN)}
    assert set(FileOut().fields) == shown | {"has_passphrase"}
    secret = {"envelope", "body", "source", "owner", "passphrase", "parts"}
    assert shown & secret == set()


@pytest.fixture
def shredded(api, stock, monkeypatch):
    """A document with an earlier version, shredded; the ids of its rows."""
    fields = {
        "name": "diary.png", "document_type": "diary", "media_type": "image/x-own",
        "attributes": {"about": "me"},
    }  # fmt: skip
    file_id = encrypted(api, PNG, **fields)["file_id"]
    upload_id = api.post(f"files/{file_id}/versions", {}).json()["file"]["file_id"]
    replaced(api, file_id, PNG + b"more", media_type="image/x-own")
    api.post(f"files/{upload_id}/abort")
    delete(file_id, actor=TESTS)
    document = record_of(file_id)
    monkeypatch.setattr(store, "due_for_shredding", lambda _: iter([document]))
    assert shredding.shred_due(actor=TESTS) == 1
    return file_id


@requirement("E6", "C5")
@pytest.mark.parametrize("version", ["", ".v1"])
def test_what_is_shredded_tells_when_and_not_what(api, shredded, version):
    told = api.get(f"files/{shredded}{version}").json()
    kept = {"file_id", "status", "uploaded_at", "encrypted_at", "version"}
    assert {name for name, value in told.items() if value} - kept == {
        "name", "document_type", "media_type", "storage_class",
    }  # fmt: skip
    assert (told["name"], told["document_type"], told["media_type"], told["storage_class"]) == (
        "(shredded)",
        "(shredded)",
        "application/octet-stream",
        "STANDARD",
    )


@requirement("E6", "C5")
def test_no_row_of_a_shredded_document_tells_of_its_content(shredded):
    left = str([row for row in rows(f"{settings.TABLE_PREFIX}-files") if shredded in str(row)])
    for word in ("diary", "image/png", "image/x-own", "about", "files/"):
        assert word not in left


@requirement("E6")
def test_a_new_version_renews_what_says_so_and_keeps_the_rest(api, stock):
    file_id = encrypted(api, b"one", name="a.txt", document_type="report", attributes={"a": 1})["file_id"]
    before = record_of(file_id)
    replaced(api, file_id, PNG, name="b.png", attributes={"b": 2})
    after = record_of(file_id)
    renewed = set(traits.fields_with(Document, RENEWED))
    differ = {name for name in traits.traits_of(Document) if getattr(before, name) != getattr(after, name)}
    assert differ <= renewed
    assert {"name", "attributes", "media_type", "size", "body", "envelope", "version"} <= differ
    earlier = record_of(f"{file_id}.v1")
    same = traits.traits_of(Version).keys() & traits.traits_of(Document).keys()
    assert {name for name in same if getattr(before, name) != getattr(earlier, name)} == {"file_id", "status"}


@requirement("C3", "C5")
def test_re_encryption_copies_what_says_so_and_nothing_else(api, stock):
    file_id = encrypted(api, PNG)["file_id"]
    before = record_of(file_id)
    reencrypt.reencrypt(file_id, actor=TESTS)
    after = record_of(file_id)
    copied = traits.fields_with(Document, COPIED)
    assert [getattr(after, name) for name in copied] == [getattr(before, name) for name in copied]
    made = set(traits.fields_with(Document, COPIED, without=True)) - {
        "suite",
        "pool_key_id",
        "ciphertext_size",
        "digest_by",
        "damage",
    }
    assert {name for name in made if getattr(before, name) == getattr(after, name)} == set()


def test_every_state_belongs_to_a_record_and_is_reached_and_left_as_the_table_says():
    assert {state for named in states.STATES.values() for state in named} == set(FileStatus)
    reached = {one.target for one in TRANSITIONS}
    begins = {state for named in states.BEGINNINGS.values() for state, _ in named}
    assert set(FileStatus) - reached == begins
    ends = {FileStatus.APPLIED, FileStatus.SHREDDED}
    assert set(FileStatus) - {one.source for one in TRANSITIONS} == ends
    assert not ends & KEYED


@pytest.mark.parametrize("before", states.STATES["document"])
@pytest.mark.parametrize("after", states.STATES["document"])
def test_no_change_is_written_that_the_table_does_not_know(before, after):
    known = {(one.source, one.target) for one in TRANSITIONS} | {(state, state) for state in FileStatus}
    if (before, after) not in known:
        with pytest.raises(ValueError, match="No transition"):
            changes.change(Transaction(TESTS), a_document(before), a_document(after))


def a_document(status):
    return Document(
        file_id="f", name="n", document_type="d", owner="o", uploaded_at=clock.now(), status=status
    )


def test_a_refusal_says_what_would_be_possible():
    with pytest.raises(FileNotReady, match=r"Only an encrypted file can be archived; this one is deleted\."):
        transition("archive", FileStatus.DELETED)
    with pytest.raises(
        FileNotReady,
        match=r"Only an encrypted or archived file can be deleted; this one is awaiting upload\.",
    ):
        transition("delete", FileStatus.AWAITING_UPLOAD)


@requirement("E6")
def test_what_an_upload_was_announced_with_goes_when_it_is_applied(api, stock):
    file_id = encrypted(api, b"one", document_type="report")["file_id"]
    answer = api.post(f"files/{file_id}/versions", {"name": "secret plan.txt"}).json()
    upload_id = answer["file"]["file_id"]
    deliver(put(f"uploads/{upload_id}", b"two").event)
    row = record_of(upload_id)
    survived = traits.fields_with(Upload, SURVIVES)
    assert row.status is FileStatus.APPLIED
    wiped = traits.as_shredded(row, text="(applied)")
    assert [getattr(row, name) for name in survived] == [getattr(wiped, name) for name in survived]
    assert row == wiped
