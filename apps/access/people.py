"""Persons: users of the console as Django keeps them, together with the principal that says what they may decide.

Nobody gives a right that they do not hold, nor edits who holds more.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db import transaction

from apps.access import principals, ready_roles, recorded_changes
from apps.access.records import Principal, PrincipalKind, PrincipalNotFound
from apps.access.roles import Role
from apps.access.trail import UserEvent
from apps.access.users import User, username_key
from apps.audit.records import Actor
from apps.audit.services import record
from apps.common.errors import Invalid


def find(username: str) -> User:
    """One user, by a name in any case.

    Raises:
        PrincipalNotFound: no such user.
    """
    found = User.objects.filter(username_key=username_key(username)).first()
    if found is None:
        raise PrincipalNotFound(f"There is no user {username!r}.")
    return found


def admit(username: str, *, role: Role, actor: Actor, approver: bool = False, email: str = "") -> Principal:
    """Let a person decide: their user is made if there is none, without a password.

    Raises:
        Invalid: not a user name.
        Forbidden: the actor does not hold what is given.
        Refused: the person is admitted already.
    """
    with transaction.atomic():  # a user made for who is then refused does not stay
        user = User.objects.filter(username_key=username_key(username)).first()
        if user is None:
            user = _new_user(username, email)
            recorded_changes.record_made(user, actor=actor)
        ready_roles.put_into(user, role)
        return principals.admit_person(str(user.pk), user.username, role=role, approver=approver, actor=actor)


def decide(user: User, *, role: Role, approver: bool, actor: Actor) -> Principal:
    """Give a person a role and the right to approve, or take it; they are admitted if they were not.

    Raises:
        Forbidden: the person holds more than the actor, or is to get what the actor does not hold.
    """
    with transaction.atomic():
        ready_roles.put_into(user, role)
        if principals.find_all(user.principal_id):
            return principals.change(user.principal_id, role=role, approver=approver, actor=actor)
        return principals.admit_person(str(user.pk), user.username, role=role, approver=approver, actor=actor)


def change(user: User, *, actor: Actor, role: Role | None = None, **more: Any) -> Principal:
    """Change what an admitted person may do, as ``principals.change``; their group at the console follows.

    Raises:
        PrincipalNotFound: the person was not admitted.
        Forbidden: the person holds more than the actor, or is to get what the actor does not hold.
    """
    with transaction.atomic():
        if role is not None:
            ready_roles.put_into(user, role)
        return principals.change(user.principal_id, role=role, actor=actor, **more)


def may_come_in(user: User) -> bool:
    """Return whether a person may sign in, as their principal says; the group of its role is theirs then."""
    principal = principals.find_all(user.principal_id).get(user.principal_id)
    if principal is not None and principal.active:
        ready_roles.put_into(user, principal.role)
    return principal is None or principal.active


def of_principal(principal_id: str) -> User | None:
    """Return the user of a person's principal; None for services, groups, and people of the pool who never came."""
    kind, _, identifier = principal_id.partition(":")
    if kind != PrincipalKind.PERSON:
        return None
    try:
        return User.objects.filter(pk=identifier).first()
    except ValidationError:
        return None


def _new_user(username: str, email: str) -> User:
    user = User(username=username, email=email, is_staff=True)
    user.set_unusable_password()
    try:
        user.full_clean()
    except ValidationError as error:
        name, messages = next(iter(error.message_dict.items()))
        raise Invalid.of(name, " ".join(messages)) from None
    user.save()
    return user


def disable(user: User, *, reason: str, actor: Actor) -> None:
    """End what a person decides, their API keys and their sign-ins. Idempotent.

    Raises:
        Forbidden: the person holds more than the actor.
    """
    found = principals.find_all(user.principal_id).get(user.principal_id)
    if found is not None and found.active:
        principals.disable(user.principal_id, reason=reason, actor=actor)
    _set_active(user, active=False, actor=actor)


def enable(user: User, *, reason: str, actor: Actor) -> None:
    """Let a disabled person act and sign in again. Idempotent.

    Raises:
        Forbidden: the person holds more than the actor.
    """
    found = principals.find_all(user.principal_id).get(user.principal_id)
    if found is not None and not found.active:
        principals.enable(user.principal_id, reason=reason, actor=actor)
    _set_active(user, active=True, actor=actor)


def _set_active(user: User, *, active: bool, actor: Actor) -> None:
    with transaction.atomic():
        user.is_active = active
        user.save(update_fields=["is_active"])
        record(actor, UserEvent.CHANGED, user=user.principal_id, fields=["Active"], active=active)


def may_edit(editor: User, target: User) -> bool:
    """Return whether a user holds at least what another holds, and so may edit, delete or sign in as them.

    Both as Django keeps it and as the principals say: a superuser who sets an approver's password would be two persons.
    """
    if editor.pk == target.pk:
        return True
    held = editor.is_superuser or (
        not target.is_superuser and target.get_all_permissions() <= editor.get_all_permissions()
    )
    return held and principals.may_change(target.principal_id, editor.principal_id)


def may_edit_group(editor: User, group: Group) -> bool:
    """Return whether a user holds all permissions of a group."""
    return not exceeding(editor, permissions=group.permissions.select_related("content_type"))


def exceeding(
    editor: User,
    *,
    permissions: Iterable[Permission] = (),
    groups: Iterable[Group] = (),
    superuser: bool = False,
) -> list[str]:
    """What a user would give without holding it: names of permissions, or "superuser"; empty where all is held."""
    if editor.is_superuser:
        return []
    wanted = {_name(permission) for permission in permissions}
    for group in groups:
        wanted |= {_name(permission) for permission in group.permissions.select_related("content_type")}
    found = sorted(wanted - editor.get_all_permissions())
    return ["superuser", *found] if superuser else found


def _name(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"
