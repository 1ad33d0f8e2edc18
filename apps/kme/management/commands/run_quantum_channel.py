"""Runs the simulated quantum channel between two sites, with an eavesdropper where one is wanted."""

import logging
import signal
import socket
import ssl
import threading
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.kme import authority
from apps.kme.management.commands.run_link import address
from apps.kme.sites.channel import ALICE, BOB, QuantumChannel
from apps.kme.sites.wire import Broken

PATIENCE_SECONDS = 20.0
log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--listen", type=address, default=("127.0.0.1", 8450))
        parser.add_argument("--alice", required=True, help="common name of the certificate of Alice's site")
        parser.add_argument("--bob", required=True, help="common name of the certificate of Bob's site")
        parser.add_argument("--preset", help="of the fibre; as the link's parameters say at both sites")
        parser.add_argument("--error-rate", type=float, help="instead: of a short fibre (0.02)")
        parser.add_argument("--eve", default="none", help="an attack, as of `python -m qkd run --attack`")
        parser.add_argument("--fraction", type=float, help="of the pulses that are attacked")
        parser.add_argument("--folder", type=Path, default=settings.LOCAL_DIR / "kme", help="as run_kme's")

    def handle(self, *_args: Any, **options: Any) -> None:
        from apps.kme.api.server import Identity, make_context  # noqa: PLC0415 - cheroot is not everywhere
        from qkd import attacks, channel  # noqa: PLC0415
        from qkd.session import SessionParameters, plan  # noqa: PLC0415

        folder = options["folder"]
        try:
            made = None if options["preset"] is None else channel.preset(options["preset"])
            rate = options["error_rate"] if made is not None or options["error_rate"] is not None else 0.02
            fraction = {} if options["fraction"] is None else {"fraction": options["fraction"]}
            attack = attacks.attack(kind=options["eve"], **fraction)
            link = plan(SessionParameters(key_length=256, error_rate=rate, channel=made)).channel
            context = make_context(
                Identity(
                    folder / f"{authority.KME}.pem",
                    folder / f"{authority.KME}.key",
                    folder / f"{authority.CA}.pem",
                )
            )
            listening = socket.create_server(options["listen"])
        except (ValueError, TypeError, OSError) as error:
            raise CommandError(f"The quantum channel cannot run: {error}") from None
        serving = QuantumChannel(link, attack, {options["alice"]: ALICE, options["bob"]: BOB})
        ends = threading.Event()

        def stop(_number: int, _frame: FrameType | None) -> None:
            ends.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        with listening:
            listening.settimeout(0.5)
            self.stdout.write(f"The quantum channel listens on port {listening.getsockname()[1]}")
            self.stdout.flush()
            while not ends.is_set():
                try:
                    plain, _ = listening.accept()
                except TimeoutError:
                    continue
                threading.Thread(target=_serve, args=(serving, plain, context), daemon=True).start()


def _serve(serving: QuantumChannel, plain: socket.socket, context: ssl.SSLContext) -> None:
    try:
        plain.settimeout(PATIENCE_SECONDS)
        with context.wrap_socket(plain, server_side=True) as connection:
            serving.serve(connection)
    except (Broken, OSError) as error:
        log.warning("the quantum channel: %s", error)
    finally:
        plain.close()
