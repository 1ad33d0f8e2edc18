"""Make the first person of the console and the first API key of a deployed stage; the secrets are shown once."""

import json
from argparse import ArgumentParser
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.access import first_operator
from apps.audit.records import system
from apps.common import aws
from apps.common.errors import PlatformError

ACTOR = system("manage.py bootstrap")


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", default="operator", help="name to sign in with (operator)")
        parser.add_argument(
            "--again", action="store_true", help="the secrets were lost: new ones, and the old end"
        )
        parser.add_argument("--into", metavar="SECRET", help="a secret of Secrets Manager that takes them")

    def handle(self, *_args: Any, user: str, again: bool, into: str | None, **_options: Any) -> None:
        try:
            made = first_operator.make(user, actor=ACTOR, again=again)
        except PlatformError as error:
            raise CommandError(error.detail) from None
        shown = {
            "console_url": f"{settings.BASE_URL}/admin/",
            "user": made.user,
            "password": made.password,
            "api_key": made.api_key,
            "api_url": f"{settings.BASE_URL}/api/v1",
        }
        if into is None:
            self.stdout.write(json.dumps(shown, indent=2))
            return
        try:
            aws.client("secretsmanager").put_secret_value(SecretId=into, SecretString=json.dumps(shown))
        except (ClientError, BotoCoreError) as error:
            raise CommandError(
                f"{into} did not take the secrets ({type(error).__name__}). Run it with --again, so that new ones are made."
            ) from None
        self.stdout.write(f"Made {made.user} and an API key; both secrets are in {into}.")
