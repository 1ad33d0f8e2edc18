"""Actions: asked for, confirmed, done by the service, and recorded in the audit trail."""

import hashlib
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from django.core.cache import cache
from django.test import Client

from apps.access import api_keys as access
from apps.access.models import User
from apps.access.records import KeyStatus
from apps.access.roles import Role
from apps.access.trail import ApiKeyEvent
from apps.audit import services as audit
from apps.audit import tasks as audit_tasks
from apps.audit.records import Event, Outcome
from apps.audit.store import EntryTable
from apps.audit.trail import AuditEvent
from apps.common.errors import Unavailable
from apps.custody import retirement
from apps.jobs import services as jobs
from apps.keys import lifecycle
from apps.keys import services as keys
from apps.keys.records import KeyState
from apps.keys.trail import PoolKeyEvent
from apps.links import services as links
from apps.links.records import LinkState
from apps.sessions import services as sessions
from apps.sessions import tasks
from apps.sessions.records import SessionStatus
from apps.sessions.trail import SessionEvent
from qkd.vocabulary import MAX_KEY_LENGTH, MIN_KEY_LENGTH
from tests import requirement
from tests.conftest import TESTS
from tests.console.demo import ALICE
from tests.console.pages import AUDIT, CASES, CLIENTS, JOBS, POOL, SESSIONS, act, messages_of, send
from tests.queues import into
from tests.sessions.links import a_link

pytestmark = requirement("F2")
GENERATE = f"{SESSIONS}generate/"
ASKED = {
    "key_length": "128",
    "error_rate": "0.02",
    "eavesdropper": "none",
    "fraction": "",
    "link": "default",
    "count": "1",
}


def person(name: str) -> str:
    """Who a user of the console is in the trail."""
    return User.objects.get(username=name).principal_id


def latest(event: Event) -> Any:
    """The newest audit entry of a kind."""
    return next(entry for entry in audit.entries_page(limit=20).records if entry.event == event)


def test_a_session_is_generated_for_whoever_asks(console: Client) -> None:
    answer = send(console, GENERATE, **ASKED)
    (made,) = sessions.listed(actor=ALICE, limit=5).records
    assert (made.owner, made.link, made.final_key_length) == (person("admin"), "default", 128)
    assert answer["Location"] == f"{SESSIONS}{made.session_id}/change/"
    entry = latest(SessionEvent.GENERATED)
    assert (entry.actor, entry.source_ip, entry.session_id) == (person("admin"), "127.0.0.1", made.session_id)


def test_an_attacked_session_says_why_it_left_no_key(console: Client) -> None:
    answer = send(console, GENERATE, **(ASKED | {"eavesdropper": "intercept_resend", "fraction": "1"}))
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
    page = send(console, GENERATE, **(ASKED | {field: value}))
    assert page.status_code == 200
    assert field in page.context["form"].errors
    assert sessions.listed(actor=ALICE, limit=5).records == []


def test_a_wrong_share_of_the_eavesdropper_is_told(console: Client) -> None:
    page = send(console, GENERATE, **(ASKED | {"eavesdropper": "intercept_resend", "fraction": "3"}))
    assert page.context["form"].errors["fraction"] == ["Enter a number from 0 to 1, or leave it empty."]


@pytest.mark.parametrize("bits", [MIN_KEY_LENGTH - 1, MAX_KEY_LENGTH + 1])
def test_a_wrong_key_length_says_what_to_enter(console: Client, bits: int) -> None:
    page = send(console, GENERATE, **(ASKED | {"key_length": str(bits)}))
    assert page.context["form"].errors["key_length"] == ["Enter 64 to 1,048,576 bits."]


def test_what_takes_too_long_becomes_a_job(
    console: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.GENERATE_LIMIT_SECONDS = 0
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into([]))
    answer = send(console, GENERATE, **ASKED)
    (job,) = jobs.listed(actor=ALICE, limit=5).records
    assert job.job_id in answer["Location"]
    assert job.owner == person("admin")


def test_a_service_that_is_down_is_told_and_nothing_is_lost(
    console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise Unavailable("The audit trail is too busy; nothing was changed.")

    monkeypatch.setattr(sessions, "generate", down)
    page = send(console, GENERATE, **ASKED)
    assert page.status_code == 200
    assert "too busy" in str(page.context["form"].errors)


@pytest.mark.parametrize(
    ("action", "state", "event"),
    [
        ("rotate", KeyState.ROTATION_QUEUED, PoolKeyEvent.ROTATION_QUEUED),
        ("revoke", KeyState.REVOKED, PoolKeyEvent.REVOKED),
    ],
)
def test_pool_keys_are_taken_away_on_a_page_of_its_own(
    console: Client, action: str, state: KeyState, event: Event
) -> None:
    first, second, other = keys.create(3, actor=ALICE)
    chosen = [first.key_id, second.key_id]
    asked = {"action": action, "_selected_action": chosen, "index": "0"}
    led = console.post(f"{POOL}?state=active", asked)
    assert led.status_code == 302, "a list's form does nothing itself"
    page = console.get(led["Location"])
    html = page.content.decode()
    assert first.key_id in html
    assert "Files that need it" in html
    assert "Pool default keeps 1 of its 3 active keys" in html
    assert keys.find(first.key_id).state is KeyState.ACTIVE
    refused = act(console, POOL, action, chosen, reason="")  # no reason, no deed
    assert refused.status_code == 200
    assert keys.find(first.key_id).state is KeyState.ACTIVE
    back = f"{POOL}?state=active"
    done = act(console, POOL, action, chosen, follow_to=back, reason="laptop lost", below_low_water="on")
    assert (done.status_code, done["Location"]) == (302, back)
    assert [keys.find(key.key_id).state for key in (first, second, other)] == [state, state, KeyState.ACTIVE]
    entry = latest(event)
    assert (entry.actor, entry.detail["reason"]) == (person("admin"), "laptop lost")
    assert any(JOBS in message for message in messages_of(done)), "what comes of it is one click away"


def test_keys_that_a_pool_cannot_spare_are_all_kept_unless_that_is_confirmed(
    console: Client, settings: Any
) -> None:
    settings.POOL_TARGET, settings.POOL_LOW_WATER = 4, 2
    made = [key.key_id for key in keys.create(4, actor=ALICE)]
    page = act(console, POOL, "revoke", made, reason="tidying up")
    assert page.status_code == 200
    assert "would keep 0 active keys" in str(page.context["form"].errors)
    assert "Nothing could be encrypted" in page.content.decode()
    assert page.context["form"]["reason"].value() == "tidying up"
    assert {keys.find(key_id).state for key_id in made} == {KeyState.ACTIVE}


def test_what_the_state_forbids_is_told_and_the_rest_is_done(console: Client) -> None:
    revoked, active, _ = keys.create(3, actor=ALICE)
    retirement.revoke(revoked.key_id, reason="test", actor=ALICE)
    chosen = [revoked.key_id, active.key_id]
    told = messages_of(act(console, POOL, "rotate", chosen, reason="r", below_low_water="on"))
    assert any(revoked.key_id in message and "revoked" in message for message in told)
    assert "1 pool key queued for rotation." in told
    assert keys.find(active.key_id).state is KeyState.ROTATION_QUEUED


def test_an_id_in_a_message_is_told_as_it_is(console: Client) -> None:
    first, second, _ = keys.create(3, actor=ALICE)
    retirement.revoke(first.key_id, reason="test", actor=ALICE)
    answer = act(console, POOL, "rotate", [first.key_id, second.key_id], reason="r", below_low_water="on")
    told = console.get(answer["Location"]).content.decode()
    assert f">{first.key_id} is revoked and cannot be rotated" in told


def test_where_nothing_could_be_done_the_page_says_why_and_keeps_the_reason(console: Client) -> None:
    revoked = keys.create(2, actor=ALICE)[0]
    retirement.revoke(revoked.key_id, reason="test", actor=ALICE)
    page = act(console, POOL, "rotate", [revoked.key_id], reason="too old")
    assert page.status_code == 200
    assert "cannot be rotated" in str(page.context["form"].errors)
    assert page.context["form"]["reason"].value() == "too old"


def test_the_page_of_an_action_says_what_it_is_not_possible_for(console: Client) -> None:
    revoked, active, _ = keys.create(3, actor=ALICE)
    retirement.revoke(revoked.key_id, reason="test", actor=ALICE)
    again = console.get(f"{POOL}do/revoke/", {"id": revoked.key_id})  # as Back leads to it
    assert "Not possible as it stands now" in again.content.decode()
    assert 'value="Revoke permanently"' not in again.content.decode()
    assert not again.context["left"]
    both = console.get(f"{POOL}do/revoke/", {"id": [revoked.key_id, active.key_id]})
    assert [one["is_possible"] for one in both.context["records"]] == [False, True]
    assert 'value="Revoke permanently"' in both.content.decode()


def test_a_form_that_is_sent_twice_is_carried_out_once(console: Client) -> None:
    first, second, _ = keys.create(3, actor=ALICE)
    page = console.get(f"{POOL}do/rotate/", {"id": [first.key_id]})
    given = {"once": page.context["once"], "reason": "r", "below_low_water": "on"}
    act(console, POOL, "rotate", [first.key_id], **given)
    again = act(console, POOL, "rotate", [second.key_id], **given)
    assert "carried out once" in messages_of(again)[-1]
    assert keys.find(second.key_id).state is KeyState.ACTIVE
    generated = console.get(GENERATE).context["once"]
    for _ in range(2):
        console.post(GENERATE, ASKED | {"once": generated})
    assert len(sessions.listed(actor=ALICE, limit=5).records) == 1


@pytest.mark.parametrize("page", ["an action", "a form"])
def test_a_form_whose_first_sending_was_interrupted_is_not_told_to_be_done(
    console: Client, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(sessions, "generate", killed)
    monkeypatch.setattr(lifecycle, "suspend", killed)
    (key,) = keys.create(1, actor=ALICE)
    address, given = {
        "an action": (f"{POOL}do/suspend/", {"id": key.key_id, "reason": "r", "below_low_water": "on"}),
        "a form": (GENERATE, ASKED),
    }[page]
    token = console.get(address, {"id": key.key_id}).context["once"]
    with pytest.raises(SystemExit):
        console.post(address, given | {"once": token})
    again = console.post(address, given | {"once": token})
    assert again.status_code == 302
    assert "was interrupted: see here how it stands" in messages_of(again)[-1]
    assert "carried out once" not in messages_of(again)[-1]


def test_a_form_that_was_refused_is_told_so_when_it_is_sent_again(console: Client) -> None:
    revoked, _ = keys.create(2, actor=ALICE)
    retirement.revoke(revoked.key_id, reason="test", actor=ALICE)
    address, given = f"{POOL}do/rotate/", {"id": revoked.key_id, "reason": "r", "below_low_water": "on"}
    token = console.get(address, {"id": revoked.key_id}).context["once"]
    for _ in range(2):
        answer = console.post(address, given | {"once": token})
    assert "was refused: nothing was changed" in messages_of(answer)[-1]


@pytest.mark.parametrize("why", ["no token", "a database that is busy"])
def test_a_form_that_cannot_be_noted_is_shown_again_and_not_told_to_be_done(
    console: Client, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    (key,) = keys.create(1, actor=ALICE)
    address, given = f"{POOL}do/suspend/", {"id": key.key_id, "reason": "lost", "below_low_water": "on"}
    if why != "no token":
        given["once"] = console.get(address, {"id": key.key_id}).context["once"]
        monkeypatch.setattr(cache, "add", lambda *_, **__: False)  # as its answer is then
    for url, sent in ((address, given), (GENERATE, ASKED | {"once": given.get("once", "")})):
        shown = console.post(url, sent)
        assert shown.context["form"].non_field_errors() == [
            "Nothing was done yet. Check what you entered, then confirm."
        ]
    assert keys.find(key.key_id).state is KeyState.ACTIVE
    assert sessions.listed(actor=ALICE, limit=5).records == []


def test_cancelling_says_that_nothing_was_changed(console: Client) -> None:
    (key,) = keys.create(1, actor=ALICE)
    back = f"{POOL}?state=active"
    answer = act(console, POOL, "revoke", [key.key_id], follow_to=back, cancel="yes", reason="because")
    assert (answer["Location"], messages_of(answer)) == (back, ["Nothing was changed."])
    assert keys.find(key.key_id).state is KeyState.ACTIVE


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_an_action_leads_back_within_the_console_only(console: Client, elsewhere: str) -> None:
    (key,) = keys.create(1, actor=ALICE)
    answer = act(console, POOL, "revoke", [key.key_id], follow_to=elsewhere, cancel="yes")
    assert answer["Location"] == POOL


def test_a_stale_token_keeps_the_reason_and_does_nothing(aws: None, admin_user: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin_user)
    key = keys.create(2, actor=ALICE)[0]
    typed = {"id": [key.key_id], "once": "x", "reason": "the laptop was stolen", "below_low_water": "on"}
    address = f"{POOL}do/revoke/"
    page = browser.post(address, typed, headers={"Origin": "http://testserver"})
    assert page.status_code == 200
    assert page.context["form"]["reason"].value() == "the laptop was stolen"
    assert "out of date" in page.content.decode()
    foreign = browser.post(address, typed, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert "the laptop was stolen" not in foreign.content.decode()
    assert keys.find(key.key_id).state is KeyState.ACTIVE


def test_a_sign_in_that_ran_out_keeps_the_reason_and_does_nothing(console: Client) -> None:
    key = keys.create(2, actor=ALICE)[0]
    page = console.get(f"{POOL}do/revoke/", {"id": [key.key_id]})
    once, user = page.context["once"], User.objects.get(username="admin")
    console.logout()
    address = f"{POOL}do/revoke/"
    sent = console.post(address, {"id": [key.key_id], "once": once, "reason": "the laptop was stolen"})
    assert sent["Location"].startswith("/admin/login/")
    assert keys.find(key.key_id).state is KeyState.ACTIVE
    kept = console.cookies["qkd_kept"]
    assert (kept["httponly"], kept["samesite"]) == (True, "Strict")
    console.force_login(user)
    again = console.get(address, {"id": [key.key_id]})
    assert again.context["form"]["reason"].value() == "the laptop was stolen"
    assert "signed out before this was done" in again.content.decode()
    assert "reason" not in str(console.get(address, {"id": [key.key_id]}).context["form"].initial)


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [("a, b; " * 333, True), ("\U0001f511" * 2000, True), (hashlib.shake_256(b"").hexdigest(4000), False)],
    ids=["commas", "emoji", "noise"],
)
def test_a_long_text_survives_a_sign_in_that_ran_out_or_is_told_to_be_lost(
    console: Client, text: str, is_kept: bool
) -> None:
    user, page = User.objects.get(username="admin"), {"id": "case-1"}
    address = f"{CASES}do/note/"
    console.logout()
    console.post(address, page | {"text": text})
    assert len(console.cookies["qkd_kept"].OutputString()) < 4096
    console.force_login(user)
    again = console.get(address, page)
    assert again.context["form"]["text"].value() == (text if is_kept else None)
    assert ("Too long to be kept, enter it again: Text" in again.content.decode()) is not is_kept
    assert "signed out before" not in console.get(address, page).content.decode()


def test_a_batch_is_a_job_and_cancelling_it_says_what_is_kept(
    console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into([]))
    answer = send(console, GENERATE, **(ASKED | {"count": "5"}))
    (job,) = jobs.listed(actor=ALICE, limit=5).records
    assert (job.total, job.job_id in answer["Location"]) == (5, True)
    told = messages_of(act(console, JOBS, "cancel", [job.job_id]))
    assert any("is cancelled; 0 of 5 steps were done and are kept" in message for message in told)
    again = act(console, JOBS, "cancel", [job.job_id])
    assert "cannot be cancelled" in str(again.context["form"].errors)


def test_what_a_session_is_expected_to_do_is_told_beforehand(console: Client) -> None:
    found = console.get(f"{SESSIONS}outlook/", ASKED).json()
    assert found["feasible"]
    assert "QBER 2.00 %" in found["text"]
    tapped = console.get(
        f"{SESSIONS}outlook/", ASKED | {"eavesdropper": "intercept_resend", "fraction": "1"}
    ).json()
    assert "no quantum key (it is a study)" in tapped["text"]
    assert not console.get(f"{SESSIONS}outlook/", ASKED | {"key_length": "7"}).json()["feasible"]


def test_a_revoked_session_gives_no_more_keys(console: Client, stock: Any) -> None:
    page = console.get(f"{SESSIONS}do/revoke/", {"id": stock.session_id})
    assert "16 quantum keys leave the stock" in page.content.decode()
    act(console, SESSIONS, "revoke", [stock.session_id], reason="the fibre was open")
    assert sessions.find(stock.session_id, actor=ALICE).status is SessionStatus.REVOKED
    assert latest(SessionEvent.REVOKED).actor == person("admin")


def test_a_detail_offers_what_its_state_allows(console: Client) -> None:
    key, _ = keys.create(2, actor=ALICE)
    address = f"{POOL}{key.key_id}/change/"
    assert [button["name"] for button in console.get(address).context["buttons"]] == [
        "rotate",
        "suspend",
        "export",
        "revoke",
    ]
    retirement.revoke(key.key_id, reason="test", actor=ALICE)
    left = [button["name"] for button in console.get(address).context["buttons"]]
    assert left == ["reencrypt", "export", "destroy"]


def test_a_client_is_revoked_after_a_question(console: Client) -> None:
    client, key = access.issue_for_service("exporter", role=Role.CLIENT, actor=TESTS)
    page = console.get(f"{CLIENTS}do/revoke/", {"id": client.key_id})
    assert b"Refused within 30 seconds" in page.content
    assert access.find(client.key_id).status is KeyStatus.ACTIVE
    act(console, CLIENTS, "revoke", [client.key_id], reason="leaked")
    assert access.find(client.key_id).status is KeyStatus.REVOKED
    assert latest(ApiKeyEvent.REVOKED).actor == person("admin")
    again = act(console, CLIENTS, "revoke", [client.key_id], reason="leaked")
    assert "revoked already" in str(again.context["form"].errors)
    assert key.encode() not in console.get(CLIENTS).content


@pytest.mark.parametrize("across", ["1", "true"])
def test_select_across_is_refused(console: Client, across: str) -> None:
    (key,) = keys.create(1, actor=ALICE)
    asked = {"action": "revoke", "_selected_action": [key.key_id], "select_across": across, "index": "0"}
    assert console.post(POOL, asked).status_code == 400
    assert keys.find(key.key_id).state is KeyState.ACTIVE


def test_too_many_or_no_records_are_refused(console: Client) -> None:
    many = {"action": "revoke", "_selected_action": [f"pk-{number}" for number in range(101)], "index": "0"}
    sent_back = console.post(f"{POOL}?state=active", many)
    assert sent_back["Location"] == f"{POOL}?state=active"
    assert messages_of(sent_back) == [
        "101 rows are selected, and an action takes 100 at most. Nothing was done."
    ]
    by_hand = console.get(f"{POOL}do/revoke/", {"id": many["_selected_action"]})
    assert by_hand.status_code == 400
    assert b"100 records at most" in by_hand.content
    assert (
        "Select at least one row." in messages_of(console.post(POOL, {"action": "revoke", "index": "0"}))[-1]
    )
    gone = console.get(f"{POOL}do/revoke/", {"id": "pk-gone"})
    assert b"None of the selected records exists any more" in gone.content


@requirement("D3")
@pytest.mark.parametrize("tampered", [False, True])
def test_the_trail_is_verified_by_a_job_whose_page_shows_the_result(
    console: Client, monkeypatch: pytest.MonkeyPatch, tampered: bool
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(audit_tasks.verify, "apply_async", into(sent))
    keys.create(3, actor=ALICE)
    if tampered:
        edited = audit.entries_page(limit=3).records[1]
        EntryTable.get(edited.chain, edited.sequence).update([EntryTable.actor.set("user:mallory")])
    assert b"Verify now" in console.get(f"{AUDIT}verify/").content
    answer = send(console, f"{AUDIT}verify/", depth="entries")
    (job,) = jobs.listed(actor=ALICE, limit=5).records
    assert answer["Location"] == f"{JOBS}{job.job_id}/change/"
    audit_tasks.verify(job.job_id)
    html = console.get(answer["Location"]).content.decode()
    assert ("its content was changed" in html) is tampered
    assert latest(AuditEvent.VERIFIED).outcome is (Outcome.FAILED if tampered else Outcome.OK)


def test_an_outage_is_a_page_with_a_reason(console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="http://secret-host.internal")

    monkeypatch.setattr(keys, "keys_page", unreachable)
    page = console.get(POOL)
    assert page.status_code == 503
    assert b"Not available right now" in page.content
    assert b"secret-host" not in page.content


def test_a_link_is_paused_and_resumed_with_its_history(console: Client) -> None:
    a_link("harbour")
    links_list = "/admin/links/link/"
    act(console, links_list, "pause", ["harbour"], reason="the fibre is moved")
    assert links.find("harbour").state is LinkState.PAUSED
    page = console.get(f"{links_list}harbour/change/", {"tab": "related"}).content.decode()
    assert "the fibre is moved" in page
    act(console, links_list, "resume", ["harbour"], reason="moved")
    assert links.find("harbour").state is LinkState.ACTIVE


@requirement("E3", "I2")
def test_a_key_is_issued_and_rotated_and_its_secret_is_in_one_answer_only(
    console: Client, admitted_admin: None
) -> None:
    page = send(console, f"{CLIENTS}issue/", name="archive exporter", principal="", role="client")
    secret = page.context["secret"]
    key_id = secret.partition(".")[0]
    assert secret in page.content.decode()
    assert access.authenticate(secret, source_ip="127.0.0.1").key_id == key_id
    assert secret not in str(console.cookies)
    address = f"{CLIENTS}{key_id}/change/"
    assert secret.partition(".")[2] not in console.get(address).content.decode()
    rotated = send(console, f"{CLIENTS}{key_id}/rotate/", hours="24").context["secret"]
    assert rotated != secret
    for valid in (secret, rotated):
        assert access.authenticate(valid, source_ip="127.0.0.1")
    assert latest(ApiKeyEvent.ISSUED).actor == person("admin")


def test_issuing_needs_its_right_and_no_key_is_rotated_that_is_not_there(
    console: Client, filled: Any
) -> None:
    assert console.get(f"{CLIENTS}nope/rotate/").status_code == 404
    console.logout()
    assert console.get(f"{CLIENTS}issue/").status_code == 302
