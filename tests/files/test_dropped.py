"""Objects put into the uploads bucket without an announcement: whose they are, and that nothing of them is lost."""

import json

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from apps.access import principals
from apps.audit.services import entries_page
from apps.common.aws import client
from apps.console import render
from apps.files import names
from apps.files.conf import owners_of
from apps.files.uploads import pipeline
from apps.sessions.store import QuantumKeyTable
from tests import requirement
from tests.conftest import TESTS
from tests.events import object_created
from tests.tables import rows, versions
from tests.uploads import Upload, deliver, put, record_of

UPLOADS = django_settings.UPLOADS_BUCKET


def dropped(key, content=b"content", *, writer="AWS:AIDAEXAMPLE", address="192.0.2.7", tags="", **about):
    """An object that somebody put by hand, and its event."""
    tagging = {"Tagging": tags} if tags else {}
    answer = client("s3").put_object(Bucket=UPLOADS, Key=key, Body=content, **tagging, **about)
    event = object_created(key, version=answer["VersionId"])
    event["Records"][0]["userIdentity"]["principalId"] = writer
    event["Records"][0]["requestParameters"]["sourceIPAddress"] = address
    return Upload(key, content, answer["VersionId"], event)


def arrived(key, *arguments, **named):
    upload = dropped(key, *arguments, **named)
    deliver(upload.event)
    assert upload.is_safe
    return record_of(upload.file_id)


@requirement("C1", "C8", "E3")
def test_a_client_reads_back_what_it_dropped(api, other_api, stock, settings):
    settings.UPLOAD_OWNERS = {"from/alice/": str(api.actor)}
    file = arrived("from/alice/report.pdf", b"what was dropped")
    assert api.get(f"files/{file.file_id}/content").content == b"what was dropped"
    assert [one["file_id"] for one in api.get("files").json()["items"]] == [file.file_id]
    assert other_api.get(f"files/{file.file_id}").status_code == 404


@requirement("C1", "E3")
def test_whose_it_is_the_writer_s_identity_says_then_the_longest_prefix_then_the_configured_group(
    api, stock, settings
):
    settings.UPLOADS_OWNER = "group:everybody"
    settings.UPLOAD_OWNERS = {
        "writer:AWS:AROAROLE": "service:role",
        "in/": "group:in",
        "in/alice/": "user:alice",
    }
    assert arrived("in/alice/x", writer="AWS:AROAROLE:session").owner == "service:role"
    assert arrived("in/alice/x", writer="AWS:AROAROLEOTHER").owner == "user:alice"
    assert arrived("in/bob/x").owner == "group:in"
    assert arrived("elsewhere").owner == "group:everybody"


@requirement("C1", "C8")
def test_the_configured_group_reads_what_nobody_else_owns(api, stock):
    group = principals.make_group("uploads", group_id="uploads", actor=TESTS).principal_id
    assert group == django_settings.UPLOADS_OWNER
    principals.change(str(api.actor), groups=[group], actor=TESTS)
    file = arrived("dropped", b"for all of us")
    assert api.get(f"files/{file.file_id}/content").content == b"for all of us"


@requirement("D1", "C1")
def test_who_and_from_where_stand_in_the_entry(api, stock):
    file = arrived("dropped", writer="AWS:AIDAALICE", address="198.51.100.4")
    [entry] = [
        e for e in entries_page(limit=9, by="file", value=file.file_id).records if e.event == "file.encrypted"
    ]
    assert (entry.detail["uploaded_by"], entry.detail["uploaded_from"]) == ("AWS:AIDAALICE", "198.51.100.4")
    assert entry.actor == "system:encryptor"


@requirement("D1", "C8")
def test_who_and_from_where_stand_in_the_entry_of_what_is_refused_as_well(api, stock):
    file_id = api.post("files", {"name": "x"}).json()["file"]["file_id"]
    api.post(f"files/{file_id}/abort")
    deliver(dropped(f"uploads/{file_id}", address="198.51.100.9").event)
    entry = entries_page(limit=1, by="file", value=file_id).records[0]
    assert (entry.event, entry.detail["uploaded_from"]) == ("upload.surplus_removed", "198.51.100.9")


@requirement("C1", "E6")
def test_the_sweep_knows_the_prefix_and_not_the_writer(stock, settings):
    settings.UPLOAD_OWNERS = {"in/": "group:in", "writer:AWS:AIDAEXAMPLE": "service:writer"}
    upload = dropped("in/x")
    pipeline.finish_overdue(seconds=-1, actor=TESTS)
    assert record_of(upload.file_id).owner == "group:in"


@requirement("C1")
@pytest.mark.parametrize("rules", ['{"in/": "alice"}', '{"in/": 5}', '{"": "group:x"}', "[]"])
def test_a_rule_names_a_principal(rules):
    with pytest.raises(ImproperlyConfigured):
        owners_of(json.loads(rules))


@requirement("E6", "C1")
def test_folders_are_kept_as_data(api, stock):
    one, two = arrived("2024/report.pdf"), arrived("2025/report.pdf")
    assert (one.name, two.name) == ("report.pdf", "report.pdf")
    assert (one.source_path, two.source_path) == ("2024/report.pdf", "2025/report.pdf")
    assert "report" not in one.body["key"]  # no letters of ids, in which any year may stand


@requirement("E6", "I8")
@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("a\n", "a_"), ("dir/b\r\nc", "b__c"), ("x\\y", "x_y"), ("a\u202egpj.exe", "a_gpj.exe"),
        ("a\u200bb", "a_b"), ("a\u0085b\u2028c", "a_b_c"), ("folder/", "folder"), ("//", "unnamed"),
        ("Größe, übel.pdf", "Größe, übel.pdf"), ("..", ".."),
    ],
)  # fmt: skip
def test_names_are_cleaned_and_can_be_read_back(admin_api, api, stock, settings, key, name):
    settings.UPLOADS_OWNER = str(api.actor)
    file = arrived(key)
    assert (file.name, names.clean(name)) == (name, name)
    assert api.get(f"files/{file.file_id}/content").content == b"content"
    assert api.post(f"files/{file.file_id}/download").status_code == 201


@requirement("I8")
@pytest.mark.parametrize("name", ["a\u202eb", "a\u200bb", "a\u0085b", "a\u2028b", "a\\b", "a/b", "a\x7fb"])
def test_the_api_refuses_the_names_that_are_cleaned_elsewhere(api, name):
    answer = api.post("files", {"name": name})
    assert (answer.status_code, "U+" in answer.json()["detail"]) == (400, True)


@requirement("E6")
def test_a_name_is_cut_between_characters():
    assert names.clean("ü" * 600) == "ü" * 512
    assert len(names.clean("x" * 2000)) == 1024


@requirement("E6", "C1")
def test_metadata_and_tags_are_kept_as_attributes(stock):
    file = arrived(
        "dropped.csv",
        ContentType="text/csv",
        Metadata={"project": "apollo", "9lives": "cat", "long": "x" * 300},
        tags="team=red&project=other&cost%20center=42",
    )
    assert file.media_type == "text/csv"
    assert file.attributes == {
        "project": "apollo", "team": "red", "cost_center": "42", "m_9lives": "cat", "long": "x" * 256,
    }  # fmt: skip


@requirement("E6")
def test_more_than_may_be_kept_is_left_out(stock):
    file = arrived("dropped", Metadata={f"m{number}": "x" for number in range(40)})
    assert len(file.attributes) == 32


@requirement("E6")
@pytest.mark.parametrize("told", ["binary/octet-stream", "application/octet-stream", "nonsense", "a/b\x7f"])
def test_a_media_type_that_says_nothing_is_found_from_the_content(stock, told):
    assert (
        arrived("dropped", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", ContentType=told).media_type == "application/pdf"
    )


@requirement("E6", "C8")
def test_a_content_encoding_is_kept_and_served(api, stock, settings):
    settings.UPLOADS_OWNER = str(api.actor)
    file = arrived("page.html.gz", b"\x1f\x8bnot really", ContentEncoding="gzip", ContentType="text/html")
    assert file.content_encoding == "gzip"
    answer = api.get(f"files/{file.file_id}/content")
    assert (answer["Content-Encoding"], answer.content) == ("gzip", b"\x1f\x8bnot really")
    assert "response-content-encoding=gzip" in api.post(f"files/{file.file_id}/download").json()["url"]
    assert api.get(f"files/{file.file_id}").json()["content_encoding"] == "gzip"


@requirement("C8", "E6")
def test_an_announced_upload_is_as_it_was_announced_and_encoded_as_it_was_put(api, stock):
    file_id = api.post("files", {"name": "x", "media_type": "text/plain"}).json()["file"]["file_id"]
    deliver(
        dropped(
            f"uploads/{file_id}", ContentEncoding="gzip", ContentType="text/csv", Metadata={"a": "b"}
        ).event
    )
    file = record_of(file_id)
    assert (file.media_type, file.content_encoding, file.attributes) == ("text/plain", "gzip", {})


@requirement("C1", "I3")
def test_a_folder_s_marker_becomes_no_file(stock):
    marker = dropped("folder/", b"")
    deliver(marker.event)
    assert pipeline.finish_overdue(seconds=-1, actor=TESTS) == 0
    assert rows(QuantumKeyTable.Meta.table_name) == []
    assert len(versions(UPLOADS)) == 1
    assert record_of(put_and_deliver("folder/x").file_id).source_path == "folder/x"


def put_and_deliver(key):
    upload = put(key, b"x")
    deliver(upload.event)
    return upload


@requirement("H1", "E6")
def test_the_console_shows_a_name_isolated_and_spelt_out():
    assert render.name("\u05d0 <b>.pdf") == '<bdi class="name">\u05d0 &lt;b&gt;.pdf</bdi>'
    assert render.name("a\u202egpj\n.exe") == r'<bdi class="name">a\u202egpj\n.exe</bdi>'
