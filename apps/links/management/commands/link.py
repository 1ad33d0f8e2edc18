"""Links over which sessions are run: list them, make one, pause or quarantine one."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.records import system
from apps.common.dynamodb import pages
from apps.common.errors import PlatformError
from apps.links import services, transitions
from apps.links.records import EVERYONE, LinkSource, LinkState

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

        make.add_argument(
            "--source",
            choices=[one.value for one in LinkSource],
            default=LinkSource.SIMULATOR.value,
            help="where its keys come from",
        )
        make.add_argument("--parameters", type=json.loads, help="of the source, as JSON")
        make.add_argument("--low-water", type=int, help="ready keys below which more are produced")
        make.add_argument("--target", type=int, help="ready keys that are then produced up to")
        make.add_argument(
            "--schedule", action="append", help="times of day (UTC), as 08:00-18:30; may be repeated"
        )

        state = commands.add_parser("state", help="pause, quarantine, resume, release or retire a link")
        state.add_argument("link_id")
        state.add_argument("state", choices=[one.value for one in LinkState])
        state.add_argument("--reason", required=True)
        state.add_argument("--case", help="that quarantines the link, or releases it")

    def handle(self, *_args: Any, command: str, **options: Any) -> None:
        try:
            getattr(self, f"_{command}")(options)
        except PlatformError as error:
            raise CommandError(error.detail) from None

    def _list(self, _options: dict[str, Any]) -> None:
        for page in pages(lambda position: services.links_page(limit=SHOWN, position=position)):
            for link in page.records:
                users = ", ".join(link.users) or "its owner"
                self.stdout.write(
                    f"{link.link_id}  {link.name}  {link.state}  {link.source}  {link.owner}  used by {users}"
                )

    def _make(self, options: dict[str, Any]) -> None:
        made = services.make(
            options["link_id"],
            name=options["name"] or options["link_id"],
            owner=options["owner"],
            users=options["user"] or (EVERYONE,),
            source=LinkSource(options["source"]),
            parameters=options["parameters"],
            low_water=options["low_water"],
            target=options["target"],
            schedule=options["schedule"],
            actor=ACTOR,
        )
        self.stdout.write(f"{made.link_id} is made.")

    def _state(self, options: dict[str, Any]) -> None:
        moved = transitions.move(
            options["link_id"],
            LinkState(options["state"]),
            reason=options["reason"],
            case_id=options["case"],
            actor=ACTOR,
        )
        self.stdout.write(f"{moved.link_id} is {moved.state}.")
