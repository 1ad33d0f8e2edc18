"""``python -m apps.stack.relay``: brings the embedded AWS's events to the platform's Lambda entry.

Streams, uploads and schedules run in threads of their own, so that the back-off of one does not hold up
the others. Everything is delivered at least once; handlers are idempotent, as on AWS.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

import django
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.utils.module_loading import import_string

from apps.common import aws
from apps.stack import schedule, streams, uploads
from apps.stack.invocation import Entry, Stopping

log = logging.getLogger(__name__)
RETRY_SECONDS = 1.0
UPLOAD_THREADS = 2


class Relay:
    """The threads, and how they end."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.failed = False

    def run(self, loops: dict[str, Callable[[], None]]) -> int:
        """Run every loop until told to stop; the exit code."""
        threads = [threading.Thread(target=self._keep, args=item, name=item[0]) for item in loops.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return 1 if self.failed else 0

    def _keep(self, name: str, loop: Callable[[], None]) -> None:
        """Go on after AWS's own failures; anything else is a defect and ends the relay, visibly."""
        while not self.stop.is_set():
            try:
                loop()
            except Stopping:
                return
            except (BotoCoreError, ClientError) as error:
                log.warning("%s: %s, going on in %.0f s", name, type(error).__name__, RETRY_SECONDS)
                self.stop.wait(RETRY_SECONDS)
            except Exception:
                log.exception("%s: the relay cannot go on", name)
                self.failed = True
                self.stop.set()


def loops(entry: Entry, stop: threading.Event) -> dict[str, Callable[[], None]]:
    """What runs, by name."""
    for service in ("dynamodb", "dynamodbstreams", "sqs", "s3"):
        aws.client(service)  # before the threads: boto3 cannot make clients in several at once
    checkpoints = streams.Checkpoints(Path(settings.LOCAL_DIR) / "checkpoints.json")
    override = os.environ.get("STACK_SCHEDULE_SECONDS")
    plan = schedule.rules(settings.BASE_DIR / "zappa_settings.json", float(override) if override else None)
    return {
        "streams": lambda: streams.relay_streams(entry, checkpoints, stop),
        # Each by itself: while one waits for its next attempt, the others fire
        **{rule.name: partial(schedule.relay_schedule, entry, rule, stop) for rule in plan},
        **{f"uploads-{n}": lambda: uploads.relay_uploads(entry, stop) for n in range(UPLOAD_THREADS)},
    }


def main() -> int:
    django.setup()
    handler = import_string("qkdplatform.lambda_handler.handler")  # importable only after setup
    relay = Relay()

    def stop(_number: int, _frame: FrameType | None) -> None:
        relay.stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return relay.run(loops(Entry(handler, relay.stop), relay.stop))


if __name__ == "__main__":
    sys.exit(main())
