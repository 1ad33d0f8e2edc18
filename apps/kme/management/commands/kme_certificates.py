"""Makes a test authority, the KME's certificate and applications' certificates; takes one back."""

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.common.errors import PlatformError
from apps.kme import authority
from apps.kme.saes import ID


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("saes", nargs="*", help="ids of applications that get a certificate")
        parser.add_argument(
            "--folder", type=Path, default=settings.LOCAL_DIR / "kme", help="where they are put"
        )
        parser.add_argument(
            "--host", action="append", default=[], help="name or address of the KME; may be repeated"
        )
        parser.add_argument(
            "--revoke", action="append", default=[], help="an application whose certificate is taken back"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        names = [*options["saes"], *options["revoke"]]
        wrong = [
            name for name in names if name in {authority.CA, authority.KME} or not re.fullmatch(ID, name)
        ]
        if wrong:
            raise CommandError(
                f"{wrong[0]!r} cannot be an application's id. Use letters, digits and . _ : @ -."
            )
        try:
            made = authority.Authority(options["folder"])
            if options["host"] or not (options["folder"] / f"{authority.KME}.pem").exists():
                self.stdout.write(str(made.issue(authority.KME, hosts=options["host"] or authority.HOSTS)))
            for sae in options["saes"]:
                self.stdout.write(f"{made.issue(sae)}  SHA-256 {made.fingerprint(sae)}")
            for sae in options["revoke"]:
                self.stdout.write(f"{made.revoke(sae)} has the certificate of {sae}.")
        except PlatformError as error:
            raise CommandError(error.detail) from None
