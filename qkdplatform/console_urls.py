"""Addresses of the console, below /admin/, imported by the first request for one of them.

With its pages come a third of all modules, which a cold start of the API needs not. Whoever needs what they register
imports this module.
"""

from django.apps import apps
from django.contrib import admin

from apps.access.console import guard

# What allauth keeps: people have pages of their own for it
HIDDEN = frozenset({"account", "mfa", "socialaccount"})


def _registered() -> admin.AdminSite:
    """Return the site with the pages of all apps, behind the guard."""
    admin.autodiscover()
    guard.install(admin.site)
    hidden = [model for label in HIDDEN for model in apps.get_app_config(label).get_models()]
    admin.site.unregister([model for model in hidden if admin.site.is_registered(model)])
    return admin.site


urlpatterns = _registered().urls[0]
