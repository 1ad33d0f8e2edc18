"""Make a checkpoint of the audit trail now; exit code 1 if what came since the last one is damaged."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit import checkpointing
from apps.audit.records import system


class Command(BaseCommand):
    help = "Sign where all chains of the audit trail end, and keep that outside of the tables."

    def handle(self, *_args: Any, **_options: Any) -> None:
        made = checkpointing.make(actor=system("checkpoint"))
        for problem in made.problems:
            self.stderr.write(self.style.ERROR(str(problem)))
        if made.checkpoint is None:
            self.stdout.write("There are no entries yet, so there is nothing to sign.")
        else:
            how = "Made" if made.is_new else "Nothing came since"
            self.stdout.write(
                f"{how} {made.checkpoint}: {made.checkpoint.entries} entries in {len(made.checkpoint.ends)} chains,"
                f" signed by {made.checkpoint.signer}."
            )
        if made.problems:
            raise CommandError(
                f"The trail is damaged in {len(made.problems)} place(s) since then. Those chains keep the end they had before."
            )
