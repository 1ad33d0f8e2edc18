"""The root key: what is wrapped under it, and its replacement."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.audit.records import Actor, system
from apps.common.errors import PlatformError
from apps.common.root_keys.interface import RootKeyUnavailable
from apps.custody import rootkeys


class Command(BaseCommand):
    help = "Show the root keys, re-wrap everything under a new one (run it again if interrupted), or retire the old."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["status", "rotate", "retire"])

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(system(f"command:{getpass.getuser()}"))
        except PlatformError as error:
            raise CommandError(error.detail) from error
        except RootKeyUnavailable as error:
            raise CommandError(
                f"{error}. Run it again once it answers: it continues where it stopped."
            ) from error

    def _status(self, _actor: Actor) -> None:
        for held in rootkeys.status():
            name = "current" if held.current else "old"
            self.stdout.write(
                f"{name:8} {held.root_key_id}: {held.pool_keys} pool keys, {held.sessions} sessions"
            )

    def _rotate(self, actor: Actor) -> None:
        rewrapped = rootkeys.rotate(actor=actor, progress=self._progress)
        self.stdout.write(self.style.SUCCESS(f"{rewrapped} secrets were re-wrapped."))
        self._status(actor)

    def _retire(self, actor: Actor) -> None:
        retired = rootkeys.retire(actor=actor)
        self.stdout.write(
            self.style.SUCCESS(f"Nothing is under {', '.join(retired) or 'any older root key'}.")
        )

    def _progress(self, done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            self.stdout.write(f"{done} of {total}")
