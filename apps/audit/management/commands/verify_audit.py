"""Walk every audit chain; exit code 1 if anything was changed, removed or reordered."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit import verification


class Command(BaseCommand):
    help = "Verify the audit trail: every entry's content, order and completeness."

    def handle(self, *_args: Any, **_options: Any) -> None:
        found = verification.verify()
        for problem in found.problems:
            self.stderr.write(self.style.ERROR(str(problem)))
        if found.problems:
            raise CommandError(f"The audit trail is damaged in {len(found.problems)} place(s).")
        self.stdout.write(
            self.style.SUCCESS(f"OK: {found.entries} entries in {found.chains} chains, none changed.")
        )
