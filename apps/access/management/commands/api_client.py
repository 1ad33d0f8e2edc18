"""Services and their API keys: issue, rotate, limit, revoke."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.access import api_keys, principals
from apps.access.records import ApiKey, PrincipalKind
from apps.access.roles import Role
from apps.audit.records import system
from apps.common import clock
from apps.common.errors import PlatformError

ACTOR = system("manage.py api_client")
SHOWN = 100


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("list", help="services, and the keys of each")
        make = commands.add_parser("make", help="make a service and its first key; the secret is shown once")
        make.add_argument("name")
        make.add_argument("--role", choices=[role.value for role in Role], default=Role.CLIENT.value)
        issue = commands.add_parser("issue", help="issue another key of a person or service")
        issue.add_argument("principal", help="service:<id> or user:<uuid>")
        issue.add_argument("--name", default="")
        rotate = commands.add_parser(
            "rotate", help="issue a second key with the same limits; the first one ends"
        )
        rotate.add_argument("key")
        rotate.add_argument("--overlap-hours", type=int, default=24, help="how long both are valid (24)")
        limit = commands.add_parser("limit", help="limit what a key may do, from where, or until when")
        limit.add_argument("key")
        revoke = commands.add_parser("revoke", help="refuse a key from now on, for good")
        revoke.add_argument("key")
        revoke.add_argument("--reason", required=True)
        for limited in (issue, limit):
            limited.add_argument(
                "--scope", action="append", help="may be repeated; without it, all of the role's"
            )
            limited.add_argument("--network", action="append", help="such as 192.0.2.0/24; may be repeated")
            limited.add_argument("--days", type=int, help="days until the key ends")

    def handle(self, *_args: Any, command: str, **options: Any) -> None:
        try:
            getattr(self, f"_{command}")(options)
        except PlatformError as error:
            raise CommandError(error.detail) from None

    def _list(self, _options: dict[str, Any]) -> None:
        for principal in principals.principals_page(kind=PrincipalKind.SERVICE, limit=SHOWN).records:
            self.stdout.write(
                f"{principal.principal_id}  {principal.name}  {principal.role}  {principal.status}"
            )
            for key in api_keys.keys_page(principal_id=principal.principal_id, limit=SHOWN).records:
                self.stdout.write(f"  {_described(key)}")

    def _make(self, options: dict[str, Any]) -> None:
        caller, secret = api_keys.issue_for_service(options["name"], role=Role(options["role"]), actor=ACTOR)
        self.stdout.write(f"{caller.principal.principal_id}\n{secret}")

    def _issue(self, options: dict[str, Any]) -> None:
        _, secret = api_keys.issue(
            options["principal"], name=options["name"], actor=ACTOR, **_limits(options)
        )
        self.stdout.write(secret)

    def _rotate(self, options: dict[str, Any]) -> None:
        _, secret = api_keys.rotate(
            options["key"], overlap=timedelta(hours=options["overlap_hours"]), actor=ACTOR
        )
        self.stdout.write(secret)

    def _limit(self, options: dict[str, Any]) -> None:
        self.stdout.write(_described(api_keys.limit(options["key"], actor=ACTOR, **_limits(options))))

    def _revoke(self, options: dict[str, Any]) -> None:
        self.stdout.write(_described(api_keys.revoke(options["key"], reason=options["reason"], actor=ACTOR)))


def _limits(options: dict[str, Any]) -> dict[str, Any]:
    given = {
        "scopes": options["scope"],
        "networks": options["network"],
        "expires_at": clock.now() + timedelta(days=options["days"]) if options["days"] is not None else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _described(key: ApiKey) -> str:
    limits = [
        "scopes " + ",".join(key.scopes) if key.scopes is not None else "",
        "from " + ",".join(key.networks) if key.networks else "",
        f"until {clock.as_text(key.expires_at)}" if key.expires_at else "",
        f"last used {clock.as_text(key.last_used_at)}" if key.last_used_at else "never used",
    ]
    return "  ".join(part for part in (key.key_id, key.name, str(key.status), *limits) if part)
