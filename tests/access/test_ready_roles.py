"""The five ready roles: what each may do at the console follows the scopes (F6)."""

import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from apps.access import people, principals, ready_roles
from apps.access.console import picker
from apps.access.roles import Role
from apps.access.users import User
from apps.common.errors import Forbidden, Unavailable
from tests import requirement
from tests.conftest import TESTS, Api
from tests.console import demo

pytestmark = [pytest.mark.django_db, requirement("F6", "E3")]


def held(role: Role) -> set[str]:
    group = Group.objects.get(name=ready_roles.GROUPS[role])
    return {
        f"{p.content_type.app_label}.{p.codename}" for p in group.permissions.select_related("content_type")
    }


def test_the_groups_are_there_after_migrating():
    assert {role: bool(held(role)) for role in Role} == dict.fromkeys(Role, True)
    assert held(Role.ADMINISTRATOR) == {
        f"{p.content_type.app_label}.{p.codename}" for p in Permission.objects.select_related("content_type")
    }


def test_each_role_holds_what_its_scopes_say():
    viewer, client, operator, auditor = (
        held(role) for role in (Role.VIEWER, Role.CLIENT, Role.OPERATOR, Role.AUDITOR)
    )
    assert all(name.partition(".")[2].startswith(("view_", "see_")) for name in viewer)
    assert {"qkd_sessions.view_session", "keys.view_poolkey", "access.see_every_owner"} <= viewer
    assert "audit.view_entry" not in viewer | client | operator
    assert "keys.view_poolkey" not in client
    assert "access.see_every_owner" not in client
    assert {"qkd_sessions.generate_session", "files.view_file"} <= client
    assert {"keys.revoke_poolkey", "keys.rotate_poolkey", "qkd_sessions.generate_session"} <= operator
    assert {"audit.view_entry", "audit.verify_audit", "access.view_apikey", "access.view_user"} <= auditor
    assert not {
        name for name in operator | auditor | viewer | client if ".delete_" in name or ".add_" in name
    }


def test_what_belongs_to_no_scope_is_for_administrators():
    planted = Permission.objects.get(codename="delete_session", content_type__app_label="sessions")
    assert [role for role in Role if ready_roles.permissions_of(role, [planted])] == [Role.ADMINISTRATOR]


def test_syncing_takes_back_what_was_added_by_hand():
    group = Group.objects.get(name="Viewer")
    group.permissions.add(Permission.objects.get(codename="revoke_poolkey"))
    ready_roles.sync()
    assert "keys.revoke_poolkey" not in held(Role.VIEWER)


@pytest.fixture
def ada(aws):
    return User.objects.create_user("ada", is_staff=True)


def names(user: User) -> set[str]:
    return set(user.groups.values_list("name", flat=True))


def test_the_group_follows_the_role_of_the_principal(ada, admin_api: Api):
    people.decide(ada, role=Role.OPERATOR, approver=False, actor=TESTS)
    ada.groups.add(Group.objects.create(name="Night shift"))
    assert names(ada) == {"Operator", "Night shift"}
    answer = admin_api.call("PATCH", f"principals/{ada.principal_id}", {"role": "auditor", "approver": False})
    assert answer.status_code == 200
    assert names(ada) == {"Auditor", "Night shift"}
    assert principals.find(ada.principal_id).role is Role.AUDITOR


def test_who_may_not_give_a_role_does_not_change_the_group_either(ada):
    people.decide(ada, role=Role.ADMINISTRATOR, approver=True, actor=TESTS)
    editor = User.objects.create_user("editor", is_staff=True)
    from apps.audit.records import Actor, ActorKind

    with pytest.raises(Forbidden):
        people.decide(ada, role=Role.VIEWER, approver=False, actor=Actor(ActorKind.USER, str(editor.pk)))
    assert names(ada) == {"Administrator"}


def test_who_is_disabled_by_the_api_is_out_of_the_console(ada, admin_api: Api):
    people.decide(ada, role=Role.OPERATOR, approver=False, actor=TESTS)
    browser = Client()
    browser.force_login(ada)
    assert browser.get("/admin/").status_code == 200
    admin_api.post(f"principals/{ada.principal_id}/disable", {"reason": "left"})
    assert browser.get("/admin/").status_code == 302
    admin_api.post(f"principals/{ada.principal_id}/enable", {"reason": "back"})
    assert User.objects.get(pk=ada.pk).is_active


@requirement("C16")
def test_a_client_sees_its_own_records_and_those_of_its_groups(ada):
    filled = demo.fill()
    people.decide(ada, role=Role.CLIENT, approver=False, actor=TESTS)
    browser = Client()
    browser.force_login(ada)
    lists = (
        "/admin/qkd_sessions/session/",
        "/admin/files/file/",
        "/admin/jobs/job/",
        "/admin/detections/detection/",
    )
    for address in lists:
        page = browser.get(address)
        assert page.status_code == 200, address
        assert list(page.context["cl"].result_list) == [], address
    theirs = f"/admin/qkd_sessions/session/{filled.ready.session_id}/change/"
    assert browser.get(theirs).status_code == 302, "looks as if it did not exist"
    people.decide(ada, role=Role.VIEWER, approver=False, actor=TESTS)
    assert list(browser.get(lists[0]).context["cl"].result_list)
    assert browser.get(theirs).status_code == 200


@pytest.mark.parametrize(("way", "active"), [("disable", False), ("enable", True)])
def test_what_came_as_far_as_the_principal_is_done_again(ada, admin_api: Api, monkeypatch, way, active):
    people.decide(ada, role=Role.OPERATOR, approver=False, actor=TESTS)
    if active:
        people.disable(ada, reason="left", actor=TESTS)

    def fail(*_arguments: object, **_named: object) -> None:
        raise Unavailable("Killed in the middle.")

    with monkeypatch.context() as broken:
        broken.setattr(people, "_set_active", fail)
        assert admin_api.post(f"principals/{ada.principal_id}/{way}", {"reason": "x"}).status_code == 503
    assert User.objects.get(pk=ada.pk).is_active is not active
    assert admin_api.post(f"principals/{ada.principal_id}/{way}", {"reason": "x"}).status_code == 200
    assert User.objects.get(pk=ada.pk).is_active is active
    assert principals.find(ada.principal_id).active is active
    assert admin_api.post(f"principals/{ada.principal_id}/{way}", {"reason": "x"}).status_code == 409


def test_ready_roles_are_changed_by_nobody(admin_client: Client):
    group = Group.objects.get(name="Viewer")
    admin_client.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Viewer", "permissions": []})
    assert group.permissions.exists()


def test_a_person_s_page_gives_a_role_and_rights_in_words(ada, admin_client: Client, admin_user: User):
    people.decide(admin_user, role=Role.ADMINISTRATOR, approver=True, actor=TESTS)
    page = f"/admin/access/user/{ada.pk}/change/"
    shown = admin_client.get(page).content.decode()
    for words in ("See sessions", "Rotate pool key", "Generate session", "See the records of every owner"):
        assert words in shown, words
    assert "content type" not in shown
    assert "Can view" not in shown
    form = {
        "username": "ada",
        "is_active": "on",
        "is_staff": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        "role": "operator",
        "approves": "on",
        "user_permissions": [str(Permission.objects.get(codename="view_entry").pk)],
    }
    answer = admin_client.post(page, form)
    assert answer.status_code == 302, answer.content.decode()
    found = principals.find(ada.principal_id)
    assert (found.role, found.approver, names(ada)) == (Role.OPERATOR, True, {"Operator"})
    ada = User.objects.get(pk=ada.pk)
    assert ada.has_perm("audit.view_entry")
    admin_client.post(page, form | {"username": "ada2"})
    assert names(ada) == {"Operator"}, "saving a name takes no role"
    form.pop("is_staff")
    warned = admin_client.post(page, form, follow=True).content.decode()
    assert "has a role, but may not use the console" in warned
    form["is_staff"] = "on"
    refused = admin_client.post(page, form | {"role": "", "approves": ""})
    assert "keeps a role" in refused.content.decode()
    assert principals.find(ada.principal_id) == found, "nobody is told that a role was taken which was not"
    other = User.objects.create_user("other", is_staff=True)
    refused = admin_client.post(
        f"/admin/access/user/{other.pk}/change/", form | {"username": "other", "role": ""}
    )
    assert "Who approves needs a role" in refused.content.decode()


def marks(page: Any) -> str:
    """The marks of what a page shows, as a browser sends them back."""
    found = re.search(r'name="seen" value="([^"]+)"', page.content.decode())
    assert found is not None
    return html.unescape(found[1])


def test_who_was_switched_off_meanwhile_is_not_switched_on_by_a_form_that_was_open(
    ada: User, admin_client: Client, admin_user: User
) -> None:
    people.decide(admin_user, role=Role.ADMINISTRATOR, approver=True, actor=TESTS)
    page = f"/admin/access/user/{ada.pk}/change/"
    form = {"username": "ada", "is_active": "on", "is_staff": "on", "last_name": "Lovelace"}
    form |= {"role": "viewer", "seen": marks(admin_client.get(page))}
    User.objects.filter(pk=ada.pk).update(is_active=False)
    refused = admin_client.post(page, form)
    assert "Somebody else changed this since you opened the page: Active (now no)" in refused.content.decode()
    ada.refresh_from_db()
    assert (ada.is_active, ada.last_name) == (False, "")
    form.pop("is_active")
    assert admin_client.post(page, form | {"seen": marks(refused)}).status_code == 302
    ada.refresh_from_db()
    assert (ada.is_active, ada.last_name) == (False, "Lovelace")


def test_what_a_group_was_given_meanwhile_is_not_taken_by_a_form_that_was_open(
    admin_client: Client, admin_user: User
) -> None:
    people.decide(admin_user, role=Role.ADMINISTRATOR, approver=True, actor=TESTS)
    group = Group.objects.create(name="Night shift")
    page = f"/admin/auth/group/{group.pk}/change/"
    form = {"name": "Night shift 2", "permissions": [], "seen": marks(admin_client.get(page))}
    group.permissions.add(Permission.objects.get(codename="view_entry"))
    refused = admin_client.post(page, form)
    assert "Somebody else changed this since you opened the page: Rights." in refused.content.decode()
    group.refresh_from_db()
    assert (group.name, group.permissions.count()) == ("Night shift", 1)


def test_rights_read_as_people_say_them():
    words = {picker.words(p) for p in picker.offered()}
    assert {"See sessions", "See API keys", "Revoke API key", "Verify the audit chains"} <= words
    assert not {word for word in words if word.startswith("Can ")}
