"""People of the OpenID Connect pool at the console (F6, E3).

Somebody is ``user:<subject>``, the same principal as with a token of the pool at the API. The role is that of their
principal, or else the first one that JWT_ROLES gives for their groups. Rights that decide they hold only if they were
admitted here, as everybody.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from apps.access import principals, ready_roles, recorded_changes
from apps.access.records import PrincipalKind
from apps.access.roles import Role
from apps.access.users import User, username_key
from apps.audit.records import system
from apps.common.errors import Forbidden

POOL = system("pool")


class Stranger(Forbidden):
    """Somebody whom the pool knows, and this platform does not."""

    title = "No role here"


def user_of(claims: Mapping[str, Any]) -> User:
    """Return the user whom the claims of an ID token are about; made with the first sign-in.

    Raises:
        Stranger: their subject is no UUID, they are disabled, or nothing gives them a role.
    """
    subject = _subject(claims)
    role = _role(f"{PrincipalKind.PERSON}:{subject}", claims)
    with transaction.atomic():
        user = User.objects.filter(pk=subject).first() or _made(subject, claims)
        ready_roles.put_into(user, role)
    return user


def _subject(claims: Mapping[str, Any]) -> uuid.UUID:
    try:
        return uuid.UUID(str(claims.get("sub", "")))
    except ValueError:
        raise Stranger(
            "The pool's subjects are not UUIDs, so that nobody of it has an account here. Sign in by password."
        ) from None


def _role(principal_id: str, claims: Mapping[str, Any]) -> Role:
    principal = principals.find_all(principal_id).get(principal_id)
    if principal is not None:
        if not principal.active:
            raise Stranger("You are disabled here. Ask an administrator.")
        return principal.role
    named = claims.get(settings.JWT_GROUPS_CLAIM)
    groups = named.split() if isinstance(named, str) else named if isinstance(named, list) else []
    for group in groups:
        if str(group) in settings.JWT_ROLES:
            return Role(settings.JWT_ROLES[str(group)])
    raise Stranger(f"None of your groups gives you a role. Ask an administrator to admit {principal_id}.")


def _made(subject: uuid.UUID, claims: Mapping[str, Any]) -> User:
    email = str(claims.get("email", "")) if claims.get("email_verified") in {True, "true"} else ""
    user = User(pk=subject, username=_free_name(subject, claims), email=email, is_staff=True)
    user.set_unusable_password()
    recorded_changes.record_made(user, actor=POOL)
    user.save()
    return user


def _free_name(subject: uuid.UUID, claims: Mapping[str, Any]) -> str:
    """A name from the claims that nobody has; names of the pool and of this platform may be the same by chance."""
    named = next(
        (
            str(claims[claim])
            for claim in ("preferred_username", "cognito:username", "username")
            if claims.get(claim)
        ),
        str(subject),
    )
    for name in (named, f"{named}-{subject.hex[:8]}"):
        try:
            User.username_validator(name)
        except ValidationError:
            break
        if len(name) <= 150 and not User.objects.filter(username_key=username_key(name)).exists():
            return name
    return str(subject)
