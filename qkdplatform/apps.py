"""The project's own part of start-up."""

from django.apps import AppConfig
from django.core.checks import register


class PlatformConfig(AppConfig):
    name = "qkdplatform"

    def ready(self) -> None:
        """Register the Celery application, which sends tasks whatever the process, and the checks."""
        from qkdplatform import celery  # noqa: F401, PLC0415 - registers itself; needs the settings
        from qkdplatform.checks import declarations_fit_together  # noqa: PLC0415 - after the apps are loaded

        register(declarations_fit_together)
