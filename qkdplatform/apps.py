"""The project's own part of start-up."""

from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import register
from django.core.management import call_command
from django.core.signals import request_started
from django.db.models.signals import post_migrate


class PlatformConfig(AppConfig):
    name = "qkdplatform"

    def ready(self) -> None:
        """Register the checks, and take rotated settings over."""
        from qkdplatform.checks import declarations_fit_together  # noqa: PLC0415 - after the apps are loaded
        from qkdplatform.rotation import refresh_settings  # noqa: PLC0415 - needs the settings

        register(declarations_fit_together)
        request_started.connect(refresh_settings, dispatch_uid="refresh_settings")
        # The signal comes for apps that have models only
        post_migrate.connect(_make_cache_table, sender=apps.get_app_config("sessions"))


def _make_cache_table(*, using: str, verbosity: int, **_: Any) -> None:
    """Make the table of the shared cache, which no model has."""
    call_command("createcachetable", database=using, verbosity=verbosity)
