"""Walk every audit chain, and on demand every record; exit code 1 if anything was changed, removed or set back."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.audit import verification


class Command(BaseCommand):
    help = "Verify the audit trail: every entry's content, order and completeness."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--records",
            action="store_true",
            help="also hold every record against the trail: changed, made up, removed, set back, moved between lists",
        )

    def handle(self, *_args: Any, records: bool, **_options: Any) -> None:
        found = verification.verify(records=records)
        for problem in (*found.problems, *found.row_problems):
            self.stderr.write(self.style.ERROR(str(problem)))
        if not found.whole:
            raise CommandError(
                f"The audit trail is damaged in {len(found.problems)} place(s), "
                f"and {len(found.row_problems)} record(s) are not as it says."
                if records
                else f"The audit trail is damaged in {len(found.problems)} place(s)."
            )
        held = "" if found.records is None else f" {found.records} records are as it says."
        self.stdout.write(
            self.style.SUCCESS(f"OK: {found.entries} entries in {found.chains} chains, none changed.{held}")
        )
