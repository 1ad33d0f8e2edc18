"""``python -m apps.stack.prepare``: what must be there before the platform starts.

One process for the database of the console, the tables, buckets and queues, and the first run, because
each start of Django costs most of a second.
"""

import time
from urllib.parse import urlsplit

import django

django.setup()

from django.conf import settings
from django.core.management import call_command

from apps.audit.records import SWEEPER
from apps.common.root_keys.configured import root_key
from apps.detections import services as detections
from apps.stack import resources
from apps.stack.ports import status_of
from qkdplatform import schedules

READY_SECONDS = 120.0  # the embedded AWS may have a long journal to replay


def main() -> None:
    root_key()  # before there is anything that needs it: see layout.check_keys
    call_command("migrate", interactive=False, verbosity=0)
    wait_for(settings.AWS_ENDPOINT_URL)
    resources.ensure()
    call_command("first_run")
    fill()


def fill() -> None:
    """The pool and the stock of quantum keys, judged at once: the first request finds both."""
    schedules.refill()
    detections.judge_overdue(seconds=0, actor=SWEEPER)


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
