"""``python -m apps.stack.prepare``: what must be there before the platform starts.

One process for the database of the console, the tables, buckets and queues, and the first run, because
each start of Django costs most of a second.
"""

import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import django

django.setup()

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError

from apps.audit.records import SWEEPER
from apps.common import aws
from apps.common.dynamodb import all_tables
from apps.common.root_keys.configured import root_key
from apps.common.root_keys.interface import RootKeyUnavailable
from apps.common.scheduling import Schedule, parts_of
from apps.custody import restoring
from apps.detections import services as detections
from apps.jobs import control
from apps.jobs import services as jobs
from apps.keys import canaries
from apps.sessions import stock
from apps.stack import layout, resources
from apps.stack.ports import status_of
from qkdplatform import schedules

READY_SECONDS = 120.0  # the embedded AWS may have a long journal to replay


CANNOT_START = 2  # the exit code for what only a person can mend; the last line says what


def main() -> None:
    try:
        prepare()
    except RootKeyUnavailable as problem:
        _cannot_start(f"{problem}.")
    except DatabaseError as problem:
        name = settings.DATABASES["default"]["NAME"]
        _cannot_start(
            f"The console's database {name} cannot be used ({problem}). Nothing was changed. Restore it from a backup."
        )


def _cannot_start(sentence: str) -> None:
    print(sentence.replace("..", "."), file=sys.stderr)  # noqa: T201 - the supervisor shows it
    sys.exit(CANNOT_START)


def prepare() -> None:
    """Make what is missing.

    Raises:
        RootKeyUnavailable: the root key is damaged, or another one than the data is wrapped under.
    """
    root_key()  # before there is anything that needs it: see layout.check_keys
    call_command("migrate", interactive=False, verbosity=0)
    load()
    wait_for(settings.AWS_ENDPOINT_URL)
    resources.ensure()
    know_the_root_key()
    call_command("first_run")
    free_jobs()
    set_restored_keys_aside()
    fill()


def load() -> None:
    """What is used once the embedded AWS answers: it reads its state on another core meanwhile."""
    parts_of(Schedule.REFILL)
    all_tables()
    for service in ("dynamodb", "sqs", "s3"):
        aws.client(service)


def set_restored_keys_aside() -> None:
    """Use no quantum key of a backup that this folder was restored from, as it may have been used since."""
    mark = Path(os.environ["LOCAL_DIR"]) / layout.RESTORED
    if mark.exists():
        restoring.set_keys_aside(actor=canaries.STARTER)
        mark.unlink()


def know_the_root_key() -> None:
    """Hold the root key against what it has wrapped, before anything more is; ROOT_KEY_LOST=1 takes another for good.

    Raises:
        RootKeyUnavailable: it is another one.
    """
    if os.environ.get("ROOT_KEY_LOST") == "1":
        canaries.accept(actor=canaries.STARTER)
    else:
        canaries.ensure()


def free_jobs() -> None:
    """Give up on the workers of the run before: they have ended, however it ended, as this one has its folder."""
    for job in jobs.unfinished():
        if job.is_alive:
            control.presume_dead(job)


def fill() -> None:
    """The pool and the stock of quantum keys, its newest sessions judged at once: the first request finds both.

    Whatever else waits for its verdict is the relay's: there may be any number.
    """
    schedules.refill()
    for waiting in stock.waiting():
        detections.judge(waiting.session_id, actor=SWEEPER)


def wait_for(endpoint: str) -> None:
    """Until the embedded AWS answers there.

    Raises:
        TimeoutError: it did not.
    """
    parts = urlsplit(endpoint)
    deadline = time.monotonic() + READY_SECONDS
    while status_of(parts.hostname or "", parts.port or 80, "/_ministack/health") != 200:
        if time.monotonic() > deadline:
            raise TimeoutError(f"Nothing answers at {endpoint}.")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
