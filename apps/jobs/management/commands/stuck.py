"""``manage.py stuck``: what does not get on by itself, each with what to do."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.common import standstill


class Command(BaseCommand):
    """Print what is stuck; it ends with 1 where something is."""

    help = "What does not get on by itself: jobs, rotations, uploads, messages; each with what to do."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON array, for programs")

    def handle(self, *_: Any, **options: Any) -> None:
        found = standstill.found()
        if options["json"]:
            self.stdout.write(json.dumps([asdict(one) for one in found], default=str, indent=2))
        for one in [] if options["json"] else found:
            some = f"{one.count} or more" if one.count == standstill.MOST else one.count
            since = f", since {one.oldest:%Y-%m-%d %H:%M} UTC" if one.oldest else ""
            self.stdout.write(f"{one.what}: {some}{since}")
            if one.examples:
                self.stdout.write(f"    {', '.join(one.examples)}")
            self.stdout.write(f"    {one.action}")
        if found:
            raise CommandError(f"{len(found)} kinds of things are stuck.", returncode=1)
        if not options["json"]:
            self.stdout.write("Nothing is stuck.")
