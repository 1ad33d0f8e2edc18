"""Actions: asked for, confirmed, done by the service, and recorded in the audit trail."""

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from django.contrib.admin.models import LogEntry
from django.test import Client

from apps.access import api_keys as access
from apps.access.models import User
from apps.access.records import KeyStatus
from apps.access.roles import Role
from apps.access.trail import ApiKeyEvent
from apps.audit import services as audit
from apps.audit.records import Event, Outcome
from apps.audit.store import EntryTable
from apps.audit.trail import AuditEvent
from apps.common.errors import Unavailable
from apps.custody import retirement
from apps.jobs import services as jobs
from apps.keys import services as keys
from apps.keys.records import KeyState
from apps.keys.trail import PoolKeyEvent
from apps.sessions import services as sessions
from apps.sessions import tasks
from apps.sessions.records import SessionStatus
from apps.sessions.trail import SessionEvent
from qkd.records import MAX_KEY_LENGTH, MIN_KEY_LENGTH
from tests import requirement
from tests.conftest import TESTS
from tests.console.demo import ALICE
from tests.console.pages import AUDIT, CLIENTS, POOL, SESSIONS, messages_of

pytestmark = requirement("F2")
GENERATE = f"{SESSIONS}generate/"
ASKED = {"key_length": "128", "error_rate": "0.02", "eavesdropper": "none", "fraction": "", "link": "default"}


def person(name: str) -> str:
    """Who a user of the console is in the trail."""
    return User.objects.get(username=name).principal_id


def latest(event: Event) -> Any:
    """The newest audit entry of a kind."""
    return next(entry for entry in audit.entries_page(limit=20).records if entry.event == event)


def test_a_session_is_generated_for_whoever_asks(console: Client) -> None:
    answer = console.post(GENERATE, ASKED)
    (made,) = sessions.listed(actor=ALICE, limit=5).records
    assert (made.owner, made.link, made.final_key_length) == (person("admin"), "default", 128)
    assert answer["Location"] == f"{SESSIONS}{made.session_id}/change/"
    entry = latest(SessionEvent.GENERATED)
    assert (entry.actor, entry.source_ip, entry.session_id) == (person("admin"), "127.0.0.1", made.session_id)


def test_an_attacked_session_says_why_it_left_no_key(console: Client) -> None:
    answer = console.post(GENERATE, ASKED | {"eavesdropper": "intercept_resend", "fraction": "1"})
    assert "produced no key" in messages_of(answer)[0]
    (made,) = sessions.listed(actor=ALICE, limit=5).records
    assert made.status is SessionStatus.PENDING
    assert made.parameters["eavesdropper"] == {"kind": "intercept_resend", "fraction": 1.0}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key_length", "12"),
        ("key_length", "many"),
        ("key_length", ""),
        ("error_rate", "0.7"),
        ("error_rate", "nan"),
        ("eavesdropper", "clone"),
        ("link", "no spaces please"),
    ],
)
def test_a_wrong_value_is_told_beside_its_field(console: Client, field: str, value: str) -> None:
    page = console.post(GENERATE, ASKED | {field: value})
    assert page.status_code == 200
    assert field in page.context["form"].errors
    assert sessions.listed(actor=ALICE, limit=5).records == []


def test_a_wrong_share_of_the_eavesdropper_is_told(console: Client) -> None:
    page = console.post(GENERATE, ASKED | {"eavesdropper": "intercept_resend", "fraction": "3"})
    assert page.context["form"].errors["fraction"] == ["Enter a number from 0 to 1, or leave it empty."]


@pytest.mark.parametrize("bits", [MIN_KEY_LENGTH - 1, MAX_KEY_LENGTH + 1])
def test_a_wrong_key_length_says_what_to_enter(console: Client, bits: int) -> None:
    page = console.post(GENERATE, ASKED | {"key_length": str(bits)})
    assert page.context["form"].errors["key_length"] == ["Enter 64 to 1,048,576 bits."]


def test_what_takes_too_long_becomes_a_job(
    console: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.GENERATE_LIMIT_SECONDS = 0
    monkeypatch.setattr(tasks.generate_batch, "delay", lambda _job_id: None)
    answer = console.post(GENERATE, ASKED)
    (job,) = jobs.listed(actor=ALICE, limit=5).records
    assert job.job_id in answer["Location"]
    assert job.owner == person("admin")


def test_a_service_that_is_down_is_told_and_nothing_is_lost(
    console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise Unavailable("The audit trail is too busy; nothing was changed.")

    monkeypatch.setattr(sessions, "generate", down)
    page = console.post(GENERATE, ASKED)
    assert page.status_code == 200
    assert "too busy" in str(page.context["form"].errors)


@pytest.mark.parametrize(
    ("action", "state", "event"),
    [
        ("rotate", KeyState.ROTATION_QUEUED, PoolKeyEvent.ROTATION_QUEUED),
        ("revoke", KeyState.REVOKED, PoolKeyEvent.REVOKED),
    ],
)
def test_pool_keys_are_moved_after_a_question(
    console: Client, action: str, state: KeyState, event: Event
) -> None:
    first, second, other = keys.create(3, actor=ALICE)
    asked = {"action": action, "_selected_action": [first.key_id, second.key_id]}
    question = console.post(POOL, asked | {"index": "0"})
    assert question.status_code == 200
    assert first.key_id in question.content.decode()
    assert keys.find(first.key_id).state is KeyState.ACTIVE
    again = console.post(POOL, asked | {"confirmed": "yes", "reason": ""})  # no reason, no deed
    assert again.status_code == 200
    assert keys.find(first.key_id).state is KeyState.ACTIVE
    done = console.post(POOL, asked | {"confirmed": "yes", "reason": "laptop lost"})
    assert done.status_code == 302
    assert [keys.find(key.key_id).state for key in (first, second, other)] == [state, state, KeyState.ACTIVE]
    entry = latest(event)
    assert (entry.actor, entry.detail["reason"]) == (person("admin"), "laptop lost")
    assert LogEntry.objects.count() == 2


def test_what_the_state_forbids_is_told_and_the_rest_is_done(console: Client) -> None:
    revoked, active, _ = keys.create(3, actor=ALICE)
    retirement.revoke(revoked.key_id, reason="test", actor=ALICE)
    asked = {
        "action": "rotate",
        "_selected_action": [revoked.key_id, active.key_id],
        "confirmed": "yes",
        "reason": "r",
    }
    told = messages_of(console.post(POOL, asked))
    assert any(revoked.key_id in message and "revoked" in message for message in told)
    assert "1 pool key queued for rotation." in told
    assert keys.find(active.key_id).state is KeyState.ROTATION_QUEUED


def test_a_detail_offers_what_its_state_allows(console: Client) -> None:
    key, _ = keys.create(2, actor=ALICE)
    address = f"{POOL}{key.key_id}/change/"
    assert [button["name"] for button in console.get(address).context["buttons"]] == ["rotate", "revoke"]
    retirement.revoke(key.key_id, reason="test", actor=ALICE)
    assert console.get(address).context["buttons"] == []


def test_a_client_is_revoked_after_a_question(console: Client) -> None:
    client, key = access.issue_for_service("exporter", role=Role.CLIENT, actor=TESTS)
    asked = {"action": "revoke", "_selected_action": [client.key_id]}
    assert b"Refused within 30 seconds" in console.post(CLIENTS, asked | {"index": "0"}).content
    assert access.find(client.key_id).status is KeyStatus.ACTIVE
    console.post(CLIENTS, asked | {"confirmed": "yes", "reason": "leaked"})
    assert access.find(client.key_id).status is KeyStatus.REVOKED
    assert latest(ApiKeyEvent.REVOKED).actor == person("admin")
    assert (
        "revoked already"
        in messages_of(console.post(CLIENTS, asked | {"confirmed": "yes", "reason": "leaked"}))[-1]
    )
    assert key.encode() not in console.get(CLIENTS).content


@pytest.mark.parametrize("across", ["1", "true"])
def test_select_across_is_refused(console: Client, across: str) -> None:
    (key,) = keys.create(1, actor=ALICE)
    asked = {"action": "revoke", "_selected_action": [key.key_id], "select_across": across, "index": "0"}
    assert console.post(POOL, asked).status_code == 400
    assert keys.find(key.key_id).state is KeyState.ACTIVE


def test_too_many_or_no_records_are_refused(console: Client) -> None:
    many = {"action": "revoke", "_selected_action": [f"pk-{number}" for number in range(101)], "index": "0"}
    assert console.post(POOL, many).status_code == 400
    assert (
        "Select at least one row." in messages_of(console.post(POOL, {"action": "revoke", "index": "0"}))[0]
    )
    gone = console.post(POOL, {"action": "revoke", "_selected_action": ["pk-gone"], "index": "0"})
    assert b"None of the selected records exists any more" in gone.content


@requirement("D3")
def test_the_trail_is_verified_and_that_is_recorded(console: Client) -> None:
    keys.create(3, actor=ALICE)
    assert b"Verify now" in console.get(f"{AUDIT}verify/").content
    page = console.post(f"{AUDIT}verify/")
    assert page.context["found"].problems == []
    assert page.context["found"].entries == 4, "and that of the pool"
    entry = latest(AuditEvent.VERIFIED)
    assert (entry.actor, entry.outcome, entry.detail["entries"]) == (person("admin"), Outcome.OK, 4)


@requirement("D3")
def test_an_entry_edited_behind_the_platforms_back_is_named(console: Client) -> None:
    keys.create(3, actor=ALICE)
    edited = audit.entries_page(limit=3).records[1]
    EntryTable.get(edited.chain, edited.sequence).update([EntryTable.actor.set("user:mallory")])
    page = console.post(f"{AUDIT}verify/")
    assert f"chain {edited.chain}, entry {edited.sequence}: its content was changed" in page.content.decode()
    assert latest(AuditEvent.VERIFIED).outcome is Outcome.FAILED


def test_an_outage_is_a_page_with_a_reason(console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="http://secret-host.internal")

    monkeypatch.setattr(keys, "keys_page", unreachable)
    page = console.get(POOL)
    assert page.status_code == 503
    assert b"Not available right now" in page.content
    assert b"secret-host" not in page.content
