"""Walk every audit chain; exit code 1 if anything was changed, removed or reordered."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit import services


class Command(BaseCommand):
    help = "Verify the audit trail: every entry's content, order and completeness."

    def handle(self, *_args: Any, **_options: Any) -> None:
        verification = services.verify()
        for problem in verification.problems:
            self.stderr.write(self.style.ERROR(str(problem)))
        if verification.problems:
            raise CommandError(f"The audit trail is damaged in {len(verification.problems)} place(s).")
        self.stdout.write(
            self.style.SUCCESS(
                f"OK: {verification.entries} entries in {verification.chains} chains, none changed."
            )
        )
