"""The five ready roles as Django's groups: what each may do at the console follows from the scopes of the role.

A permission ``<app>.<action>_<model>`` belongs to the scope that the app declares for the action, to the one for
managing, or to the one for writing, whichever there is first; ``view`` belongs to the one for reading. What belongs
to none is for administrators. So a new list or action is in the right roles without a table of its own.
"""

from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission

from apps.access.roles import Role, all_scopes
from apps.access.users import User

GROUPS = {role: role.value.capitalize() for role in Role}
# Apps whose permissions belong to another's scopes: who is told what is stuck sees to dead letters and schedules
_PREFIXES = {
    "qkd_sessions": "sessions",
    "custody": "keys",
    "auth": "access",
    "kme": "saes",
    "operations": "alerts",
}
_SEE_EVERY_OWNER = "access.see_every_owner"
_ADMINISTRATORS = frozenset({"custody.replace_rootkey"})  # whatever the scopes of keys say
_BY_NAME = {name: role for role, name in GROUPS.items()}


def permissions_of(role: Role, permissions: Iterable[Permission]) -> list[Permission]:
    """Return those of some permissions that a role holds."""
    return [permission for permission in permissions if role in _roles_of(permission)]


def roles_of(user: User) -> frozenset[Role]:
    """Return the roles that a user acts in at the console; who may change something by single rights is an operator."""
    if user.is_superuser:
        return frozenset({Role.ADMINISTRATOR})
    held = frozenset(
        _BY_NAME[name] for name in user.groups.values_list("name", flat=True) if name in _BY_NAME
    )
    changes = any(
        not name.partition(".")[2].startswith(("view_", "see_")) for name in user.get_all_permissions()
    )
    return held or frozenset({Role.OPERATOR} if changes else ())


def put_into(user: User, role: Role) -> None:
    """Give a user the group of a role, and take those of others."""
    if set(user.groups.filter(name__in=_BY_NAME).values_list("name", flat=True)) == {GROUPS[role]}:
        return
    group, _ = Group.objects.get_or_create(name=GROUPS[role])
    user.groups.remove(*user.groups.filter(name__in=_BY_NAME))
    user.groups.add(group)


def is_ready(group: Group) -> bool:
    """Return whether a group is a ready role's, whose permissions follow each release."""
    return group.name in _BY_NAME


def sync() -> None:
    """Make the groups, and give each what its role may do in this release. Idempotent."""
    permissions = list(Permission.objects.select_related("content_type"))
    for role, name in GROUPS.items():
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.set(permissions_of(role, permissions))


def _roles_of(permission: Permission) -> frozenset[Role]:
    app, codename = permission.content_type.app_label, permission.codename
    if f"{app}.{codename}" == _SEE_EVERY_OWNER:
        return all_scopes()["owners:all"].roles
    if f"{app}.{codename}" in _ADMINISTRATORS:
        return frozenset({Role.ADMINISTRATOR})
    action = codename.partition("_")[0]
    prefix = _PREFIXES.get(app, app)
    wanted = ("read",) if action == "view" else (action, "manage", "write")
    scopes = (all_scopes().get(f"{prefix}:{name}") for name in wanted)
    return next((scope.roles for scope in scopes if scope is not None), frozenset({Role.ADMINISTRATOR}))
