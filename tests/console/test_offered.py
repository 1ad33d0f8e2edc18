"""What is offered can be done, and a tab that is shown has something for who looks at it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from apps.access import api_keys, principals
from apps.access.models import User
from apps.access.records import Right
from apps.access.roles import Role
from apps.audit.records import Actor, ActorKind, system
from apps.custody import approvals
from apps.custody.records import Guarded
from apps.files import sharing
from tests import requirement
from tests.console.demo import Demo
from tests.console.pages import (
    APPROVALS,
    CLIENTS,
    FILES,
    JOBS,
    POOL,
    ROOT_KEYS,
    SESSIONS,
    act,
    ids,
    messages_of,
)
from tests.console.test_files import encrypted_file
from tests.console.test_roles import as_role
from tests.console.test_roles import everything as everything  # noqa: PLC0414 - a fixture

pytestmark = requirement("F1", "F6")
PEOPLE = "/admin/access/user/"


def buttons(page: Any) -> set[str]:
    """The actions that a record's page offers."""
    return {button["name"] for button in page.context["buttons"]}


def tabs(page: Any) -> list[str]:
    """The tabs of a record's page."""
    return [str(tab) for tab in page.context["tabs"]]


def admitted(client: Client, role: Role, *, approver: bool = False) -> Actor:
    """Make the person who is signed in one who decides."""
    user = User.objects.get(pk=client.session["_auth_user_id"])
    principals.admit_person(str(user.pk), user.username, role=role, approver=approver, actor=system("tests"))
    return Actor(ActorKind.USER, str(user.pk))


def test_sharing_is_stopped_where_a_file_is_shared(console: Client, admitted_admin: None, stock: Any) -> None:
    page = f"{FILES}{encrypted_file(console).file_id}/change/"
    file_id = page.split("/")[-3]
    assert "share" in buttons(console.get(page))
    assert "unshare" not in buttons(console.get(page))
    principals.admit_person("someone", "someone", role=Role.CLIENT, actor=system("tests"))
    act(console, FILES, "share", [file_id], grantee="user:someone", right="read")
    assert "unshare" in buttons(console.get(page))
    act(console, FILES, "unshare", [file_id], grantee="user:someone")
    assert "unshare" not in buttons(console.get(page))


@pytest.mark.parametrize("right", list(Right))
def test_what_was_granted_is_what_is_offered(everything: Demo, console: Client, right: Right) -> None:
    client = as_role(Role.CLIENT)
    person = admitted(client, Role.CLIENT)
    owner = Actor(ActorKind.SERVICE, everything.file.owner.partition(":")[2])
    sharing.share(everything.file.file_id, grantee=str(person), right=right, actor=owner)
    found = buttons(client.get(f"{FILES}{everything.file.file_id}/change/"))
    assert "download" in found
    assert not found & {"share", "unshare"}, "only its owner does"
    assert found >= {"archive", "delete", "version"} if right is Right.WRITE else found == {"download"}


def test_a_request_is_decided_by_an_approver_who_did_not_ask(everything: Demo) -> None:
    clients = {
        name: as_role(role) for name, role in (("asked", Role.OPERATOR), ("second", Role.ADMINISTRATOR))
    }
    asker = admitted(clients["asked"], Role.OPERATOR, approver=True)
    clients["no approver"] = person_of("plain")
    admitted(clients["no approver"], Role.OPERATOR)
    admitted(clients["second"], Role.ADMINISTRATOR, approver=True)
    subject = everything.pool_keys[4].key_id
    made = approvals.request(Guarded.EXPORT_KEY, subject, reason="kept offline", actor=asker)
    offered = {
        name: buttons(client.get(f"{APPROVALS}{made.approval_id}/change/"))
        for name, client in clients.items()
    }
    assert offered == {"asked": {"refuse", "withdraw"}, "second": {"approve", "refuse"}, "no approver": set()}


def person_of(name: str) -> Client:
    """Sign in another operator."""
    from apps.access import ready_roles

    user = User.objects.create_user(name, is_staff=True)
    ready_roles.put_into(user, Role.OPERATOR)
    client = Client()
    client.force_login(user)
    return client


def test_the_trail_is_a_tab_for_who_may_read_it(everything: Demo) -> None:
    records = [f"{JOBS}{everything.job.job_id}/change/", f"{FILES}{everything.file.file_id}/change/"]
    for role in (Role.VIEWER, Role.OPERATOR, Role.AUDITOR, Role.ADMINISTRATOR):
        client, reads = as_role(role), role in {Role.AUDITOR, Role.ADMINISTRATOR}
        for address in records:
            assert ("audit" in tabs(client.get(address))) is reads, (role, address)
            asked = client.get(address, {"tab": "audit"})
            assert asked.context["tab"] == ("audit" if reads else "summary"), (role, address)


def test_no_part_of_a_page_is_empty_by_right(person: Callable[..., Client], filled: Demo) -> None:
    client = person("keys.view_poolkey")
    page = client.get(f"{POOL}{filled.pool_keys[2].key_id}/change/", {"tab": "related"})
    assert "Approvals" not in [part.title for part in page.context["shown"]]
    assert all(part.rows or part.note != "\N{EN DASH}" for part in page.context["shown"])


def test_a_session_whose_keys_nobody_took_says_so_alone(console: Client, filled: Demo) -> None:
    page = console.get(f"{SESSIONS}{filled.compromised.session_id}/change/", {"tab": "related"})
    (taken,) = [part for part in page.context["shown"] if part.title == "Quantum keys taken"]
    assert (taken.note, taken.more) == ("No quantum key of this session was taken.", "")


def test_a_kind_without_related_records_has_no_tab_of_them(console: Client, everything: Demo) -> None:
    (root, *_) = console.get(ROOT_KEYS).context["cl"].result_list
    assert "related" not in tabs(console.get(f"{ROOT_KEYS}{root.pk}/change/"))


def test_histories_of_django_lead_to_the_tab_that_tells_it(console: Client, filled: Demo) -> None:
    user, group = User.objects.get(username="admin"), Group.objects.create(name="Night shift")
    addresses = (
        f"{JOBS}{filled.job.job_id}/",
        f"{CLIENTS}{filled.key_id}/",
        f"{PEOPLE}{user.pk}/",
        f"/admin/auth/group/{group.pk}/",
    )
    for address in addresses:
        answer = console.get(f"{address}history/")
        assert answer.headers["Location"] == f"{address}change/?tab=audit"
        page = console.get(answer.headers["Location"])
        assert page.context["tab"] == "audit"
        assert "/history/" not in page.content.decode()
        assert "Change history" not in page.content.decode()


def test_a_persons_tabs_tell_what_they_have_what_changed_and_what_they_did(
    console: Client, filled: Demo
) -> None:
    made = User.objects.create_user("bob", is_staff=True)
    address = f"{PEOPLE}{made.pk}/change/"
    form = console.get(address)
    assert tabs(form) == ["summary", "related", "audit"]
    assert "Link to set a password" in form.content.decode()
    given = {"username": "bob", "first_name": "Robert", "is_active": "on", "is_staff": "on"}
    assert console.post(address, given).status_code == 302
    related = console.get(address, {"tab": "related"}).content.decode()
    for listed in ("qkd_sessions/session", "files/file", "files/message", "jobs/job"):
        assert f"/admin/{listed}/?owner=user%3A{made.pk}" in related
    trail = console.get(address, {"tab": "audit"}).content.decode()
    assert "Changed: first name" in trail
    admin = User.objects.get(username="admin")
    own = console.get(f"{PEOPLE}{admin.pk}/change/", {"tab": "audit"}).content.decode()
    assert "user: changed" in own, "what they did, from the trail"
    assert not messages_of(console.get(address))


def test_who_may_not_read_the_trail_sees_what_changed_about_a_person_alone(
    person: Callable[..., Client], db: None
) -> None:
    made = User.objects.create_user("bob")
    page = person("access.view_user").get(f"{PEOPLE}{made.pk}/change/", {"tab": "audit"})
    assert [part.title for part in page.context["shown"]] == ["Changes"]
    assert "Not changed at the console yet." in page.content.decode()
    assert page.context["buttons"] == []


WORDS_OF_DJANGO = (
    " to change", " to view", "Change history", "Are you sure", "take me back", "Home</a>", "Save and add another",
    "be able to edit more user options", "Delete multiple objects",
)  # fmt: skip


def test_people_and_roles_speak_the_consoles_words(console: Client, db: None) -> None:
    """The lists, pages, additions and deletions of what Django's own admin shows."""
    user, group = User.objects.create_user("bob"), Group.objects.create(name="Night shift")
    roles = "/admin/auth/group/"
    selected = {"action": "delete_selected", "_selected_action": [str(user.pk)]}
    pages = {
        "People": console.get(PEOPLE),
        "Roles": console.get(roles),
        "Person": console.get(f"{PEOPLE}{user.pk}/change/"),
        "Role": console.get(f"{roles}{group.pk}/change/"),
        "Add a person": console.get(f"{PEOPLE}add/"),
        "Add a role": console.get(f"{roles}add/"),
        "Delete person": console.get(f"{PEOPLE}{user.pk}/delete/"),
        "Delete role": console.get(f"{roles}{group.pk}/delete/"),
        "Delete person ": console.post(PEOPLE, selected),
        "password": console.get(f"{PEOPLE}{user.pk}/password/"),
    }
    for title, page in pages.items():
        html = page.content.decode()
        assert page.status_code == 200, title
        assert title.strip() in html, title
        assert "Overview</a>" in html, title
        assert not [words for words in WORDS_OF_DJANGO if words in html], title
    assert "Their files, sessions and audit entries" in pages["Delete person"].content.decode()
    for way in (f"{PEOPLE}{user.pk}/delete/", f"{roles}{group.pk}/delete/"):
        assert console.post(way, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(username="bob").exists()
    assert not Group.objects.filter(name="Night shift").exists()


def test_the_side_bar_leads_where_operators_look(everything: Demo) -> None:
    shown = {role: as_role(role).get("/admin/").content.decode() for role in Role}
    uploads, verification = f'href="{FILES}upload/"', 'href="/admin/audit/entry/verify/"'
    assert {role for role, html in shown.items() if f"{uploads} >Upload" in " ".join(html.split())} == {
        Role.CLIENT, Role.ADMINISTRATOR
    }  # fmt: skip
    assert {role for role, html in shown.items() if verification in html} == {
        Role.AUDITOR,
        Role.ADMINISTRATOR,
    }
    client = as_role_again(Role.CLIENT)
    html = client.get(f"{FILES}upload/").content.decode()
    assert html.count('aria-current="page"') == 1, "the upload alone, and not the list of files, too"


def as_role_again(role: Role) -> Client:
    """Sign in the person whom ``as_role`` made."""
    client = Client()
    client.force_login(User.objects.get(username=f"a {role}"))
    return client


def test_an_owner_is_one_click_away_for_who_may_see_people(
    console: Client, person: Callable[..., Client], stock: Any
) -> None:
    user = User.objects.get(username="admin")
    file = f"{FILES}{encrypted_file(console).file_id}/change/"
    theirs = f'href="{PEOPLE}{user.pk}/change/"'
    assert theirs in console.get(file, {"tab": "related"}).content.decode()
    assert theirs not in person("files.view_file").get(file, {"tab": "related"}).content.decode()


def test_a_service_is_one_click_away_and_its_keys_from_each_other(console: Client, filled: Demo) -> None:
    key = api_keys.find(filled.key_id)
    listed = f"{CLIENTS}?owner={key.principal_id.replace(':', '%3A')}"
    assert f'href="{listed}"' in console.get(f"{CLIENTS}{key.key_id}/change/").content.decode()
    assert ids(console.get(listed)) == [key.key_id]
    related = console.get(f"{CLIENTS}{key.key_id}/change/", {"tab": "related"}).content.decode()
    assert f'href="{listed}"' in related
    assert ids(console.get(CLIENTS, {"owner": "service:nobody"})) == []


FIND = "/admin/find/"


def test_the_search_box_finds_people_and_services(
    console: Client, person: Callable[..., Client], filled: Demo
) -> None:
    made = User.objects.create_user("Zoë")
    page, service = f"{PEOPLE}{made.pk}/change/", api_keys.find(filled.key_id).principal_id
    for text in ("zo", "ZOË", str(made.pk), made.principal_id):
        assert console.get(FIND, {"q": text}).headers["Location"] == page, text
    listed = console.get(FIND, {"q": service}).headers["Location"]
    assert ids(console.get(listed)) == [filled.key_id]
    for text in ("service:", "service:nobody", f"user:{filled.key_id}", "user:"):
        assert "Location" not in console.get(FIND, {"q": text}).headers, text
    assert b"Nothing you may see" in person("files.view_file").get(FIND, {"q": "zo"}).content
