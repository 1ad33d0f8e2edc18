"""Who needs a second factor, who has one, and what an administrator does where one is lost."""

from allauth.mfa.models import Authenticator
from django.conf import settings

from apps.access import ready_roles
from apps.access.users import User

PROOFS = (
    Authenticator.Type.TOTP,
    Authenticator.Type.WEBAUTHN,
)  # recovery codes stand in for one, they are none


def is_needed(user: User) -> bool:
    """Return whether a role of the user asks for a second factor."""
    return not ready_roles.roles_of(user).isdisjoint(settings.SECOND_FACTOR_ROLES)


def has_one(user: User) -> bool:
    """Return whether a user has a second factor to sign in with."""
    return bool(Authenticator.objects.filter(user=user, type__in=PROOFS).exists())


def remove_all(user: User) -> int:
    """Remove the factors and recovery codes of a user, who adds others at the next sign-in; returns how many.

    An entry about each is written before.
    """
    found = list(Authenticator.objects.filter(user=user))
    for factor in found:
        factor.delete()
    return len(found)
