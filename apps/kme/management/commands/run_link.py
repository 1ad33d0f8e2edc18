"""Runs this site's end of a link to another site, until it is stopped: Alice's listens, Bob's connects again and again."""

import logging
import signal
import socket
import ssl
import threading
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from pynamodb.exceptions import PynamoDBException

from apps.common.errors import PlatformError
from apps.kme import authority
from apps.kme.sites import agreeing, producing, running
from apps.kme.sites.wire import Broken
from apps.kme.transport import client_context
from apps.sessions import sites

AT_ONCE = 4  # sessions that Alice answers: Bob runs one at a time, and what hangs ends by itself
MOST_SECONDS = 30.0  # between two tries of Bob's, where they fail
PASSING = (Broken, PlatformError, PynamoDBException, OSError)
log = logging.getLogger(__name__)


def address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) < 65_536:
        raise ArgumentTypeError(f"{text!r} is no host:port")
    return host, int(port)


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("link_id", help="whose source is other_site; its role says which end is here")
        parser.add_argument("--listen", type=address, help="of Alice: host:port where Bob connects")
        parser.add_argument("--connect", type=address, help="of Bob: host:port where Alice listens")
        parser.add_argument("--quantum", type=address, required=True, help="host:port of the quantum channel")
        parser.add_argument(
            "--pause", type=float, default=2.0, help="seconds between looks at what is wanting"
        )
        parser.add_argument(
            "--folder",
            type=Path,
            default=settings.LOCAL_DIR / "kme",
            help="as run_kme's: Alice's certificate",
        )

    def handle(self, *_args: Any, link_id: str, **options: Any) -> None:
        try:
            link = running.find(link_id)
            running.secret_of(link_id)
            context = client_context(str((link.parameters or {})["client"]))
        except PlatformError as error:
            raise CommandError(error.detail) from None
        role = running.role_of(link)
        needed = "listen" if role == sites.ALICE else "connect"
        if options[needed] is None:
            raise CommandError(f"{role.title()} is here: give --{needed}.")
        self._ends = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        end = running.End(link_id, options["quantum"], context)
        if role == sites.ALICE:
            self._answer(end, options["listen"], options["folder"], options["pause"])
        else:
            self._lead(end, options["connect"], options["pause"])

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._ends.set()

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _lead(self, end: running.End, alice: tuple[str, int], pause: float) -> None:
        self._say(f"Bob of {end.link_id} asks {alice[0]}:{alice[1]}")
        wait = pause
        while not self._ends.wait(wait):
            try:
                ran = producing.step(end, alice)
                wait = 0.0 if ran else pause
            except PASSING as error:
                log.warning("link %s: %s", end.link_id, getattr(error, "detail", error))
                wait = min(MOST_SECONDS, 2 * max(wait, pause))

    def _answer(self, end: running.End, host_port: tuple[str, int], folder: Path, pause: float) -> None:
        from apps.kme.api.server import Identity, make_context  # noqa: PLC0415 - cheroot is not everywhere

        revoked = folder / authority.REVOKED
        identity = Identity(
            folder / f"{authority.KME}.pem",
            folder / f"{authority.KME}.key",
            folder / f"{authority.CA}.pem",
            revoked if revoked.exists() else None,
        )
        try:
            context = make_context(identity)
            listening = socket.create_server(host_port)
        except OSError as error:
            raise CommandError(f"Alice cannot listen: {error}") from None
        threading.Thread(target=self._agree, args=(end.link_id, pause), daemon=True).start()
        free = threading.Semaphore(AT_ONCE)
        with listening:
            listening.settimeout(0.5)
            self._say(f"Alice of {end.link_id} listens on {host_port[0]}:{listening.getsockname()[1]}")
            while not self._ends.is_set():
                try:
                    plain, _ = listening.accept()
                except TimeoutError:
                    continue
                if not free.acquire(blocking=False):
                    plain.close()
                    continue
                threading.Thread(target=self._serve, args=(end, plain, context, free), daemon=True).start()

    def _serve(
        self, end: running.End, plain: socket.socket, context: ssl.SSLContext, free: threading.Semaphore
    ) -> None:
        try:
            plain.settimeout(running.PATIENCE_SECONDS)
            with context.wrap_socket(plain, server_side=True) as connection:
                made = end.answer(connection)
            if made is not None:
                log.info("link %s: session %s: %d keys", end.link_id, made.session_id, int(made.keys_total))
        except PASSING as error:
            log.warning("link %s: %s", end.link_id, getattr(error, "detail", error))
        except (
            Exception
        ):  # a defect, as Bob's side may bring it about: this session is over, the next is answered
            log.exception("link %s: a session ended on an error that nobody foresaw", end.link_id)
        finally:
            plain.close()
            free.release()

    def _agree(self, link_id: str, pause: float) -> None:
        wait = pause
        while not self._ends.wait(wait):
            try:
                agreeing.agree(running.find(link_id))
                wait = pause
            except PASSING as error:
                log.warning("link %s: %s", link_id, getattr(error, "detail", error))
                wait = min(MOST_SECONDS, 2 * max(wait, pause))
            except (
                Exception
            ):  # a defect; the thread ends with the process alone, as nobody would notice it missing
                wait = min(MOST_SECONDS, 2 * max(wait, pause))
                log.exception("link %s: the sites do not agree, tried again in %.0f s", link_id, wait)
