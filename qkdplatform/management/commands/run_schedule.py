"""Run a schedule now, as `make deploy` does for the first refill: without it a fresh stage has no keys to encrypt with."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from qkdplatform.schedules import SCHEDULES


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("schedule", choices=sorted(SCHEDULES))

    def handle(self, *_args: Any, schedule: str, **_options: Any) -> None:
        SCHEDULES[schedule]()
        self.stdout.write(f"{schedule} ran.")
