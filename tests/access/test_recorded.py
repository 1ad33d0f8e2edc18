"""Who came in, who was refused, and what was done to users and groups stands in the trail (D1, D6)."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from apps.access import api_keys, refusals
from apps.access.roles import Role
from apps.access.users import User
from apps.audit.services import entries_page
from apps.audit.store import EntryTable
from apps.common.errors import Unauthenticated
from tests import requirement
from tests.conftest import TESTS

pytestmark = [pytest.mark.django_db]
PASSWORD = "correct horse battery staple"


def told(prefix: str) -> list[tuple[str, str, dict[str, Any]]]:
    """What the trail says, oldest first: event, actor, details."""
    entries = reversed(entries_page(limit=100).records)
    return [(str(e.event), e.actor, dict(e.detail)) for e in entries if e.event.startswith(prefix)]


@pytest.fixture
def root(aws):
    return User.objects.create_superuser("root", password=PASSWORD)


@pytest.fixture
def console(root):
    browser = Client(raise_request_exception=False)
    browser.force_login(root)
    return browser


def sign_in(name: str, password: str, address: str = "192.0.2.1") -> int:
    form = {"login": name, "password": password, "next": "/admin/"}
    return Client(REMOTE_ADDR=address).post(reverse("account_login"), form).status_code


@requirement("D6", "E3")
def test_a_sign_in_and_a_sign_out_are_recorded(root):
    browser = Client(REMOTE_ADDR="192.0.2.1")
    browser.post(reverse("account_login"), {"login": "root", "password": PASSWORD})
    browser.post(reverse("admin:logout"))
    assert [(event, actor) for event, actor, _ in told("sign_in")] == [
        ("sign_in.done", f"user:{root.pk}"),
        ("sign_in.ended", f"user:{root.pk}"),
    ]
    [entry] = [one for one in entries_page(limit=9).records if one.event == "sign_in.done"]
    assert entry.source_ip == "192.0.2.1"


@requirement("D2", "D6")
def test_nobody_signs_in_whose_sign_in_cannot_be_recorded(root):
    EntryTable.delete_table()
    browser = Client(raise_request_exception=False)
    answer = browser.post(reverse("account_login"), {"login": "root", "password": PASSWORD})
    assert answer.status_code >= 500
    assert browser.get(reverse("admin:index")).status_code == 302, "still outside"


@requirement("D6")
def test_refused_sign_ins_are_counted_by_source_and_name_no_password(root, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(refusals.passwords, "_clock", lambda: now[0])
    locked = User.objects.create_user("locked", password=PASSWORD, is_active=False)
    for _ in range(5):
        sign_in("root", "wrong")
    for number in range(10):
        sign_in(f"nobody{number}", "wrong")
    sign_in("my-password-typed-as-a-name", "x")
    sign_in("locked", PASSWORD, "192.0.2.9")
    now[0] += 61
    sign_in("nobody", "wrong", "192.0.2.3")
    assert [(d["source"], d["count"]) for _, _, d in told("sign_in")] == [
        ("192.0.2.1", 1), ("192.0.2.9", 1), ("192.0.2.1", 15), ("192.0.2.3", 1),
    ]  # fmt: skip
    first, second, *_ = (detail for _, _, detail in told("sign_in"))
    assert (first["user"], first["locked"]) == (root.principal_id, False)
    assert (second["user"], second["locked"]) == (locked.principal_id, True)
    assert "my-password" not in str(told(""))


@requirement("D6", "E3")
def test_wrong_and_revoked_api_keys_are_counted_by_source_and_minute(aws, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(refusals.keys, "_clock", lambda: now[0])
    made, secret = api_keys.issue_for_service("a", role=Role.CLIENT, actor=TESTS)
    api_keys.revoke(made.key_id, reason="leaked", actor=TESTS)

    def refused(key: str, address: str) -> None:
        with pytest.raises(Unauthenticated):
            api_keys.authenticate(key, source_ip=address)

    for number in range(50):
        refused(secret if number % 2 else "nonsense", f"2001:db8::{number:x}")
    now[0] += 61
    refused("nonsense", "192.0.2.1")
    assert [(d["source"], d["count"]) for _, _, d in told("api_key.refused")] == [
        ("2001:db8::/64", 1), ("2001:db8::/64", 49), ("192.0.2.1", 1),
    ]  # fmt: skip
    assert told("api_key.refused")[1][2]["api_key"] == made.key_id
    assert secret.partition(".")[2] not in str(told(""))


@requirement("D6")
def test_many_sources_do_not_flood_the_trail(aws):
    for number in range(300):
        refusals.keys.note(f"192.0.{number // 250}.{number % 250}")
    assert len(told("api_key.refused")) <= refusals.SOURCES + 1


@requirement("D6", "E3")
def test_a_rotated_key_names_its_successor(aws):
    from datetime import timedelta

    made, _ = api_keys.issue_for_service("a", role=Role.CLIENT, actor=TESTS)
    after, _ = api_keys.rotate(made.key_id, overlap=timedelta(hours=1), actor=TESTS)
    [(_, _, detail)] = told("api_key.rotated")
    assert (detail["api_key"], detail["successor"]) == (made.key_id, after.key_id)


@requirement("D6", "F6")
def test_what_the_console_does_to_users_and_groups_is_recorded(console, root):
    console.post(
        reverse("admin:auth_group_add"),
        {"name": "viewers", "permissions": [Permission.objects.get(codename="view_entry").pk]},
    )
    group = Group.objects.get(name="viewers")
    console.post(reverse("admin:auth_group_change", args=[group.pk]), {"name": "auditors", "permissions": []})
    someone = User.objects.create_user("someone", password=PASSWORD)
    console.post(
        reverse("admin:auth_user_password_change", args=[someone.pk]),
        {"password1": PASSWORD + "2", "password2": PASSWORD + "2", "usable_password": "true"},
    )
    console.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"})
    assert [(event, actor) for event, actor, _ in told("user")] == [
        ("user_group.made", f"user:{root.pk}"),
        ("user_group.changed", f"user:{root.pk}"),
        ("user.password_set", "system:accounts"),
        ("user.changed", f"user:{root.pk}"),
        ("user_group.removed", f"user:{root.pk}"),
    ]
    assert PASSWORD not in str(told("user"))


@requirement("D2", "D6")
def test_a_change_of_users_that_cannot_be_recorded_is_not_made(console, root):
    EntryTable.delete_table()
    console.post(reverse("admin:auth_group_add"), {"name": "viewers", "permissions": []})
    assert not Group.objects.filter(name="viewers").exists()
    root.set_password("another")
    with pytest.raises(Exception, match="nothing was"):
        root.save()
    assert User.objects.get(pk=root.pk).check_password(PASSWORD)
