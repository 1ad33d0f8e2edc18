"""Writes the pages of the documentation that are made from the code."""

import subprocess
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from qkdplatform import client_catalogue
from qkdplatform.pages import PAGES

REFERENCE = "docs/client-reference.md"


class Command(BaseCommand):
    help = "Write what is made from what the apps declare: pages of the documentation, and the client's catalogue."

    def handle(self, *_args: Any, **_options: Any) -> None:
        for page, text in PAGES.items():
            (settings.BASE_DIR / page).write_text(text(), encoding="utf-8")
            self.stdout.write(page)
        client_catalogue.PATH.write_text(client_catalogue.text(), encoding="utf-8")
        self.stdout.write(str(client_catalogue.PATH.relative_to(settings.BASE_DIR)))
        # A process of its own, as the client knows nothing of the platform, and reads the catalogue that was just made
        command = [sys.executable, "-m", "qkdclient.cli.reference", REFERENCE]
        subprocess.run(command, check=True, cwd=settings.BASE_DIR)  # noqa: S603 - our own module
        self.stdout.write(REFERENCE)
