"""Roles and scopes: who may do what."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Self

from apps.common.declarations import Declared, members, modules_named


class Role(StrEnum):
    """What a caller is for; each scope says which roles hold it."""

    VIEWER = "viewer"
    CLIENT = "client"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


READERS = frozenset({Role.VIEWER, Role.OPERATOR, Role.AUDITOR})  # see every record, and no content
EVERYBODY = READERS | {Role.CLIENT}


class Scope(Declared):
    """One thing that a caller may do, and the roles that may do it; administrators may do everything.

    Each app declares its own in its ``scopes.py``; docs/scopes.md lists them all.
    """

    roles: frozenset[Role]

    def __new__(cls, value: str, meaning: str, *roles: Role) -> Self:
        # Not super().__new__: an enumeration that is made looks members up there
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        member.roles = frozenset({*roles, Role.ADMINISTRATOR})
        return member


@cache
def all_scopes() -> Mapping[str, Scope]:
    """Collect the scopes that the apps declare.

    Raises:
        ImproperlyConfigured: two apps declare the same.
    """
    return members(Scope, modules_named("scopes"))


def scopes_of(role: Role) -> frozenset[Scope]:
    """Return what a role may do."""
    return frozenset(scope for scope in all_scopes().values() if role in scope.roles)
