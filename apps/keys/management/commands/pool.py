"""Key pools: list, make and change them, and point names to them."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.records import system
from apps.common.errors import PlatformError
from apps.keys import pools, services
from apps.keys.pool_records import Purpose
from qkdseal.kem import Suite

ACTOR = system("manage.py pool")
WORDS = ("users", "managers", "serves")


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("list", help="all pools, and how full they are")
        make = commands.add_parser("make", help="make a pool, and fill it")
        make.add_argument("name")
        make.add_argument("--suite", choices=[suite.value for suite in Suite if suite.seals])
        change = commands.add_parser("change", help="change what is said of a pool")
        change.add_argument("name")
        alias = commands.add_parser("alias", help="point a name to a pool, instead of another one")
        alias.add_argument("alias", help="files and messages choose for whoever names no pool")
        alias.add_argument("name")
        for reasoned in (change, alias):
            reasoned.add_argument("--reason", required=True)
        for described in (make, change):
            _add_fields(described)

    def handle(self, *_args: Any, command: str, **options: Any) -> None:
        try:
            getattr(self, f"_{command}")(options)
        except PlatformError as error:
            raise CommandError(error.detail) from None

    def _list(self, _options: dict[str, Any]) -> None:
        everything = pools.read()
        for pool in everything.pools.values():
            names = ", ".join([pool.name, *everything.aliases_of(pool.name)])
            self.stdout.write(
                f"{names}: {services.active_count(pool)} of {pool.full} keys active ({pool.suite}), "
                f"version {pool.current}, minimum {pool.minimum}"
                + ("; accepts imports" if pool.accepts_imports else "")
            )

    def _make(self, options: dict[str, Any]) -> None:
        suite = {"suite": Suite(options["suite"])} if options["suite"] else {}
        made = pools.make(options["name"], actor=ACTOR, **suite, **_fields(options))
        services.refill(actor=ACTOR)
        self.stdout.write(self.style.SUCCESS(f"Pool {made.name} has {services.active_count(made)} keys."))

    def _change(self, options: dict[str, Any]) -> None:
        changed = pools.change(options["name"], actor=ACTOR, reason=options["reason"], **_fields(options))
        self.stdout.write(self.style.SUCCESS(f"Pool {changed.name} is changed."))

    def _alias(self, options: dict[str, Any]) -> None:
        pointed = pools.point(options["alias"], options["name"], actor=ACTOR, reason=options["reason"])
        self.stdout.write(self.style.SUCCESS(f"{pointed.name} names pool {pointed.alias_of}."))


def _add_fields(parser: ArgumentParser) -> None:
    parser.add_argument("--about", help="what the pool is for")
    parser.add_argument("--purpose", action="append", choices=list(Purpose), help="may be repeated")
    for name in pools.NUMBERS:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int)
    for name in WORDS:
        parser.add_argument(f"--{name}", nargs="*", help="user:<uuid>, service:<id> or group:<id>")
    parser.add_argument("--accepts-imports", choices=["yes", "no"])
    parser.add_argument("--label", action="append", help="name=value; may be repeated")


def _fields(options: dict[str, Any]) -> dict[str, Any]:
    """The fields of a pool that the command line names."""
    given = {name: options[name] for name in ("about", *pools.NUMBERS) if options[name] is not None}
    given |= {name: tuple(options[name]) for name in WORDS if options[name] is not None}
    if options["purpose"]:
        given["purposes"] = tuple(options["purpose"])
    if options["accepts_imports"]:
        given["accepts_imports"] = options["accepts_imports"] == "yes"
    if options["label"]:
        given["labels"] = dict(label.partition("=")[::2] for label in options["label"])
    return given
