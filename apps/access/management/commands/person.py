"""Persons who decide: admit them, change what they may do, disable and enable them."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.access import people, principals
from apps.access.records import Principal, PrincipalKind
from apps.access.roles import Role
from apps.audit.records import system
from apps.common.dynamodb import pages
from apps.common.errors import PlatformError

ACTOR = system("manage.py person")
SHOWN = 100


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("list", help="admitted persons, and what each may do")
        admit = commands.add_parser(
            "admit",
            help="let a person decide; a user that is not there is made (set its password: manage.py changepassword)",
        )
        admit.add_argument("--email", default="")
        change = commands.add_parser("change", help="change a person's role, or whether they approve")
        disable = commands.add_parser("disable", help="end a person's decisions, API keys and sign-ins")
        enable = commands.add_parser("enable", help="let a disabled person act again")
        roles = [role.value for role in Role]
        admit.add_argument("--role", choices=roles, required=True)
        admit.add_argument("--approver", action="store_true", help="may be the second person")
        change.add_argument("--role", choices=roles)
        approves = change.add_mutually_exclusive_group()
        approves.add_argument("--approver", action="store_true", default=None, dest="approver")
        approves.add_argument("--no-approver", action="store_false", default=None, dest="approver")
        for command in (admit, change, disable, enable):
            command.add_argument("username")
        for command in (disable, enable):
            command.add_argument("--reason", required=True)

    def handle(self, *_args: Any, command: str, **options: Any) -> None:
        try:
            getattr(self, f"_{command}")(options)
        except PlatformError as error:
            raise CommandError(error.detail) from None

    def _list(self, _options: dict[str, Any]) -> None:
        for page in pages(
            lambda at: principals.principals_page(kind=PrincipalKind.PERSON, limit=SHOWN, position=at)
        ):
            for person in page.records:
                self._show(person)

    def _admit(self, options: dict[str, Any]) -> None:
        self._show(
            people.admit(
                options["username"],
                role=Role(options["role"]),
                approver=options["approver"],
                email=options["email"],
                actor=ACTOR,
            )
        )

    def _change(self, options: dict[str, Any]) -> None:
        role = Role(options["role"]) if options["role"] else None
        user = people.find(options["username"])
        self._show(people.change(user, role=role, approver=options["approver"], actor=ACTOR))

    def _disable(self, options: dict[str, Any]) -> None:
        user = people.find(options["username"])
        people.disable(user, reason=options["reason"], actor=ACTOR)
        self.stdout.write(f"{user.principal_id}  {user.username}  disabled")

    def _enable(self, options: dict[str, Any]) -> None:
        user = people.find(options["username"])
        people.enable(user, reason=options["reason"], actor=ACTOR)
        self.stdout.write(f"{user.principal_id}  {user.username}  active")

    def _show(self, person: Principal) -> None:
        approves = "approver" if person.approver else ""
        shown = (person.principal_id, person.name, str(person.role), approves, str(person.status))
        self.stdout.write("  ".join(part for part in shown if part))
