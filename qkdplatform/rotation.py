"""Settings that stand in Secrets Manager, brought up to date in a process that runs."""

import logging
from typing import Any

import dj_database_url
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from apps.common import environment

log = logging.getLogger(__name__)
# Variables that Django knows by another name
NAMES = {"DJANGO_SECRET_KEY": "SECRET_KEY", "DJANGO_SECRET_KEY_PREVIOUS": "SECRET_KEY_FALLBACKS"}


def refresh_settings(**_: Any) -> None:
    """Take over the values that changed in Secrets Manager; cheap where it is not time yet. Idempotent.

    What cannot be taken over is logged, and the values that are known stay in use.
    """
    try:
        changed = environment.refresh()
    except ImproperlyConfigured as error:
        log.error("A secret was rotated to what cannot be used: %s", error)  # noqa: TRY400 - no value in the trace
        return
    for name, value in changed.items():
        if name == "DATABASE_URL":
            _use_database(value)
        else:
            setattr(settings, NAMES.get(name, name), value)
    if changed:
        log.info("%d settings were read again from Secrets Manager", len(changed))


def _use_database(url: str) -> None:
    """Connect with the new address from the next connection on; each request opens its own."""
    told = dj_database_url.parse(url)
    settings.DATABASES["default"].update(told)
    connections["default"].settings_dict.update(told)
