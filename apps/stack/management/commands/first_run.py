"""Makes the console's first user and the first API key, once."""

import json
import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from apps.access import services
from apps.access.records import ClientStatus
from apps.access.roles import Role
from apps.audit.records import system
from apps.stack.layout import write_private

USER = "operator"
CLIENT = "first run"
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
        for client in services.clients_page(limit=100).records:
            if client.name == CLIENT and client.status is ClientStatus.ACTIVE:
                services.revoke(client.client_id, actor=actor)
        _, key = services.issue(name=CLIENT, role=Role.ADMINISTRATOR, actor=actor)
        made = {
            "console_url": f"{settings.BASE_URL}/admin/",
            "user": USER,
            "password": _new_password(),
            "api_key": key,
            "api_url": f"{settings.BASE_URL}/api/v1",
        }
        write_private(path, json.dumps(made, indent=2) + "\n")


def _new_password() -> str:
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    user, _ = User.objects.get_or_create(username=USER)
    user.is_staff = user.is_superuser = user.is_active = True
    user.set_password(password)
    user.save()
    return password
