"""The project's own part of start-up."""

from django.apps import AppConfig


class PlatformConfig(AppConfig):
    name = "qkdplatform"

    def ready(self) -> None:
        """Tasks are sent through this Celery application, whatever process sends them."""
        from qkdplatform import celery  # noqa: F401, PLC0415 - registers itself; needs the settings
