"""Writes the pages of the documentation that are made from the code."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from qkdplatform.pages import PAGES


class Command(BaseCommand):
    help = "Write the pages of the documentation that are made from what the apps declare."

    def handle(self, *_args: Any, **_options: Any) -> None:
        for page, text in PAGES.items():
            (settings.BASE_DIR / page).write_text(text(), encoding="utf-8")
            self.stdout.write(page)
