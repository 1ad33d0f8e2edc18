"""Persons, services and groups: nobody gives what they do not hold; grants allow, end, and are taken back."""

from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.test import Client

from apps.access import api_keys, grants, principals
from apps.access.authentication import as_actor
from apps.access.models import User
from apps.access.records import KeyStatus, Right
from apps.access.roles import Role
from apps.audit.records import Actor, ActorKind
from apps.common import clock
from apps.common.errors import Forbidden, Invalid, Unauthenticated
from tests import requirement
from tests.conftest import TESTS

PERSON = Actor(ActorKind.USER, "00000000-0000-4000-8000-000000000001", sees_all=True)


def admit(role: Role, *, approver: bool = False) -> Actor:
    principals.admit_person(PERSON.id, "somebody", role=role, approver=approver, actor=TESTS)
    return PERSON


@requirement("E8")
def test_a_new_key_of_a_service_keeps_what_the_service_owns(aws):
    caller, _ = api_keys.issue_for_service("backup", role=Role.CLIENT, actor=TESTS)
    _, second = api_keys.issue(caller.principal.principal_id, actor=TESTS)
    again = api_keys.authenticate(second, source_ip="127.0.0.1")
    assert str(as_actor(again, source_ip="127.0.0.1")) == str(as_actor(caller, source_ip="127.0.0.1"))
    assert again.key_id != caller.key_id


@requirement("E3", "E8")
def test_two_keys_are_valid_while_one_is_rotated(aws, monkeypatch):
    caller, first = api_keys.issue_for_service("backup", role=Role.CLIENT, actor=TESTS)
    made, second = api_keys.rotate(caller.key_id, overlap=timedelta(hours=1), actor=TESTS)
    for secret in (first, second):
        assert api_keys.authenticate(secret, source_ip="127.0.0.1").principal == caller.principal
    later = clock.now() + timedelta(hours=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(Unauthenticated):
        api_keys.authenticate(first, source_ip="127.0.0.1")
    assert api_keys.authenticate(second, source_ip="127.0.0.1").key_id == made.key_id


@requirement("E8")
def test_a_key_is_limited_to_scopes_networks_and_time(aws):
    caller, secret = api_keys.issue_for_service("backup", role=Role.CLIENT, actor=TESTS)
    api_keys.limit(
        caller.key_id,
        scopes=["files:read", "keys:manage"],
        networks=["192.0.2.0/24", "2001:db8::/32"],
        actor=TESTS,
    )
    found = api_keys.authenticate(secret, source_ip="192.0.2.9")
    assert {scope.value for scope in found.scopes} == {"access:self", "files:read"}, (
        "never more than the role allows; who one is, every credential may ask"
    )
    assert api_keys.authenticate(secret, source_ip="2001:db8::1")
    for elsewhere in ("198.51.100.1", "", "not an address"):
        with pytest.raises(Unauthenticated):
            api_keys.authenticate(secret, source_ip=elsewhere)


@requirement("E8", "E3")
def test_limits_that_cannot_be_are_refused_by_field(aws):
    caller, _ = api_keys.issue_for_service("backup", role=Role.CLIENT, actor=TESTS)
    for wrong, field in (
        ({"scopes": ["files:everything"]}, "scopes"),
        ({"networks": ["192.0.2.1/24"]}, "networks"),
        ({"expires_at": clock.now() - timedelta(seconds=1)}, "expires_at"),
    ):
        with pytest.raises(Invalid) as refused:
            api_keys.limit(caller.key_id, actor=TESTS, **wrong)
        assert refused.value.errors[0].field == field


@requirement("E8")
def test_a_disabled_service_acts_with_none_of_its_keys(aws):
    caller, secret = api_keys.issue_for_service("backup", role=Role.CLIENT, actor=TESTS)
    api_keys.authenticate(secret, source_ip="127.0.0.1")
    principals.disable(caller.principal.principal_id, reason="left", actor=TESTS)
    with pytest.raises(Unauthenticated):
        api_keys.authenticate(secret, source_ip="127.0.0.1")
    principals.enable(caller.principal.principal_id, reason="back", actor=TESTS)
    assert api_keys.authenticate(secret, source_ip="127.0.0.1")


@requirement("E8", "I12")
@pytest.mark.parametrize("role", [Role.VIEWER, Role.CLIENT, Role.OPERATOR, Role.AUDITOR])
def test_nobody_gives_a_right_that_they_do_not_hold(aws, role: Role):
    person = admit(role)
    with pytest.raises(Forbidden):
        principals.make_service("mine", role=Role.ADMINISTRATOR, actor=person)
    with pytest.raises(Forbidden):
        principals.change(str(person), role=Role.ADMINISTRATOR, actor=person)
    with pytest.raises(Forbidden):
        principals.change(str(person), approver=True, actor=person)
    assert principals.find(str(person)).role is role


@requirement("E8", "I12")
def test_nobody_changes_somebody_who_holds_more(aws):
    person = admit(Role.OPERATOR)
    administrator = principals.make_service("first", role=Role.ADMINISTRATOR, actor=TESTS)
    with pytest.raises(Forbidden):
        principals.change(administrator.principal_id, role=Role.VIEWER, actor=person)
    with pytest.raises(Forbidden):
        principals.disable(administrator.principal_id, reason="mine now", actor=person)
    with pytest.raises(Forbidden):
        api_keys.issue(administrator.principal_id, actor=person)


@requirement("E8")
def test_a_person_who_was_not_admitted_gives_nothing(aws):
    with pytest.raises(Forbidden):
        principals.make_service("mine", role=Role.VIEWER, actor=PERSON)


@requirement("I12")
def test_only_persons_approve(aws):
    service = principals.make_service("robot", role=Role.ADMINISTRATOR, actor=TESTS)
    with pytest.raises(Invalid):
        principals.change(service.principal_id, approver=True, actor=TESTS)


@requirement("C16", "E8")
def test_a_grant_allows_until_it_ends_or_is_taken_back(aws, monkeypatch):
    owner, _ = api_keys.issue_for_service("owner", role=Role.CLIENT, actor=TESTS)
    other, _ = api_keys.issue_for_service("other", role=Role.CLIENT, actor=TESTS)
    mine, theirs = as_actor(owner, source_ip="127.0.0.1"), as_actor(other, source_ip="127.0.0.1")
    name = grants.file_object("f1")
    assert not grants.is_granted(theirs, [name], Right.READ)
    grants.give(
        str(theirs), name, Right.READ, owner=str(mine), actor=mine, until=clock.now() + timedelta(hours=1)
    )
    assert grants.is_granted(theirs, [name], Right.READ)
    assert not grants.is_granted(theirs, [name], Right.WRITE)
    grants.give(
        str(theirs), name, Right.WRITE, owner=str(mine), actor=mine, until=clock.now() + timedelta(hours=1)
    )
    assert grants.is_granted(theirs, [name], Right.WRITE)
    with monkeypatch.context() as later:
        moment = clock.now() + timedelta(hours=2)
        later.setattr(clock, "now", lambda: moment)
        assert not grants.is_granted(theirs, [name], Right.READ)
    grants.revoke(str(theirs), name, actor=mine)
    assert not grants.is_granted(theirs, [name], Right.READ)


@requirement("C16", "E8")
def test_a_group_is_granted_what_its_members_may_read(aws):
    group = principals.make_group("payroll", actor=TESTS)
    member, _ = api_keys.issue_for_service("member", role=Role.CLIENT, actor=TESTS)
    principals.change(member.principal.principal_id, groups=[group.principal_id], actor=TESTS)
    owner = Actor(ActorKind.SERVICE, "owner")
    name = grants.type_object(str(owner), "invoice")
    grants.give(group.principal_id, name, Right.READ, owner=str(owner), actor=owner)
    again = replace(member, principal=principals.find(member.principal.principal_id))
    joined = as_actor(again, source_ip="127.0.0.1")
    assert grants.is_granted(joined, [grants.file_object("f2"), name], Right.READ)
    assert joined.may_see(group.principal_id)
    assert not grants.is_granted(as_actor(member, source_ip="127.0.0.1"), [name], Right.READ)


@requirement("C16", "I8")
def test_only_the_owner_grants(aws):
    service = principals.make_service("other", role=Role.CLIENT, actor=TESTS)
    stranger = Actor(ActorKind.SERVICE, service.id)
    with pytest.raises(grants.GrantNotFound):
        grants.give(str(stranger), "file:f1", Right.READ, owner="service:owner", actor=stranger)


@requirement("C16", "E8", "I12")
@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.AUDITOR])
def test_who_sees_every_record_grants_nothing_to_themselves(aws, role: Role):
    caller, _ = api_keys.issue_for_service("reader", role=role, actor=TESTS)
    reader = as_actor(caller, source_ip="127.0.0.1")
    assert reader.sees_all
    for name in (grants.file_object("f1"), grants.type_object("service:owner", "invoice")):
        with pytest.raises(grants.GrantNotFound):
            grants.give(str(reader), name, Right.READ, owner="service:owner", actor=reader)
        assert not grants.is_granted(reader, [name], Right.READ)


@requirement("C16", "E8")
def test_an_administrator_grants_and_takes_back_for_others(aws):
    caller, _ = api_keys.issue_for_service("helper", role=Role.ADMINISTRATOR, actor=TESTS)
    helper = as_actor(caller, source_ip="127.0.0.1")
    name = grants.file_object("f1")
    grants.give(str(helper), name, Right.READ, owner="service:owner", actor=helper)
    assert grants.is_granted(helper, [name], Right.READ)
    grants.revoke(str(helper), name, actor=helper)
    assert not grants.is_granted(helper, [name], Right.READ)


@requirement("C16", "E8")
def test_nobody_grants_a_document_type_of_another_owner(aws):
    caller, _ = api_keys.issue_for_service("thief", role=Role.CLIENT, actor=TESTS)
    thief = as_actor(caller, source_ip="127.0.0.1")
    with pytest.raises(grants.GrantNotFound):
        grants.give(
            str(thief), grants.type_object("service:victim", "x"), Right.READ, owner=str(thief), actor=thief
        )


@requirement("E3", "E8")
def test_a_rotated_key_ends_no_later_than_the_first(aws):
    caller, _ = api_keys.issue_for_service("backup", role=Role.CLIENT, actor=TESTS)
    end = clock.now() + timedelta(days=3)
    limited = api_keys.limit(caller.key_id, expires_at=end, scopes=["files:read"], actor=TESTS)
    made, _ = api_keys.rotate(caller.key_id, overlap=timedelta(hours=1), actor=TESTS)
    assert (made.expires_at, made.scopes) == (limited.expires_at, limited.scopes)


@requirement("E8")
def test_the_id_of_a_service_fits_into_the_ids_of_its_keys(aws):
    with pytest.raises(Invalid):
        principals.make_service("x", role=Role.CLIENT, service_id="first-run", actor=TESTS)


@requirement("E8", "F6")
def test_two_names_that_look_alike_are_one(db):
    first = User.objects.create_user("Mallory")
    assert User.objects.get_by_natural_key("mallory") == first
    for alike in ("mallory", "MALLORY", "\uff4dallory"):
        with pytest.raises(IntegrityError):
            _create(alike)
    first.username = "Someone"
    first.save()
    assert User.objects.get_by_natural_key("someone").principal_id == first.principal_id


def _create(name: str) -> None:
    from django.db import transaction

    with transaction.atomic():
        User.objects.create_user(name)


@requirement("E3", "F6")
def test_sign_in_takes_the_name_in_any_case(aws, db):
    User.objects.create_user("Alice", password="a long password", is_staff=True)
    assert Client().login(username="aLiCe", password="a long password")


@requirement("E3", "E8")
def test_the_command_makes_rotates_limits_and_revokes(aws):
    def run(*arguments: str) -> str:
        out = StringIO()
        call_command("api_client", *arguments, stdout=out)
        return out.getvalue()

    principal, secret = run("make", "backup", "--role", "client").split()
    key_id = secret.partition(".")[0]
    assert api_keys.authenticate(secret, source_ip="127.0.0.1").principal.principal_id == principal
    second = run("issue", principal, "--scope", "files:read", "--days", "30").strip()
    assert "files:read" in run("list")
    run("limit", second.partition(".")[0], "--network", "192.0.2.0/24")
    run("rotate", key_id)
    run("revoke", key_id, "--reason", "leaked")
    assert api_keys.find(key_id).status is KeyStatus.REVOKED
    with pytest.raises(CommandError, match="There is no API key"):
        run("revoke", "qk0", "--reason", "leaked")
