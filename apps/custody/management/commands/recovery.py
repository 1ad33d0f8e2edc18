"""The ceremony of break-glass recovery: make, seal, check, use."""

import getpass
import sys
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.audit.records import Actor, system
from apps.common.errors import PlatformError
from apps.common.root_keys.interface import RootKeyUnavailable
from apps.custody import recovery

MADE = """Recovery key {name}

1. Put this into the settings of every process, and restart them:

RECOVERY_PUBLIC_KEY={public_key}

2. Give each officer one share, on paper. Any {threshold} of the {shares}, or more, open everything; fewer tell nothing.
   They are shown here once and kept nowhere.

{words}
3. Run `manage.py recovery seal`, then `manage.py recovery check` with at least {threshold} officers present.
"""


class Command(BaseCommand):
    stealth_options = ("stdin",)
    help = (
        "make: make a recovery key, split among officers. seal: seal what is not sealed to it yet. check: report "
        "whether all secrets are sealed and whether these shares open them. use: the root key is gone; wrap "
        "everything under the new one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["make", "seal", "check", "use"])
        parser.add_argument("--threshold", type=int, default=3, help="shares that are needed (make)")
        parser.add_argument("--shares", type=int, default=5, help="shares that are made (make)")
        parser.add_argument("--approval", default="", help="id of the approved request (use)")

    def handle(self, *_args: Any, **options: Any) -> None:
        actor = system(f"command:{getpass.getuser()}")
        try:
            getattr(self, f"_{options['action']}")(actor, options)
        except PlatformError as error:
            raise CommandError(error.detail) from error
        except RootKeyUnavailable as error:
            raise CommandError(
                f"{error}. Run it again once it answers: it continues where it stopped."
            ) from error

    def _make(self, actor: Actor, options: dict[str, Any]) -> None:
        threshold, shares = options["threshold"], options["shares"]
        made = recovery.make(threshold=threshold, shares=shares, actor=actor)
        words = "".join(f"   share {number}: {share}\n\n" for number, share in enumerate(made.shares, 1))
        self.stdout.write(
            MADE.format(
                name=made.recovery_key_id,
                public_key=made.public_key,
                threshold=threshold,
                shares=shares,
                words=words,
            )
        )

    def _seal(self, actor: Actor, _options: dict[str, Any]) -> None:
        report = recovery.seal_missing(actor=actor, progress=self._progress)
        self._tell(report, f"{report.done} secrets sealed, {report.already} were already.")

    def _check(self, actor: Actor, options: dict[str, Any]) -> None:
        words = self._words(options)
        report = recovery.check(words, actor=actor)
        if words:
            self.stdout.write(
                f"These {len(words)} shares give the recovery key; {report.done} secrets opened."
            )
        self._tell(report, "Every secret is sealed to the recovery key.")

    def _use(self, actor: Actor, options: dict[str, Any]) -> None:
        words = self._words(options)
        report = recovery.use(words, approval_id=options["approval"], actor=actor, progress=self._progress)
        self._tell(
            report, f"{report.done} secrets recovered, {report.already} are under the new root key already."
        )

    def _tell(self, report: recovery.Report, good: str) -> None:
        for name in report.unsealed:
            self.stderr.write(f"{name}: not sealed to the recovery key")
        for name, why in report.failed.items():
            self.stderr.write(f"{name}: {why}")
        if not report.whole:
            raise CommandError(f"{len(report.unsealed)} secrets are not sealed, {len(report.failed)} failed.")
        self.stdout.write(self.style.SUCCESS(good))

    def _progress(self, done: int) -> None:
        if done and done % 100 == 0:
            self.stdout.write(f"{done} secrets")

    def _words(self, options: dict[str, Any]) -> list[str]:
        """One share a line until an empty one; typed unseen, never an argument that others could list."""
        stream: TextIO = options.get("stdin") or sys.stdin
        if not stream.isatty():
            return [line.strip() for line in stream if line.strip()]
        words: list[str] = []
        while share := getpass.getpass(f"share {len(words) + 1} (empty: no more): ").strip():
            words.append(share)
        return words
