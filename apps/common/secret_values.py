"""Settings whose values are in AWS Secrets Manager: ``secretsmanager:<id or ARN>#<KEY>``, or ``…#<KEY>@AWSPREVIOUS``.

A secret is a JSON object; all settings that name it cost one call. Its values are kept for SECRETS_MAX_AGE_SECONDS, so
that a rotation is seen by running processes: ``apps.common.environment`` reads the settings again (``refresh``).

Not powertools' ``get_secret``: its cache does not tell the versions of a secret apart, so a previous value that is
asked for after the current one is the current one.
"""

import json
import logging
import os
import threading
import time
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.core.exceptions import ImproperlyConfigured

log = logging.getLogger(__name__)
PREFIX = "secretsmanager:"
CURRENT, PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"
RETRY_SECONDS = 30.0  # after a refresh that failed


@dataclass(frozen=True, slots=True)
class Reference:
    """One value of one version of a secret."""

    secret: str
    key: str
    version: str = CURRENT

    @classmethod
    def read(cls, text: str) -> "Reference | None":
        """Read what a setting holds; None where it is a value itself.

        Raises:
            ImproperlyConfigured: it begins as a reference and is none.
        """
        if not text.startswith(PREFIX):
            return None
        secret, hash_mark, key = text.removeprefix(PREFIX).partition("#")
        key, _, version = key.partition("@")
        if not secret or not hash_mark or not key or version not in {"", CURRENT, PREVIOUS}:
            raise ImproperlyConfigured(
                f"A setting from Secrets Manager is written as {PREFIX}<id>#<KEY> or {PREFIX}<id>#<KEY>@{PREVIOUS}."
            )
        return cls(secret, key, version or CURRENT)


class Secrets:
    """The versions of secrets that this process has read, and when."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], dict[str, str]] = {}
        self._read_at = float("-inf")

    def value(self, reference: Reference) -> str:
        """Return a value; an older version that does not exist, or does not have it, gives an empty text.

        Raises:
            ImproperlyConfigured: the secret cannot be read, or has no such value.
        """
        name = (reference.secret, reference.version)
        with self._lock:
            if name not in self._known:
                self._known[name] = _fetch(*name)
                self._read_at = time.monotonic()
            document = self._known[name]
        if reference.key not in document:
            if reference.version == PREVIOUS:
                return ""
            raise ImproperlyConfigured(f"The secret {reference.secret} has no value {reference.key}.")
        return document[reference.key]

    def refresh(self, max_age: float) -> bool:
        """Read every known secret again where the last time is longer ago; return whether one has changed.

        Where that fails the values stay, and it is tried again after RETRY_SECONDS.
        """
        with self._lock:
            if not self._known or time.monotonic() - self._read_at < max_age:
                return False
            try:
                found = {name: _fetch(*name) for name in self._known}
            except ImproperlyConfigured as error:
                log.warning("%s The values that are known stay in use.", error)
                self._read_at = time.monotonic() - max_age + RETRY_SECONDS
                return False
            changed, self._known = found != self._known, found
            self._read_at = time.monotonic()
            return changed


def _fetch(secret: str, version: str) -> dict[str, str]:
    try:
        answer = _client().get_secret_value(SecretId=secret, VersionStage=version)
    except (ClientError, BotoCoreError) as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        if version == PREVIOUS and code == "ResourceNotFoundException":
            return {}  # never rotated; that the secret exists its current version tells
        raise ImproperlyConfigured(f"The secret {secret} cannot be read ({code}).") from None
    try:
        document = json.loads(answer["SecretString"])
        return {str(key): str(value) for key, value in document.items()}
    except (KeyError, ValueError, AttributeError):
        # Without the cause: that quotes the secret
        raise ImproperlyConfigured(f"The secret {secret} is not a JSON object.") from None


def _client() -> Any:
    """Return a client made of the environment alone: there are no settings yet."""
    import boto3  # noqa: PLC0415 - as in apps.common.aws
    from botocore.config import Config  # noqa: PLC0415 - likewise

    from apps.common import whole_answers  # noqa: PLC0415 - likewise

    whole_answers.install()
    config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 3})
    region = os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or "us-east-1"
    return boto3.client("secretsmanager", region_name=region, config=config)


secrets = Secrets()


def resolve(text: str) -> str:
    """Return the value that a setting's text stands for: itself, or what Secrets Manager holds.

    Raises:
        ImproperlyConfigured: it cannot be had.
    """
    reference = Reference.read(text)
    return text if reference is None else secrets.value(reference)
