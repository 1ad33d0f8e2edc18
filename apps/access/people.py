"""Users of the console as Django keeps them: nobody gives a right that they do not hold, nor edits who holds more."""

from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission

from apps.access.users import User


def may_edit(editor: User, target: User) -> bool:
    """Return whether a user holds at least what another holds, and so may edit, delete or sign in as them."""
    if editor.is_superuser or editor.pk == target.pk:
        return True
    return not target.is_superuser and target.get_all_permissions() <= editor.get_all_permissions()


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
