"""Serves ETSI GS QKD 014 on a socket of its own, with mutual TLS."""

import signal
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.kme import authority


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8443)
        parser.add_argument(
            "--folder",
            type=Path,
            default=settings.LOCAL_DIR / "kme",
            help="has kme.pem, kme.key, ca.pem and, if there is one, revoked.pem; `kme_certificates` makes them",
        )

        parser.add_argument(
            "--make",
            action="store_true",
            help="make a test authority and the KME's certificate where they are missing",
        )

    def handle(self, *_args: Any, host: str, port: int, folder: Path, make: bool, **_options: Any) -> None:
        from apps.kme.api.server import Identity, make_server  # noqa: PLC0415 - cheroot is not everywhere

        if make and not (folder / f"{authority.KME}.pem").exists():
            authority.Authority(folder).issue(authority.KME, hosts=authority.HOSTS)
        revoked = folder / authority.REVOKED
        identity = Identity(
            certificate=folder / f"{authority.KME}.pem",
            key=folder / f"{authority.KME}.key",
            authority=folder / f"{authority.CA}.pem",
            revocations=revoked if revoked.exists() else None,
        )
        missing = [
            path for path in (identity.certificate, identity.key, identity.authority) if not path.exists()
        ]
        if missing:
            raise CommandError(f"{missing[0]} is missing. `manage.py kme_certificates` makes it.")
        try:
            server = make_server(host, port, identity)
            server.prepare()
        except OSError as error:
            raise CommandError(f"The KME cannot be served: {error}") from None
        signal.signal(signal.SIGTERM, _interrupt)
        self.stdout.write(f"KME {settings.KME_ID} serves https://{host}:{server.bind_addr[1]}/api/v1/keys/")
        self.stdout.flush()
        try:
            server.serve()
        except KeyboardInterrupt:
            self.stdout.write("Ending.")
        finally:
            server.stop()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
