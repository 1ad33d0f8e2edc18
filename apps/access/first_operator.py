"""The first person and the first API key of a platform, before anybody can make others."""

import secrets
from dataclasses import dataclass, field

from apps.access import api_keys, principals, recorded_changes
from apps.access.records import KeyStatus, Principal, PrincipalNotFound
from apps.access.roles import Role
from apps.access.users import User, username_key
from apps.audit.records import Actor
from apps.common.errors import Refused

SERVICE, SERVICE_ID = "first run", "00000000f1257000"
PASSWORD_BYTES = 18  # 144 bits, 24 characters
KEYS_SHOWN = 100


class AlreadyThere(Refused):
    """There is a first operator, whose secrets were handed over."""


@dataclass(frozen=True, slots=True)
class FirstOperator:
    """What is shown once."""

    user: str
    password: str = field(repr=False)
    api_key: str = field(repr=False)


def make(user: str, *, actor: Actor, again: bool = False) -> FirstOperator:
    """Make an administrator who approves, and the API key of a service.

    Args:
        user: the name to sign in with.
        actor: who does it.
        again: the secrets were lost: the person gets a new password, and the service's keys are revoked.

    Raises:
        AlreadyThere: it was done before, and ``again`` is not asked for.
    """
    service = _service(actor)
    valid = [
        key
        for key in api_keys.keys_page(principal_id=service.principal_id, limit=KEYS_SHOWN).records
        if key.status is KeyStatus.ACTIVE
    ]
    if valid and not again:
        raise AlreadyThere(
            "The first operator is there. If the secrets were lost, ask for new ones: bootstrap --again."
        )
    for key in valid:
        api_keys.revoke(key.key_id, reason="the first operator is made again", actor=actor)
    made, password = _user_with_new_password(user, actor)
    _admit(made, actor)
    # The key comes last: while there is none, a run that was killed is made good by the next
    _, api_key = api_keys.issue(service.principal_id, name=SERVICE, actor=actor)
    return FirstOperator(made.username, password, api_key)


def _service(actor: Actor) -> Principal:
    try:
        return principals.find(f"service:{SERVICE_ID}")
    except PrincipalNotFound:
        return principals.make_service(SERVICE, role=Role.ADMINISTRATOR, service_id=SERVICE_ID, actor=actor)


def _user_with_new_password(name: str, actor: Actor) -> tuple[User, str]:
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    user, is_new = User.objects.get_or_create(username_key=username_key(name), defaults={"username": name})
    if is_new:
        recorded_changes.record_made(user, actor=actor)
    user.is_staff = user.is_superuser = user.is_active = True
    user.set_password(password)
    user.save()
    return user, password


def _admit(user: User, actor: Actor) -> None:
    """Admit the operator as an approver, unless an earlier run did. Others: ``manage.py person admit``."""
    if not principals.find_all(user.principal_id):
        principals.admit_person(
            str(user.pk), user.username, role=Role.ADMINISTRATOR, approver=True, actor=actor
        )
