"""Registers the check of the configured pools."""

from django.apps import AppConfig
from django.core.checks import register


class KeysConfig(AppConfig):
    name = "apps.keys"

    def ready(self) -> None:
        from apps.keys.pools import pools_are_described  # noqa: PLC0415 - after the settings are there

        register(pools_are_described)
