"""Makes the console's first user and the first API key, once."""

import json
import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from apps.access import api_keys, principals
from apps.access.records import KeyStatus, Principal, PrincipalNotFound
from apps.access.roles import Role
from apps.access.users import User
from apps.audit.records import Actor, system
from apps.stack.layout import write_private

USER = "operator"
SERVICE, SERVICE_ID = "first run", "00000000f1257000"
PASSWORD_BYTES = 18  # 144 bits, 24 characters
FILE = "first-run.json"


class Command(BaseCommand):
    """Ends right wherever an earlier one was killed: the file is written last, and whole.

    Without the file a new password is set and keys of an unfinished first run are revoked, since
    nobody can know them any more.
    """

    help = __doc__

    def handle(self, *_args: Any, **_options: Any) -> None:
        path = settings.LOCAL_DIR / FILE
        if path.exists():
            return
        actor = system("first_run")
        service = _service(actor)
        for key in api_keys.keys_page(principal_id=service.principal_id, limit=100).records:
            if key.status is KeyStatus.ACTIVE:
                api_keys.revoke(key.key_id, reason="an unfinished first run", actor=actor)
        _, key_secret = api_keys.issue(service.principal_id, name=SERVICE, actor=actor)
        user, password = _user_with_new_password()
        _admit(user, actor)
        made = {
            "console_url": f"{settings.BASE_URL}/admin/",
            "user": USER,
            "password": password,
            "api_key": key_secret,
            "api_url": f"{settings.BASE_URL}/api/v1",
        }
        write_private(path, json.dumps(made, indent=2) + "\n")


def _service(actor: Actor) -> Principal:
    try:
        return principals.find(f"service:{SERVICE_ID}")
    except PrincipalNotFound:
        return principals.make_service(SERVICE, role=Role.ADMINISTRATOR, service_id=SERVICE_ID, actor=actor)


def _user_with_new_password() -> tuple[User, str]:
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    user, _ = User.objects.get_or_create(username_key=USER, defaults={"username": USER})
    user.is_staff = user.is_superuser = user.is_active = True
    user.set_password(password)
    user.save()
    return user, password


def _admit(user: User, actor: Actor) -> None:
    """Admit the operator as an approver, unless an earlier run that was killed did. Others: ``manage.py person admit``."""
    if not principals.find_all(user.principal_id):
        principals.admit_person(
            str(user.pk), user.username, role=Role.ADMINISTRATOR, approver=True, actor=actor
        )
