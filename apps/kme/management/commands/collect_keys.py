"""Draws keys from another key management entity as the slave: by the ids that the link's peer, as the master, tells."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.records import system
from apps.common.errors import PlatformError
from apps.kme import receiving

ACTOR = system("manage.py collect_keys")


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("link_id", help="whose keys come from the other entity")
        parser.add_argument("key_ids", nargs="+", help="as the master tells them")

    def handle(self, *_args: Any, link_id: str, key_ids: list[str], **_options: Any) -> None:
        try:
            made = receiving.collect(link_id, key_ids, actor=ACTOR)
        except PlatformError as error:
            raise CommandError(error.detail) from None
        self.stdout.write(f"{len(key_ids)} keys came in as session {made.session_id}.")
