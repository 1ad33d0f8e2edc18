"""Detail pages: read-only, linked, and without key material."""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.test import Client

from apps.access.models import User
from apps.access.store import ApiKeyTable
from apps.audit import services as audit
from apps.console.models import DisplayModel, NotInTheDatabase
from apps.files.store import FileTable
from apps.keys.models import PoolKey
from apps.sessions import drift
from tests import requirement
from tests.console.demo import SEALED, Demo
from tests.console.pages import (
    AUDIT,
    CASES,
    CLIENTS,
    DETECTIONS,
    FILES,
    JOBS,
    LINKS,
    LISTS,
    POOL,
    ROTATIONS,
    SESSIONS,
    Elements,
    messages_of,
)
from tests.finals import final_key
from tests.tables import save


def change(url: str, pk: str) -> str:
    return f"{url}{pk.replace('_', '_5F')}/change/"


@pytest.fixture
def details(filled: Demo) -> dict[str, str]:
    """A record of every kind: its list and its id."""
    return {
        SESSIONS: filled.ready.session_id,
        DETECTIONS: filled.compromised.session_id,
        POOL: filled.pool_keys[2].key_id,
        FILES: filled.file.file_id,
        JOBS: filled.job.job_id,
        CLIENTS: filled.key_id,
    }


@requirement("F1", "I2")
def test_no_page_holds_key_material(console: Client, details: dict[str, str], filled: Demo) -> None:
    final = final_key(filled.ready.session_id)
    client = ApiKeyTable.find(filled.key_id)
    assert client is not None
    key = filled.pool_keys[2]
    assert key.wrapped_seed
    secrets = [final.encrypted_final_key, client.secret_hash, SEALED]
    for blob in (key.wrapped_seed, key.public_key):
        secrets += [base64.b64encode(blob).decode()[:40], blob.hex()[:40], repr(blob)[2:42]]
    for url, pk in details.items():
        for address in (
            url,
            change(url, pk),
            f"{change(url, pk)}?tab=related",
            f"{change(url, pk)}?tab=audit",
        ):
            html = console.get(address).content.decode()
            assert not [secret for secret in secrets if secret in html], address


@requirement("F1")
def test_every_detail_is_read_only(console: Client, details: dict[str, str]) -> None:
    for url, pk in details.items():
        page = console.get(change(url, pk))
        assert page.status_code == 200, url
        assert pk in page.content.decode()
        assert b'name="_save"' not in page.content
        assert console.post(change(url, pk), {}).status_code == 403
        assert console.get(f"{url}{pk}/delete/").status_code == 403
        assert console.get(f"{url}{pk}/history/").status_code == 302, "to the tab"
        assert console.get(f"{url}add/").status_code == 403


@requirement("F1")
def test_details_lead_to_what_they_belong_to(console: Client, filled: Demo) -> None:
    session, key, file = filled.ready.session_id, filled.pool_keys[2].key_id, filled.file.file_id
    revoked = filled.pool_keys[1].key_id
    expected = {
        change(SESSIONS, session): [change(DETECTIONS, session), f"{LINKS}default/change/"],
        change(DETECTIONS, session): [change(SESSIONS, session), f"{LINKS}default/change/"],
        change(POOL, key): [change(FILES, file), change(SESSIONS, session)],
        change(POOL, revoked): [f"{ROTATIONS}rot-{revoked}/change/"],
        f"{ROTATIONS}rot-{revoked}/change/": [change(POOL, revoked)],
        change(FILES, file): [change(POOL, key), change(SESSIONS, session)],
        f"{LINKS}metro/change/": [change(SESSIONS, filled.compromised.session_id)],
    }
    for address, targets in expected.items():
        html = console.get(address, {"tab": "related"}).content.decode()
        assert [target for target in targets if f'href="{target}"' not in html] == [], address


@requirement("F1")
def test_a_verdict_and_a_case_lead_to_their_link(console: Client, filled: Demo) -> None:
    tapped = filled.compromised.session_id
    for page in (change(DETECTIONS, tapped), change(CASES, f"case-{tapped}")):
        assert f'<a href="{change(LINKS, "metro")}">' in console.get(page).content.decode()


@requirement("F1")
def test_a_record_is_called_by_its_name_where_it_has_one(console: Client, filled: Demo) -> None:
    named = {
        change(CLIENTS, filled.key_id): "archive exporter",
        change(JOBS, filled.job.job_id): "generate sessions",
    }
    for page, name in named.items():
        assert f'<bdi class="name">{name}</bdi></h1>' in console.get(page).content.decode()


@requirement("F1", "F7")
def test_a_record_shows_its_part_of_the_trail(console: Client, filled: Demo) -> None:
    session, key = filled.ready.session_id, filled.pool_keys[2].key_id
    for address, event in (
        (change(SESSIONS, session), "session: generated"),
        (change(DETECTIONS, session), "session: ready"),
        (change(POOL, key), "pool key: created"),
        (change(FILES, filled.file.file_id), "file: encrypted"),
    ):
        page = console.get(address, {"tab": "audit"})
        assert event in page.content.decode(), address


@requirement("F1")
def test_an_entry_leads_to_its_neighbours(console: Client, filled: Demo) -> None:
    entry = audit.entries_page(limit=30).records[20]
    address = f"{AUDIT}{entry.chain}-{entry.sequence}/change/"
    html = console.get(address, {"tab": "related"}).content.decode()
    assert f"{AUDIT}{entry.chain}-{entry.sequence - 1}/change/" in html or entry.sequence == 1
    assert "Next" in html


@requirement("F1")
def test_ids_are_whole_and_can_be_copied(console: Client, filled: Demo) -> None:
    session = filled.ready.session_id
    assert f">{session}</code>" in console.get(SESSIONS).content.decode()
    assert f'data-copy="{session}"' in console.get(change(SESSIONS, session)).content.decode()


@requirement("F1")
def test_names_cannot_turn_the_text_around_them(console: Client, filled: Demo) -> None:
    turned = replace(filled.file, name="annual\u202efdp.exe")
    save(FileTable.of(turned))
    for address in (FILES, change(FILES, filled.file.file_id)):
        html = console.get(address).content.decode()
        assert "\u202e" not in html, address
        assert "<bdi" in html, address
        assert "annual\\u202efdp.exe" in html, address


@requirement("F1")
@pytest.mark.parametrize("pk", ["nope", "000-0", "x" * 400, "a_2Fb", "%00"])
def test_an_unknown_id_leads_back_to_the_list(console: Client, pk: str) -> None:
    for url in LISTS.values():
        page = console.get(f"{url}{pk}/change/")
        assert page.status_code == 302
        assert page["Location"] == url
        assert "There is no" in messages_of(page)[-1]


@requirement("F1")
def test_a_pending_session_is_looked_at_again_until_it_is_judged(console: Client, filled: Demo) -> None:
    pending = console.get(change(SESSIONS, filled.pending.session_id)).content
    assert b'data-seconds="3"' in pending
    assert b'http-equiv="refresh"' not in pending
    judged = Elements(console.get(change(SESSIONS, filled.ready.session_id)).content.decode())
    (live,) = [attributes for _, attributes, _ in judged.found if attributes.get("id") == "live"]
    assert "data-seconds" not in live


@requirement("F1")
def test_names_of_files_are_text(console: Client, filled: Demo) -> None:
    html = console.get(FILES).content.decode()
    assert "<script>alert(1)</script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


@requirement("F1")
def test_only_named_fields_of_an_envelope_are_shown(console: Client, filled: Demo) -> None:
    odd = dict(filled.file.envelope) | {"private": "secret words"}
    save(FileTable.of(replace(filled.file, envelope=odd)))
    assert b"secret words" not in console.get(change(FILES, filled.file.file_id)).content


@requirement("F1")
def test_the_database_is_never_asked_for_a_record(console: Client, filled: Demo) -> None:
    kind = ContentType.objects.get_for_model(PoolKey)
    assert console.get(f"/admin/r/{kind.pk}/{filled.pool_keys[0].key_id}/").status_code == 404
    attempts: list[Any] = [PoolKey.objects.all, PoolKey().save, PoolKey().delete]
    for attempt in attempts:
        with pytest.raises(NotInTheDatabase, match="services"):
            attempt()
    assert issubclass(PoolKey, DisplayModel)


@requirement("F1", "D4")
def test_a_link_says_where_its_charts_stand_and_since_when(
    console: Client, filled: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = change(LINKS, "metro")
    html = console.get(url, {"tab": "related"}).content.decode()
    assert html.count(">cannot tell</span>") == 4
    assert "Cannot tell: 0 ready sessions have these counts" in html
    since = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
    shifted = replace(
        drift.of_link("metro")[0], standing=drift.Standing.SHIFTED, says="More errors, over 12 sessions in a row.",
        total=14.2, run=12, since=since,
    )  # fmt: skip
    monkeypatch.setattr(drift, "of_link", lambda _link: (shifted,))
    html = console.get(url, {"tab": "related"}).content.decode()
    assert ">shifted</span>" in html
    assert "More errors, over 12 sessions in a row." in html
    assert "2026-11-20 06:00:00" in html
    assert "14.2 of 11.1" in html


@requirement("F1", "F6")
def test_where_charts_stand_is_for_the_links_owner_and_who_sees_everything(filled: Demo, db: None) -> None:
    user = User.objects.create_user("own", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=("view_link", "view_session")))
    client = Client()
    client.force_login(user)
    url = change(LINKS, "metro")
    assert "Lasting shifts" not in client.get(url, {"tab": "related"}).content.decode()


@requirement("F1")
def test_what_a_job_made_reads_as_words(console: Client, filled: Demo) -> None:
    html = console.get(change(JOBS, filled.job.job_id)).content.decode()
    assert "{&quot;" not in html
    assert "session_ids" not in html
