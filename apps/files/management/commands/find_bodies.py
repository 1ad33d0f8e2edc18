"""After the bucket of bodies was brought back from a copy: the records name them where they are now."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.audit.records import system
from apps.common import deadline
from apps.common.errors import PlatformError
from apps.files.life import finding

RESERVE_SECONDS = 120.0  # that a page of files may take before Lambda ends the function
SHOWN = 20  # of the files whose bodies are missing


class Command(BaseCommand):
    help = "Have the records name bodies where they are, after their bucket was brought back from a copy. Idempotent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--after", default="", help="where a run before this one ended")

    def handle(self, *_args: Any, after: str, **_options: Any) -> None:
        actor, named, missing = system(f"command:{getpass.getuser()}"), 0, list[str]()
        place: str | None = after
        while place is not None and (place == after or _is_time()):
            try:
                found = finding.find_bodies(place, actor=actor)
            except PlatformError as error:
                raise CommandError(f"{error.detail} {_again(place)}") from error
            named, place = named + found.named, found.after
            missing += found.missing
        self.stdout.write(f"{named} bodies are named where they are now.")
        if missing:
            some = ", ".join(missing[:SHOWN]) + (" …" if len(missing) > SHOWN else "")
            self.stdout.write(self.style.ERROR(f"{len(missing)} bodies are not there: {some}"))
        if place is not None:
            raise CommandError(f"Not to the end of the files. {_again(place)}")
        if missing:
            raise CommandError("Bring those back, too, then give the same command again.")


def _is_time() -> bool:
    left = deadline.seconds_left()
    return left is None or left > RESERVE_SECONDS


def _again(after: str) -> str:
    return f"Go on: find_bodies --after {after}" if after else "Give it again."
