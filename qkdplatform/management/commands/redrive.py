"""``manage.py redrive``: try dead letters again, once their cause is mended."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from qkdplatform.redriving import redrive

MOST = 1000


class Command(BaseCommand):
    """Try every dead letter once; it ends with 1 where one failed again."""

    help = "Try dead letters again through the entry that they failed in; what fails again stays for a next time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=MOST, help=f"of letters, {MOST} unless given")

    def handle(self, *_: Any, **options: Any) -> None:
        tried = list(redrive(limit=options["limit"]))
        for one in tried:
            self.stdout.write(f"{one.message_id}: {one.what}, {one.error or 'done'}")
        failed = sum(one.error is not None for one in tried)
        self.stdout.write(f"{len(tried) - failed} of {len(tried)} dead letters are done.")
        if failed:
            raise CommandError(f"{failed} failed again and stay. The log says where.", returncode=1)
