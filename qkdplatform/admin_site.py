"""Puts the console's admin site in the place of Django's own."""

from django.contrib.admin.apps import AdminConfig


class ConsoleAdminConfig(AdminConfig):
    default_site = "apps.console.site.ConsoleSite"
