"""Signing in to the console: limits, second factors, idle time-out, confirmation (F6)."""

import re
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.urls import set_script_prefix
from django.utils import timezone

from apps.access import people, principals, refusals, sealed_secrets
from apps.access.roles import Role
from apps.access.users import User
from apps.audit.services import entries_page
from apps.audit.store import EntryTable
from tests import requirement
from tests.conftest import TESTS
from tests.console.pages import LISTS, OTHERS
from tests.console.test_pages import assert_strict

pytestmark = [pytest.mark.django_db, requirement("F6")]
PASSWORD = "correct horse battery staple"
SIGN_IN = "/accounts/login/"
USERS = "/admin/access/user/"


def told(*events: str) -> list[dict[str, Any]]:
    """The details of entries, oldest first."""
    entries = reversed(entries_page(limit=100).records)
    return [
        {name: told for name, told in e.detail.items() if name != "request_id"}
        for e in entries
        if e.event in events
    ]


@pytest.fixture
def root(aws):
    user = User.objects.create_superuser("Root", password=PASSWORD)
    people.decide(user, role=Role.ADMINISTRATOR, approver=True, actor=TESTS)
    return user


@pytest.fixture
def person(aws):
    user = User.objects.create_user("Ada", password=PASSWORD, is_staff=True)
    people.decide(user, role=Role.OPERATOR, approver=False, actor=TESTS)
    return user


@pytest.fixture
def strict(settings):
    """As a deployed stage: operators need a factor, and confirm what destroys."""
    settings.SECOND_FACTOR_ROLES = ["operator", "administrator"]
    settings.CONFIRM_SECONDS = settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300


def sign_in(name: str = "ada", password: str = PASSWORD, address: str = "192.0.2.1", **more: str) -> Any:
    browser = Client(REMOTE_ADDR=address)
    answer: Any = browser.post(SIGN_IN, {"login": name, "password": password, **more})
    answer.browser = browser
    return answer


def code_of(secret: str, step: int = 0) -> str:
    return str(format_hotp_value(hotp_value(secret, int(totp.time.time()) // 30 + step)))


@pytest.fixture(autouse=True)
def _one_window(monkeypatch):
    """A code is good for the half minute that it is made in: here that does not end within a test."""
    moment = time.time()
    monkeypatch.setattr(totp, "time", SimpleNamespace(time=lambda: moment))


def add_app(browser: Client) -> tuple[str, list[str]]:
    """Add an authenticator app; returns its key and the recovery codes."""
    page = browser.get("/accounts/2fa/totp/activate/").content.decode()
    secret = re.findall(r"<code>([A-Z2-7]{32})</code>", page)[0]
    codes = browser.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)}, follow=True)
    assert codes.status_code == 200, codes.content.decode()
    found = re.findall(r"<code>(\d{8})</code>", codes.content.decode())
    cache.clear()  # the code that was just used may be used again: the tests do not wait for the next one
    return secret, found


def test_the_console_leads_to_sign_in_and_back_in_one_step(person):
    browser = Client()
    answer = browser.get("/admin/qkd_sessions/session/", follow=True)
    assert answer.redirect_chain[-1][0].startswith(SIGN_IN)
    form = {"login": "ADA", "password": PASSWORD, "next": "/admin/qkd_sessions/session/"}
    answer = browser.post(SIGN_IN, form)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/qkd_sessions/session/")
    assert browser.get("/admin/qkd_sessions/session/").status_code == 200


def test_nobody_is_led_to_another_site(person):
    assert sign_in(next="https://evil.example/")["Location"] == "/admin/"


@requirement("D6")
def test_a_user_is_held_off_after_five_wrong_passwords_from_anywhere(person):
    for number, name in enumerate(("ada", "ADA", "Ada", "aDa", "adA")):
        assert sign_in(name, "wrong", f"192.0.2.{number}").status_code == 200
    held = sign_in(address="192.0.2.9")
    assert held.status_code == 200
    assert "Too many attempts" in held.content.decode()
    assert told("sign_in.locked") == [{"source": "192.0.2.9", "count": 1, "user": person.principal_id}]
    cache.clear()
    assert sign_in(address="192.0.2.9").status_code == 302


@requirement("D6")
def test_a_source_is_held_off_whatever_the_names(person):
    answers = [sign_in(f"nobody{number}", "wrong") for number in range(20)]
    assert all("no such user name" in answer.content.decode() for answer in answers)
    assert "Too many attempts" in sign_in().content.decode()
    assert sign_in(address="198.51.100.1").status_code == 302, "others come in"


def test_limits_are_counted_in_the_cache_that_processes_share(person):
    sign_in(password="wrong")
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM shared_cache WHERE cache_key LIKE '%login_failed%'")
        assert cursor.fetchone()[0] == 2, "one by source, one by user"


@requirement("D6")
def test_a_flood_of_names_does_not_push_out_the_counts_of_wrong_passwords(person):
    for _ in range(5):
        sign_in(password="wrong")
    later = timezone.now() + timedelta(hours=1)
    with connection.cursor() as cursor:
        flood = [(f"{place}:{number}", "", later) for place in ("!", "~") for number in range(20_000)]
        cursor.executemany("INSERT INTO shared_cache (cache_key, value, expires) VALUES (%s, %s, %s)", flood)
    cache.set("another", 1)
    assert "Too many attempts" in sign_in(address="192.0.2.9").content.decode()


def test_a_sign_in_forgets_sessions_that_expired(person):
    expired = SessionStore()
    expired.set_expiry(-1)
    expired.save()
    other = sign_in().browser.session.session_key
    sign_in()
    kept = set(Session.objects.values_list("session_key", flat=True))
    assert other in kept
    assert expired.session_key not in kept


@requirement("D2")
def test_nobody_comes_in_whose_sign_in_cannot_be_recorded(person):
    EntryTable.delete_table()
    answer = sign_in()
    assert answer.status_code >= 500
    assert answer.browser.get("/admin/").status_code == 302, "still outside"


def test_a_failure_has_its_page_below_the_name_of_a_stage_too(person, settings):
    EntryTable.delete_table()
    settings.FORCE_SCRIPT_NAME = "/prod"
    set_script_prefix("/prod/")  # as the WSGI handler does; conftest takes it back
    browser = Client(raise_request_exception=False)
    browser.cookies["qkd_session"] = "x" * 32
    answer = browser.post("/accounts/login/", {"login": "ada", "password": PASSWORD})
    assert answer.status_code == 503
    assert "<h1" in answer.content.decode()


def test_an_app_is_added_and_asked_for_and_its_secrets_are_sealed(person):
    browser = sign_in().browser
    browser.get("/accounts/2fa/totp/activate/")
    kept = [Session.objects.get(pk=browser.session.session_key).get_decoded()]
    secret, codes = add_app(browser)
    kept += [factor.data for factor in Authenticator.objects.filter(user=person)]
    assert len(codes) == 10
    assert secret not in str(kept)
    assert str(kept).count(sealed_secrets.PREFIX) == 3, "the pending key, the key, the seed of codes"
    assert not re.search(r"[A-Z2-7]{32}'", str(kept))

    answer = sign_in()
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert answer.browser.get("/admin/").status_code == 302, "a password is not enough"
    wrong = answer.browser.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert "not valid" in wrong.content.decode()
    code = code_of(secret)
    assert answer.browser.post("/accounts/2fa/authenticate/", {"code": code})["Location"] == "/admin/"
    again = sign_in().browser.post("/accounts/2fa/authenticate/", {"code": code})
    assert again.status_code == 200, "a code is good once"
    events = [str(e.event) for e in reversed(entries_page(limit=100).records)]
    for event in ("user.factor_added", "user.codes_made", "sign_in.factor_refused", "sign_in.factor_used"):
        assert event in events
    assert secret not in str(entries_page(limit=100).records)


def test_a_recovery_code_signs_in_once(person):
    _, codes = add_app(sign_in().browser)
    answer = sign_in().browser.post("/accounts/2fa/authenticate/", {"code": codes[3]})
    assert answer["Location"] == "/admin/"
    assert sign_in().browser.post("/accounts/2fa/authenticate/", {"code": codes[3]}).status_code == 200
    assert told("sign_in.factor_used") == [{"factor": "recovery_codes"}]


def test_codes_cannot_be_guessed(person):
    secret, _ = add_app(sign_in().browser)
    browser = sign_in().browser
    for number in range(5):
        browser.post("/accounts/2fa/authenticate/", {"code": f"{number:06}"})
    held = browser.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert "Too many attempts" in held.content.decode()
    assert told("sign_in.locked")[0]["user"] == person.principal_id


def test_secrets_open_under_the_key_before_and_no_other(settings):
    sealed = sealed_secrets.seal("JBSWY3DP")
    settings.METADATA_KEY, settings.METADATA_KEY_PREVIOUS = "another", [settings.METADATA_KEY]
    assert sealed_secrets.open_sealed(sealed) == "JBSWY3DP"
    settings.METADATA_KEY_PREVIOUS = []
    for text in (sealed, "JBSWY3DP", sealed_secrets.PREFIX, sealed_secrets.PREFIX + "%%%"):
        with pytest.raises(sealed_secrets.Unopenable):
            sealed_secrets.open_sealed(text)


@pytest.mark.usefixtures("strict")
def test_an_operator_without_a_factor_adds_one_first_and_a_viewer_goes_on(person):
    browser = sign_in().browser
    assert browser.get("/admin/keys/poolkey/")["Location"] == "/accounts/2fa/"
    assert browser.post("/admin/logout/").status_code == 200
    browser = sign_in().browser
    add_app(browser)
    assert browser.get("/admin/keys/poolkey/").status_code == 200
    people.decide(person, role=Role.VIEWER, approver=False, actor=TESTS)
    Authenticator.objects.all().delete()
    assert sign_in().browser.get("/admin/keys/poolkey/").status_code == 200


@pytest.mark.usefixtures("strict")
def test_single_rights_that_change_something_need_a_factor_too(aws):
    from django.contrib.auth.models import Permission

    user = User.objects.create_user("grace", password=PASSWORD, is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_poolkey"))
    assert sign_in("grace").browser.get("/admin/keys/poolkey/").status_code == 200
    user.user_permissions.add(Permission.objects.get(codename="revoke_poolkey"))
    assert sign_in("grace").browser.get("/admin/keys/poolkey/").status_code == 302


def test_who_may_not_use_the_console_is_told_what_to_ask_for(person):
    User.objects.filter(pk=person.pk).update(is_staff=False)
    answer = sign_in()
    assert answer["Location"] == "/admin/", "they are who they say"
    for path in ("/admin/", "/admin/keys/poolkey/"):
        page = answer.browser.get(path, follow=True)
        assert page.status_code == 403
        assert_strict(page, path)
        told = " ".join(page.content.decode().split())
        assert "signed in as <bdi>Ada</bdi>" in told
        assert "Ask an administrator to tick it on your page" in told
    assert 'action="/accounts/logout/"' in told, "and not back to where they cannot go"


def test_who_is_idle_is_signed_out_and_a_live_page_is_no_activity(person, settings, monkeypatch):
    settings.IDLE_MINUTES = 30
    browser = sign_in().browser
    browser.get("/admin/")
    moment = time.time()
    monkeypatch.setattr("apps.access.console.guard.time.time", lambda: moment)
    for _ in range(3):
        moment += 11 * 60
        answer = browser.get("/admin/dashboard/data/", headers={"Sec-Fetch-Dest": "empty"})
    assert answer.status_code == 401
    assert browser.get("/admin/").status_code == 302
    assert [str(e.event) for e in entries_page(limit=2).records] == ["sign_in.ended", "sign_in.expired"]


def test_who_works_stays_signed_in(person, settings, monkeypatch):
    settings.IDLE_MINUTES = 30
    browser = sign_in().browser
    moment = time.time()
    monkeypatch.setattr("apps.access.console.guard.time.time", lambda: moment)
    for _ in range(4):
        moment += 20 * 60
        assert browser.get("/admin/").status_code == 200


@pytest.mark.usefixtures("strict")
class TestConfirmation:
    """What destroys, or changes how somebody signs in, is confirmed unless one has just signed in."""

    @pytest.fixture
    def browser(self, root, settings):
        settings.SECOND_FACTOR_ROLES = []
        browser = Client()
        browser.force_login(root)  # a session that is older than any confirmation
        return browser

    @pytest.fixture
    def other(self, root):
        assert root
        return User.objects.create_user("other", password=PASSWORD, is_staff=True)

    def test_a_form_is_carried_out_after_the_confirmation(self, browser, other):
        asked = {"action": "delete_selected", "_selected_action": str(other.pk), "post": "yes"}
        answer = browser.post(USERS, asked)
        assert answer["Location"].startswith("/accounts/reauthenticate/?next=")
        assert User.objects.filter(pk=other.pk).exists()
        wrong = browser.post(answer["Location"], {"password": "wrong"})
        assert "not your password" in wrong.content.decode()
        assert User.objects.filter(pk=other.pk).exists()
        browser.post(answer["Location"], {"password": PASSWORD})
        assert not User.objects.filter(pk=other.pk).exists()
        assert told("sign_in.confirmed") == [{"method": "password", "factor": None}]

    def test_an_action_is_not_hidden_behind_another_in_the_same_form(self, browser, other):
        asked = {"action": ["delete_selected", ""], "index": "0", "_selected_action": other.pk, "post": "yes"}
        answer = browser.post(USERS, asked)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/reauthenticate/?next=")
        assert User.objects.filter(pk=other.pk).exists()

    @pytest.mark.parametrize(
        "page",
        [
            "access/apikey/issue/",
            "access/apikey/qk1/rotate/",
            "custody/approval/do/approve/?id=1",
            "custody/approval/do/carry-out/?id=1",
            "custody/approval/ap-1/give-out/",
            f"access/user/{UUID(int=1)}/password-link/",
        ],
    )
    def test_keys_of_others_and_second_persons_are_confirmed(self, browser, page):
        assert browser.get(f"/admin/{page}")["Location"].startswith("/accounts/reauthenticate/?next=")

    def test_no_list_is_confirmed(self, browser):
        """An address ends in what it lists: the links, say, which are no way to set a password."""
        for url in (*LISTS.values(), *OTHERS.values()):
            assert "reauthenticate" not in browser.get(url).headers.get("Location", ""), url

    @pytest.mark.parametrize("page", ["register", "sae-a/settings"])
    def test_certificates_that_keys_are_delivered_to_are_named_after_the_confirmation(self, browser, page):
        answer = browser.post(f"/admin/kme/sae/{page}/", {"fingerprints": "0" * 64})
        assert answer["Location"].startswith("/accounts/reauthenticate/?next=")

    def test_what_somebody_may_do_is_changed_after_the_confirmation(self, browser, other):
        form = {
            "username": "other",
            "is_active": "on",
            "is_superuser": "on",
            "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00:00",
        }
        answer = browser.post(f"{USERS}{other.pk}/change/", form)
        assert answer["Location"].startswith("/accounts/reauthenticate/?next=")
        assert not User.objects.get(pk=other.pk).is_superuser
        browser.post(answer["Location"], {"password": PASSWORD})
        assert User.objects.get(pk=other.pk).is_superuser

    def test_a_page_is_shown_after_the_confirmation(self, browser, other):
        page = f"{USERS}{other.pk}/delete/"
        answer = browser.get(page)
        assert answer.status_code == 302
        assert browser.post(answer["Location"], {"password": PASSWORD})["Location"] == page
        assert browser.get(page).status_code == 200

    def test_a_typed_password_is_kept_in_no_session(self, browser, other):
        page = f"{USERS}{other.pk}/password/"
        typed = {"password1": "a-new-secret-1", "password2": "a-new-secret-1", "usable_password": "true"}
        assert browser.post(page, typed)["Location"] == page
        assert "a-new-secret" not in str([session.get_decoded() for session in Session.objects.all()])

    def test_a_fresh_sign_in_is_enough(self, other, settings):
        settings.SECOND_FACTOR_ROLES = []
        browser = sign_in("root").browser
        assert browser.get(f"{USERS}{other.pk}/delete/").status_code == 200

    def test_looking_needs_none(self, browser, other):
        for page in ("/admin/", USERS, f"{USERS}{other.pk}/change/"):
            assert browser.get(page).status_code == 200


def test_an_administrator_makes_a_link_that_sets_a_password_once(root, person):
    browser = sign_in("root").browser
    page = browser.post(f"{USERS}{person.pk}/password-link/")
    assert "no-store" in page["Cache-Control"]
    link = re.findall(
        r"http://127\.0\.0\.1:8000(/accounts/password/reset/key/[^<\s]+)", page.content.decode()
    )[0]
    visitor = Client()
    form = visitor.get(link, follow=True)
    assert "Set your password" in form.content.decode()
    new = "another long password"
    done = visitor.post(form.redirect_chain[-1][0], {"password1": new, "password2": new}, follow=True)
    assert "Your password is set" in done.content.decode()
    assert sign_in(password=new).status_code == 302
    assert "no longer valid" in Client().get(link, follow=True).content.decode()
    [entry] = [e for e in entries_page(limit=50).records if e.event == "user.reset_link"]
    assert (entry.actor, entry.detail["user"]) == (root.principal_id, person.principal_id)
    assert link.rpartition("-")[2] not in str(entries_page(limit=50).records)


def test_an_administrator_removes_a_lost_factor(root, person):
    add_app(sign_in().browser)
    sign_in("root").browser.post(f"{USERS}{person.pk}/factors/")
    assert not Authenticator.objects.filter(user=person).exists()
    assert sign_in()["Location"] == "/admin/"
    removed = [e for e in entries_page(limit=50).records if e.event == "user.factor_removed"]
    assert {e.actor for e in removed} == {root.principal_id}
    assert {e.detail["factor"] for e in removed} == {"totp", "recovery_codes"}


@pytest.mark.parametrize("way", ["password-link", "factors"])
def test_nobody_takes_over_who_holds_more(root, person, way):
    add_app(sign_in("root").browser)
    helper = User.objects.create_user("helper", password=PASSWORD, is_staff=True)
    from django.contrib.auth.models import Permission

    helper.user_permissions.add(*Permission.objects.filter(codename__in=["view_user", "change_user"]))
    for target in (root, person):
        assert sign_in("helper").browser.post(f"{USERS}{target.pk}/{way}/").status_code == 403
    assert Authenticator.objects.filter(user=root).exists()


def test_a_factor_is_not_added_or_removed_where_that_cannot_be_recorded(person):
    browser = sign_in().browser
    page = browser.get("/accounts/2fa/totp/activate/").content.decode()
    secret = re.findall(r"<code>([A-Z2-7]{32})</code>", page)[0]
    EntryTable.delete_table()
    answer = browser.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)})
    assert answer.status_code >= 500
    assert not Authenticator.objects.exists()


def test_without_mail_the_page_says_whom_to_ask(client, db):
    assert "Ask an administrator" in client.get("/accounts/password/reset/").content.decode()
    assert client.post("/accounts/password/reset/", {"email": "a@example.com"}).status_code == 405


def test_with_mail_a_link_is_sent_to_known_addresses_only(person, settings, mailoutbox):
    settings.EMAIL_HOST = "mail.example.com"
    person.email = "Ada@Example.com"
    person.save()
    for address in ("ADA@example.com", "nobody@example.com"):
        answer = Client().post("/accounts/password/reset/", {"email": address})
        assert answer["Location"] == "/accounts/password/reset/done/"
    [mail] = mailoutbox
    assert mail.to == ["ada@example.com"]
    assert "/accounts/password/reset/key/" in mail.body


def test_nobody_signs_up_or_changes_their_address(client, db):
    for name in ("signup", "email", "confirm-email", "3rdparty", "2fa/webauthn/signup"):
        assert client.get(f"/accounts/{name}/").status_code in {302, 404}, name
    assert client.post("/accounts/signup/", {"username": "me", "password1": PASSWORD}).status_code == 404


def test_refusals_have_a_count_each():
    assert len({id(counts) for counts in refusals.OF_PEOPLE}) == 4


def test_every_page_of_signing_in_is_strict_and_has_a_heading(person):
    browser = sign_in().browser
    secret, _ = add_app(browser)
    waiting = sign_in().browser
    assert secret
    root = User.objects.create_superuser("above", password=PASSWORD)
    signed_in = sign_in("above").browser
    pages = {
        "sign-in": Client().get(SIGN_IN),
        "refused": Client().post(SIGN_IN, {"login": "ada", "password": "wrong"}),
        "forgotten": Client().get("/accounts/password/reset/"),
        "sent": Client().get("/accounts/password/reset/done/"),
        "no link": Client().get("/accounts/password/reset/key/abc-def/"),
        "done": Client().get("/accounts/password/reset/key/done/"),
        "disabled": Client().get("/accounts/inactive/"),
        "cancelled": Client().get("/accounts/cancelled/"),
        "factor": waiting.get("/accounts/2fa/authenticate/"),
        "factors": browser.get("/accounts/2fa/"),
        "codes": browser.get("/accounts/2fa/recovery-codes/"),
        "new codes": browser.get("/accounts/2fa/recovery-codes/generate/"),
        "remove": browser.get("/accounts/2fa/totp/deactivate/"),
        "confirm": browser.get("/accounts/reauthenticate/"),
        "confirm by code": browser.get("/accounts/2fa/reauthenticate/"),
        "key": browser.get("/accounts/2fa/webauthn/add/"),
        "keys": browser.get("/accounts/2fa/webauthn/"),
        "add": signed_in.get("/accounts/2fa/totp/activate/"),
        "password": signed_in.get("/admin/password_change/"),
        "sign out": signed_in.get("/accounts/logout/"),
        "link": signed_in.get(f"{USERS}{root.pk}/password-link/"),
        "lost": signed_in.get(f"{USERS}{root.pk}/factors/"),
    }
    for name, page in pages.items():
        assert page.status_code == 200, name
        assert_strict(page, name)
        assert page.content.decode().count("<h1") == 1, name


def test_who_is_disabled_as_a_principal_does_not_come_in_and_others_get_their_role(person):
    person.groups.clear()  # as of a user from before there were ready roles
    assert sign_in()["Location"] == "/admin/"
    assert set(person.groups.values_list("name", flat=True)) == {"Operator"}
    principals.disable(person.principal_id, reason="left", actor=TESTS)
    answer = sign_in()
    assert answer["Location"] == "/accounts/inactive/"
    assert answer.browser.get("/admin/").status_code == 302
    assert User.objects.get(pk=person.pk).is_active
