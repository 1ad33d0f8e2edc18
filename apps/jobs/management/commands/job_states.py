"""Draws the state diagram of jobs."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from apps.jobs import diagram


class Command(BaseCommand):
    help = "Print the state diagram of jobs (Mermaid), or write the documentation's page on jobs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help=f"write {diagram.PAGE}")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["write"]:
            (settings.BASE_DIR / diagram.PAGE).write_text(diagram.page(), encoding="utf-8")
        else:
            self.stdout.write(diagram.mermaid())
