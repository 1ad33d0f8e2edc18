"""Makes the console's first user and the first API key, once."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from apps.access import first_operator
from apps.audit.records import system
from apps.stack.layout import write_private

USER = "operator"
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
        operator = first_operator.make(USER, actor=system("first_run"), again=True)
        made = {
            # Security keys ask for a name: an address cannot be a relying party
            "console_url": f"{settings.BASE_URL.replace('//127.0.0.1', '//localhost')}/admin/",
            "user": operator.user,
            "password": operator.password,
            "api_key": operator.api_key,
            "api_url": f"{settings.BASE_URL}/api/v1",
        }
        write_private(path, json.dumps(made, indent=2) + "\n")
