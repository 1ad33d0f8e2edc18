"""Files uploaded from the console straight to the bucket, and downloaded decrypted."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from apps.access import api_keys
from apps.access.models import User
from apps.audit import services as audit
from apps.files import services as files
from apps.files.life import versions
from apps.files.states import FileStatus
from apps.files.trail import FileEvent
from apps.sessions import services as sessions
from tests import requirement
from tests.console.demo import ALICE, Demo
from tests.console.pages import FILES, act
from tests.console.test_pages import assert_strict
from tests.uploads import deliver, put, record_of

pytestmark = requirement("F5")
ANNOUNCE = f"{FILES}announce/"


def encrypted_file(console: Client) -> Any:
    """A file that was uploaded through the page, and encrypted by its event."""
    told = console.post(ANNOUNCE, {"name": "a.txt", "document_type": "contract"}).json()
    upload = put(told["fields"]["key"], b"plain words")
    deliver(upload.event)
    return record_of(upload.file_id)


@requirement("C8")
def test_the_page_may_reach_the_bucket_and_nothing_else(console: Client) -> None:
    page = console.get(f"{FILES}upload/")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith(settings.CONTENT_SECURITY_POLICY)
    assert policy.count("connect-src") == 1
    told = console.post(ANNOUNCE, {"name": "a.txt", "document_type": "contract"}).json()
    origin = "/".join(told["url"].split("/")[:3])
    assert f"connect-src 'self' {origin}" in policy
    assert_strict(page, f"{FILES}upload/")


def test_an_announced_file_is_the_persons_and_waits_for_its_bytes(console: Client) -> None:
    told = console.post(
        ANNOUNCE,
        {"name": "Vertrag München.pdf", "media_type": "application/pdf", "document_type": "contract"},
    ).json()
    made = files.find(told["page"].split("/")[-3], actor=ALICE)
    assert (made.name, made.document_type, made.status) == (
        "Vertrag München.pdf",
        "contract",
        FileStatus.AWAITING_UPLOAD,
    )
    assert made.owner.startswith("user:")
    assert told["fields"]["key"].endswith(made.file_id)


@pytest.mark.parametrize(
    "given",
    [
        {"name": "", "document_type": "contract"},
        {"name": "a\u202eb", "document_type": "contract"},
        {"name": "../x", "document_type": "contract"},
        {"name": "a", "document_type": "no spaces please"},
        {"name": "x" * 5000, "document_type": "contract"},
    ],
)
def test_what_cannot_be_a_file_is_told(console: Client, given: dict[str, str]) -> None:
    answer = console.post(ANNOUNCE, given)
    assert answer.status_code == 400
    assert answer.json()["problem"]


def test_uploading_and_decrypting_need_their_rights(person: Any, filled: Demo) -> None:
    client = person("files.view_file")
    assert client.get(f"{FILES}upload/").status_code == 403
    assert client.post(ANNOUNCE, {"name": "a", "document_type": "b"}).status_code == 403
    assert client.get(f"{FILES}{filled.file.file_id}/download/").status_code == 403


def test_a_file_is_decrypted_to_a_link_once_and_that_is_recorded(console: Client, stock: Any) -> None:
    file = encrypted_file(console)
    address = f"{FILES}{file.file_id}/download/"
    page = console.get(address)
    once = page.context["once"]
    assert page.context["found"] is None
    ready = console.post(address, {"once": once})
    assert ready.context["found"].url.startswith("http")
    assert "no-store" in ready.headers["Cache-Control"]
    assert b"plain words" not in ready.content
    read = [one for one in audit.entries_page(limit=5).records if one.event == FileEvent.READ]
    assert [one.file_id for one in read] == [file.file_id]
    again = console.post(address, {"once": once})
    assert again.context["found"] is None, "each form is carried out once"


def test_a_deleted_file_is_restored(console: Client, stock: Any) -> None:
    file = encrypted_file(console)
    act(console, FILES, "delete", [file.file_id])
    assert files.find(file.file_id, actor=ALICE).status is FileStatus.DELETED
    act(console, FILES, "restore", [file.file_id])
    assert files.find(file.file_id, actor=ALICE).status is FileStatus.ENCRYPTED


@requirement("F1")
def test_first_steps_lead_from_nothing_to_the_trail_and_go_away(console: Client, stock: Any) -> None:
    """Each step has one button; tests/browser/test_first_run.py clicks them."""

    def shown() -> str:
        panels = console.get("/admin/dashboard/data/").json()["panels"]
        return next((panel["body"] for panel in panels if panel["name"] == "first-steps"), "")

    run = f"{FILES}first-session/"
    assert f'formaction="{run}"' in shown()
    assert console.get(run).status_code == 404, "opening an address runs nothing"
    once = console.get("/admin/").context["once"]
    for _ in range(2):
        assert console.post(run, {"once": once})["Location"] == f"{FILES}upload/"
    mine = sessions.listed(actor=ALICE, limit=9, owner=actor_of_admin()).records
    assert len(mine) == 1, "each form is carried out once"
    assert f'href="{FILES}upload/"' in shown()
    assert 'data-onwards="/admin/"' in console.get(f"{FILES}upload/").content.decode()
    told = console.post(ANNOUNCE, {"name": "a.txt", "document_type": "contract"}).json()
    assert "data-soon" in shown(), "the page looks again within seconds"
    deliver(put(told["fields"]["key"], b"plain words").event)
    address = f"{FILES}{told['page'].split('/')[-3]}/download/"
    assert f'formaction="{address}"' in shown()
    ready = console.post(address, {"once": console.get(address).context["once"]})
    assert f'href="{told["page"]}?tab=audit"' in ready.content.decode()
    assert shown() == ""
    assert "data-onwards" not in console.get(f"{FILES}upload/").content.decode()


def actor_of_admin() -> str:
    return User.objects.get(username="admin").principal_id


@requirement("F6")
def test_first_steps_are_for_who_may_take_them(person: Any, stock: Any) -> None:
    assert "first-steps" not in str(person("files.view_file").get("/admin/dashboard/data/").json())
    client = person("files.view_file", "files.write_file")
    assert f'href="{FILES}upload/"' in str(client.get("/admin/dashboard/data/").json()), "not the first one"
    assert client.post(f"{FILES}first-session/", {"once": "x"}).status_code == 403
    shown = str(client.get("/admin/dashboard/data/").json())
    assert "Four clicks" in shown
    assert "audit trail" not in shown, "which they may not read"
    assert "audit trail" in str(
        person("files.view_file", "files.write_file", "audit.view_entry").get("/admin/dashboard/data/").json()
    )


@requirement("F2", "C5")
def test_a_deleted_file_is_shredded_by_who_may_after_a_question(
    console: Client, person: Any, stock: Any
) -> None:
    file_id = encrypted_file(console).file_id
    page, shred = f"{FILES}{file_id}/change/", f"{FILES}do/shred/"
    assert shred not in console.get(page).content.decode(), "only a deleted one"
    act(console, FILES, "delete", [file_id])
    assert f"{shred}?id={file_id}" in console.get(page).content.decode()
    writes = person("files.view_file", "files.write_file")
    assert shred not in writes.get(page).content.decode()
    assert writes.get(shred, {"id": file_id}).status_code == 403
    asked = console.get(shred, {"id": file_id}).content.decode()
    assert "Can be restored until" in asked
    act(console, FILES, "shred", [file_id], reason="asked to be forgotten")
    found = record_of(file_id)
    assert (found.status, found.envelope, found.name) == (FileStatus.SHREDDED, {}, "(shredded)")
    entries = audit.entries_page(limit=9, by="file", value=file_id).records
    assert "asked to be forgotten" in [entry.detail.get("reason") for entry in entries]


@requirement("F2")
def test_a_file_is_shared_and_taken_back(console: Client, filled: Demo, admitted_admin: None) -> None:
    service = api_keys.find(filled.key_id).principal_id

    def shared() -> str:
        return console.get(f"{FILES}{filled.file.file_id}/change/", {"tab": "related"}).content.decode()

    act(console, FILES, "share", [filled.file.file_id], grantee=service, right="read", until="")
    assert service in shared()
    asked = console.get(f"{FILES}do/unshare/", {"id": filled.file.file_id}).content.decode()
    assert service in asked, "the page says with whom"
    act(console, FILES, "unshare", [filled.file.file_id], grantee=service)
    assert service not in shared()
    again = act(console, FILES, "unshare", [filled.file.file_id], grantee=service)
    assert "no such grant" in again.content.decode()


@requirement("F2", "E6")
def test_the_next_version_of_a_document_is_uploaded_from_its_page(console: Client, filled: Demo) -> None:
    document = filled.file.file_id
    page = console.get(f"{FILES}{document}/change/").content.decode()
    assert f"{FILES}upload/?document={document}" in page
    upload = console.get(f"{FILES}upload/", {"document": document})
    assert f'data-document="{document}"' in upload.content.decode()
    told = console.post(ANNOUNCE, {"name": "again.pdf", "document": document}).json()
    assert told["page"] == f"{FILES}{document}/change/"
    made = record_of(told["fields"]["key"].removeprefix("uploads/"))
    assert (made.document_id, made.status) == (document, "awaiting_upload")
    assert console.get(f"{FILES}upload/", {"document": "nosuch"}).status_code == 404
    assert console.get(f"{FILES}upload/", {"document": made.file_id}).status_code == 404
    assert console.post(ANNOUNCE, {"name": "a", "document": "nosuch"}).status_code == 404


@requirement("F2", "E6")
def test_the_versions_of_a_document_are_listed_with_their_state_and_are_read(
    console: Client, stock: Any
) -> None:
    document = encrypted_file(console).file_id
    url = f"{FILES}{document}/change/"
    assert "no earlier version" in console.get(url, {"tab": "versions"}).content.decode()
    told = console.post(ANNOUNCE, {"name": "b.txt", "document": document}).json()
    deliver(put(told["fields"]["key"], b"other words").event)
    html = console.get(url, {"tab": "versions"}).content.decode()
    assert html.count("Download…</a></td>") == 2
    assert ">superseded</span>" in html
    (earlier,) = versions.earlier_versions(document, actor=ALICE, limit=5).records
    page = console.get(f"{FILES}{earlier.file_id}/change/")
    assert "versions" not in page.context["tabs"]
    assert (
        f"{FILES}{document}/change/"
        in console.get(f"{FILES}{earlier.file_id}/change/", {"tab": "related"}).content.decode()
    )
    address = f"{FILES}{earlier.file_id}/download/"
    assert console.post(address, {"once": console.get(address).context["once"]}).context["found"]


def test_who_may_not_decrypt_is_offered_no_version_to_download(person: Any, filled: Demo) -> None:
    client = person("files.view_file")
    html = client.get(f"{FILES}{filled.file.file_id}/change/", {"tab": "versions"}).content.decode()
    assert "Versions" in html
    assert "Download" not in html
