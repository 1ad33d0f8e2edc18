"""Puts the console's admin site in the place of Django's own, without importing its pages: see ``console_urls``."""

from importlib import import_module
from typing import Any

from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app
from django.core.checks import CheckMessage, Tags, register, registry


class ConsoleAdminConfig(SimpleAdminConfig):
    default_site = "apps.console.site.ConsoleSite"

    def ready(self) -> None:
        super().ready()
        # Django's check looks at what is registered by then, which is nothing before the console is loaded
        registry.registry.registered_checks.discard(check_admin_app)
        register(_check_the_console, Tags.admin)


def _check_the_console(**given: Any) -> list[CheckMessage]:
    import_module("qkdplatform.console_urls")
    return list(check_admin_app(**given))
