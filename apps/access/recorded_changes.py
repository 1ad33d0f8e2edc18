"""Changes of the console's users and groups in the trail, as Django's admin tells of them (D6).

The admin tells within the database transaction that makes the change, so that where the entry cannot be written the
change is undone.
"""

from typing import Any

from django.contrib.auth.models import Group
from django.db import models

from apps.access.trail import UserEvent
from apps.access.users import User
from apps.audit.records import Actor
from apps.audit.services import record


def record_made(made: models.Model, *, actor: Actor) -> None:
    """Record a user or group that was made."""
    _record(made, UserEvent.MADE, UserEvent.GROUP_MADE, actor)


def record_changed(changed: models.Model, message: Any, *, actor: Actor) -> None:
    """Record which fields were changed, as the admin's ``message`` says, and what the user or group may do now."""
    more = {"fields": _fields_in(message), **_rights(changed)}
    _record(changed, UserEvent.CHANGED, UserEvent.GROUP_CHANGED, actor, **more)


def record_removed(removed: models.Model, *, actor: Actor) -> None:
    """Record a user or group that was removed."""
    _record(removed, UserEvent.REMOVED, UserEvent.GROUP_REMOVED, actor)


def _record(
    subject: models.Model, of_user: UserEvent, of_group: UserEvent, actor: Actor, **detail: Any
) -> None:
    if isinstance(subject, User):
        record(actor, of_user, user=subject.principal_id, username=subject.username, **detail)
    elif isinstance(subject, Group):
        record(actor, of_group, group=subject.pk, name=subject.name, **detail)
    else:
        raise TypeError(f"{type(subject).__name__} is neither a user nor a group.")


def _fields_in(message: Any) -> list[str]:
    if not isinstance(message, list):
        return []
    return [str(name) for part in message for name in part.get("changed", {}).get("fields", [])]


def _rights(subject: models.Model) -> dict[str, Any]:
    """Return what a user or group may do after the change."""
    if isinstance(subject, User):
        return {
            "superuser": subject.is_superuser,
            "active": subject.is_active,
            "groups": sorted(group.name for group in subject.groups.all()),
            "permissions": sorted(_name(permission) for permission in subject.user_permissions.all()),
        }
    if isinstance(subject, Group):
        return {"permissions": sorted(_name(permission) for permission in subject.permissions.all())}
    return {}


def _name(permission: Any) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"
