"""Links over which sessions are run: list them, make one."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.records import system
from apps.common.dynamodb import pages
from apps.common.errors import PlatformError
from apps.links import services
from apps.links.records import EVERYONE

ACTOR = system("manage.py link")
SHOWN = 100


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("list", help="links, and who may use each")
        make = commands.add_parser("make", help="make a link")
        make.add_argument("link_id", help="names it in sessions, for good")
        make.add_argument("--name", default="", help="for people; the id unless told")
        make.add_argument("--owner", help="user:<uuid>, service:<id> or group:<id>")
        make.add_argument(
            "--user", action="append", default=[], help="as --owner; may be repeated; without it, everybody"
        )

    def handle(self, *_args: Any, command: str, **options: Any) -> None:
        try:
            getattr(self, f"_{command}")(options)
        except PlatformError as error:
            raise CommandError(error.detail) from None

    def _list(self, _options: dict[str, Any]) -> None:
        for page in pages(lambda position: services.links_page(limit=SHOWN, position=position)):
            for link in page.records:
                users = ", ".join(link.users) or "its owner"
                self.stdout.write(f"{link.link_id}  {link.name}  {link.owner}  used by {users}")

    def _make(self, options: dict[str, Any]) -> None:
        made = services.make(
            options["link_id"],
            name=options["name"] or options["link_id"],
            owner=options["owner"],
            users=options["user"] or (EVERYONE,),
            actor=ACTOR,
        )
        self.stdout.write(f"{made.link_id} is made.")
