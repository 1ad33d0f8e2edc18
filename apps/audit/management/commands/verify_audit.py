"""Verify the audit trail, and on demand every record; exit code 1 if anything was changed, removed or set back."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.audit import verification
from apps.audit.verifying import Depth
from apps.common import clock


class Command(BaseCommand):
    help = "Verify the audit trail: every entry's content, order and completeness, against the newest checkpoint."

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument(
            "--records",
            action="store_true",
            help="also hold every record against the trail: changed, made up, removed, set back, moved between lists",
        )
        how.add_argument(
            "--incremental",
            action="store_true",
            help="trust what the newest checkpoint covers, and read what came since",
        )

    def handle(self, *_args: Any, records: bool, incremental: bool, **_options: Any) -> None:
        depth = Depth.RECORDS if records else Depth.SINCE_CHECKPOINT if incremental else Depth.ENTRIES
        found = verification.verify(depth)
        for problem in found.all_problems():
            self.stderr.write(self.style.ERROR(problem))
        if found.held_back:
            self.stdout.write(
                f"{found.held_back} entries were written while a clock had gone back; each says by how much."
            )
        self.stdout.write(found.tail_text(clock.now()))
        if not found.whole:
            raise CommandError(_damage(found))
        held = "" if found.records is None else f" {found.records} records are as it says."
        self.stdout.write(
            self.style.SUCCESS(f"OK: {found.entries} entries in {found.chains} chains, none changed.{held}")
        )


def _damage(found: verification.Verification) -> str:
    places = len(found.problems) + len(found.checkpoint_problems)
    trail = f"The audit trail is damaged in {places} place(s)"
    if found.records is None:
        return f"{trail}."
    return f"{trail}, and {len(found.row_problems)} record(s) are not as it says."
