"""The console's users: who may change users cannot become more than they are."""

import io

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.test import Client

from apps.access import api_keys, principals, ready_roles
from apps.access.models import User
from apps.access.roles import Role
from apps.common.errors import Unauthenticated
from tests import requirement
from tests.conftest import TESTS


@pytest.fixture
def editor(aws, db):
    user = User.objects.create_user("editor", password="p", is_staff=True)
    for codename in ("view_user", "change_user", "delete_user", "add_user", "view_group", "change_group"):
        user.user_permissions.add(Permission.objects.get(codename=codename))
    return user


@pytest.fixture
def page(editor):
    client = Client()
    client.force_login(editor)
    return client


def form_of(user, **changes):
    return {
        "username": user.username,
        "first_name": "",
        "last_name": "",
        "email": "",
        "is_active": "on",
        "is_staff": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        "last_login_0": "",
        "last_login_1": "",
        "user_permissions": [str(p.pk) for p in user.user_permissions.all()],
        **changes,
    }


def address(user, page="change"):
    return f"/admin/access/user/{user.pk}/{page}/"


@requirement("E8", "F6", "I12")
def test_who_may_change_users_does_not_become_superuser(page, editor):
    answer = page.post(address(editor), form_of(editor, is_superuser="on"))
    assert b"you lack superuser" in answer.content
    editor.refresh_from_db()
    assert not editor.is_superuser


@requirement("E8", "F6", "I12")
def test_who_may_change_users_gives_no_permission_that_they_lack(page, editor):
    wanted = Permission.objects.get(codename="revoke_apikey")
    answer = page.post(
        address(editor),
        form_of(editor, user_permissions=[*form_of(editor)["user_permissions"], str(wanted.pk)]),
    )
    assert b"you lack access.revoke_apikey" in answer.content
    group = Group.objects.create(name="operators")
    group.permissions.add(wanted)
    answer = page.post(address(editor), form_of(editor, groups=[str(group.pk)]))
    assert b"you lack access.revoke_apikey" in answer.content
    assert not User.objects.get(pk=editor.pk).has_perm("access.revoke_apikey")


@requirement("E8", "F6", "I12")
@pytest.mark.parametrize("way", ["change", "delete", "password"])
def test_nobody_edits_who_holds_more(page, way):
    above = User.objects.create_superuser("above", password="p")
    if way == "password":
        answer = page.post(
            address(above, "password"), {"password1": "mine-now-123", "password2": "mine-now-123"}
        )
    elif way == "delete":
        answer = page.post(address(above, "delete"), {"post": "yes"})
    else:
        answer = page.post(address(above), form_of(above, is_superuser="on", email="me@example.com"))
    assert answer.status_code == 403
    above.refresh_from_db()
    assert above.check_password("p")
    assert above.email == ""


@requirement("E8", "F6", "I12")
def test_a_group_gives_its_editor_no_more(page, editor):
    group = Group.objects.create(name="operators")
    editor.groups.add(group)
    wanted = Permission.objects.get(codename="revoke_apikey")
    answer = page.post(
        f"/admin/auth/group/{group.pk}/change/", {"name": "operators", "permissions": [str(wanted.pk)]}
    )
    assert b"you lack access.revoke_apikey" in answer.content
    assert not group.permissions.exists()


@requirement("F6")
def test_what_one_holds_one_gives(page, editor):
    other = User.objects.create_user("other", is_staff=True)
    held = Permission.objects.get(codename="view_user")
    answer = page.post(address(other), form_of(other, user_permissions=[str(held.pk)]))
    assert answer.status_code == 302, answer.content.decode()
    assert list(other.user_permissions.all()) == [held]


@requirement("E8", "F6", "I12")
def test_a_new_user_is_no_superuser_by_a_forged_form(page):
    answer = page.post(
        "/admin/access/user/add/",
        {
            "username": "new",
            "password1": "mine-now-123",
            "password2": "mine-now-123",
            "is_superuser": "on",
            "usable_password": "true",
        },
    )
    assert answer.status_code == 302, answer.content.decode()
    assert not User.objects.get(username="new").is_superuser


def admitted(user, **rights):
    principals.admit_person(str(user.pk), user.username, actor=TESTS, **rights)


@requirement("E8", "F6", "I12")
def test_a_superuser_does_not_become_an_approver_by_their_password(aws, db):
    """The relational database alone makes nobody an approver."""
    approver = User.objects.create_user("approver", password="p", is_staff=True)
    admitted(approver, role=Role.VIEWER, approver=True)
    above = User.objects.create_superuser("above", password="p")
    client = Client()
    client.force_login(above)
    passwords = {"password1": "mine-now-123", "password2": "mine-now-123", "usable_password": "true"}
    assert client.post(address(approver, "password"), passwords).status_code == 403
    admitted(above, role=Role.ADMINISTRATOR, approver=False)
    assert client.post(address(approver, "password"), passwords).status_code == 403
    principals.change(above.principal_id, approver=True, actor=TESTS)
    assert client.post(address(approver, "password"), passwords).status_code == 302


@pytest.fixture
def operator(aws, db):
    user = User.objects.create_superuser("operator", password="p")
    admitted(user, role=Role.ADMINISTRATOR, approver=True)
    client = Client()
    client.force_login(user)
    return client


@requirement("F1", "F6")
def test_who_may_only_look_at_a_group_reads_its_rights_in_words(operator):
    ready_roles.sync()
    group = Group.objects.get(name="Viewer")
    shown = operator.get(f"/admin/auth/group/{group.pk}/change/").content.decode()
    assert "See pool keys" in shown
    assert "Can view" not in shown


@requirement("E8", "F6", "I12")
def test_who_is_deactivated_at_the_console_decides_nothing_any_more(operator):
    other = User.objects.create_user("other", is_staff=True)
    admitted(other, role=Role.OPERATOR, approver=True)
    answer = operator.post(address(other), form_of(other, is_active=""))
    assert answer.status_code == 302, answer.content.decode()
    assert not principals.find(other.principal_id).active
    shown = form_of(other, role="operator", approves="on")  # as the page has it of who was admitted
    assert operator.post(address(other), shown).status_code == 302
    assert principals.find(other.principal_id).active


@requirement("E8", "F6", "I12")
@pytest.mark.parametrize("way", ["page", "action"])
def test_who_is_deleted_at_the_console_decides_nothing_any_more(operator, way):
    other = User.objects.create_user("other", is_staff=True)
    admitted(other, role=Role.OPERATOR, approver=True)
    if way == "page":
        operator.post(address(other, "delete"), {"post": "yes"})
    else:
        chosen = {"action": "delete_selected", "_selected_action": str(other.pk), "post": "yes"}
        operator.post("/admin/access/user/", chosen)
    assert not User.objects.filter(pk=other.pk).exists()
    assert not principals.find(other.principal_id).active


@requirement("E8", "F6", "I12")
def test_the_command_admits_changes_disables_and_enables(aws, db):
    def run(*arguments: str) -> str:
        out = io.StringIO()
        call_command("person", *arguments, stdout=out)
        return out.getvalue()

    assert "approver  active" in run("admit", "Bob", "--role", "operator", "--approver")
    user = User.objects.get_by_natural_key("bob")
    assert not user.has_usable_password()
    assert principals.find(user.principal_id).approver
    run("change", "bob", "--no-approver", "--role", "auditor")
    assert "auditor  active" in run("list")
    _, secret = api_keys.issue(user.principal_id, actor=TESTS)
    run("disable", "bob", "--reason", "left")
    assert not User.objects.get(pk=user.pk).is_active
    with pytest.raises(Unauthenticated):
        api_keys.authenticate(secret, source_ip="127.0.0.1")
    run("enable", "BOB", "--reason", "back")
    assert api_keys.authenticate(secret, source_ip="127.0.0.1").principal.name == "Bob"
    for wrong, why in (
        (("disable", "nobody", "--reason", "x"), "There is no user"),
        (("admit", "bob", "--role", "viewer"), "already"),
        (("admit", "not a name", "--role", "viewer"), "username"),
    ):
        with pytest.raises(CommandError, match=why):
            run(*wrong)
    assert User.objects.count() == 1
