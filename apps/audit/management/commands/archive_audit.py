"""Move old entries of the audit trail to the archive now; exit code 1 if a chain does not verify."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.audit import archiving
from apps.audit.archiving import NotArchived
from apps.audit.records import system


class Command(BaseCommand):
    help = (
        "Move entries older than AUDIT_ARCHIVE_DAYS, which a checkpoint covers, to the bucket of checkpoints."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.AUDIT_ARCHIVE_DAYS:
            raise CommandError("AUDIT_ARCHIVE_DAYS is 0, so that nothing is archived.")
        moved, failed = 0, 0
        for one in archiving.due():
            try:
                archiving.move(one, actor=system("archivist"))
            except NotArchived as error:
                failed += 1
                self.stderr.write(self.style.ERROR(f"chain {one.chain}: {error}"))
            else:
                moved += one.entries
        self.stdout.write(f"{moved} entries were moved to the archive.")
        if failed:
            raise CommandError(f"{failed} chain(s) stay as they are. Run verify_audit.")
