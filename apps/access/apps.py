"""Registers the check of declared scopes."""

from django.apps import AppConfig
from django.core.checks import register


class AccessConfig(AppConfig):
    name = "apps.access"

    def ready(self) -> None:
        from apps.access.checks import every_api_view_declares_scopes  # noqa: PLC0415 - after the apps are loaded

        register(every_api_view_declares_scopes)
