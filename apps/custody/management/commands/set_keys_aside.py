"""After a restore: no quantum key of the backup is used any more."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand

from apps.audit.records import system
from apps.custody import restoring


class Command(BaseCommand):
    help = "Take all quantum keys that are ready out of use: of a restored backup, some may have been used since."

    def handle(self, *_args: Any, **_options: Any) -> None:
        aside = restoring.set_keys_aside(actor=system(f"command:{getpass.getuser()}"))
        self.stdout.write(
            self.style.SUCCESS(f"{aside} quantum keys are out of use. New sessions fill the stock.")
        )
