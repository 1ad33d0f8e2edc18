"""Applications that keys are delivered to: list them, register one by its certificate, revoke one."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.records import system
from apps.common.dynamodb import pages
from apps.common.errors import PlatformError
from apps.kme import saes
from apps.kme.certificates import read_certificate
from apps.kme.records import ANY_PEER

ACTOR = system("manage.py sae")
SHOWN = 100


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("list", help="all applications, and what each may ask for")
        register = commands.add_parser("register", help="register the application of a certificate")
        register.add_argument(
            "certificate", type=Path, help="in PEM; its common name is the application's id"
        )
        register.add_argument("--name", default="", help="for people; the id unless told")
        register.add_argument(
            "--peer",
            action="append",
            default=[],
            help="that it may ask keys for; may be repeated; without it, all",
        )
        register.add_argument("--keys-a-day", type=int, help="that it may ask for; any number unless told")
        register.add_argument("--link", help="over whose sessions its keys come")
        register.add_argument(
            "--no-peers", action="store_true", help="it asks for no keys, as the KME of another site"
        )
        register.add_argument("--site", help="the link to the other site, where it collects its keys")
        register.add_argument(
            "--by-subject",
            action="store_true",
            help="accept every certificate of the same subject, not this one alone",
        )
        revoke = commands.add_parser("revoke", help="deliver nothing to an application any more")
        revoke.add_argument("sae_id")
        revoke.add_argument("--reason", required=True)

    def handle(self, *_args: Any, command: str, **options: Any) -> None:
        try:
            getattr(self, f"_{command}")(options)
        except PlatformError as error:
            raise CommandError(error.detail) from None

    def _list(self, _options: dict[str, Any]) -> None:
        for page in pages(lambda position: saes.listed(limit=SHOWN, position=position)):
            for sae in page.records:
                peers = ", ".join(sae.peers) or "nobody"
                self.stdout.write(f"{sae.sae_id}  {sae.state}  {sae.principal_id}  asks for {peers}")

    def _register(self, options: dict[str, Any]) -> None:
        found = read_certificate(options["certificate"].read_text(encoding="ascii"))
        known_by = (
            {"subject": found.subject} if options["by_subject"] else {"fingerprints": (found.fingerprint,)}
        )
        made = saes.register(
            found.common_name,
            name=options["name"] or found.common_name,
            peers=() if options["no_peers"] else options["peer"] or (ANY_PEER,),
            keys_a_day=options["keys_a_day"],
            link=options["link"],
            site=options["site"],
            actor=ACTOR,
            **known_by,
        )
        self.stdout.write(f"{made.sae_id} is registered as {made.principal_id}.")

    def _revoke(self, options: dict[str, Any]) -> None:
        ended = saes.revoke(options["sae_id"], reason=options["reason"], actor=ACTOR)
        self.stdout.write(f"{ended.sae_id} is {ended.state}.")
