"""``manage.py check`` finds what two apps declare under one name."""

from typing import Any

from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured


def declarations_fit_together(**_: Any) -> list[Error]:
    """``manage.py check`` fails where a page of declarations cannot be made."""
    from qkdplatform.pages import PAGES  # noqa: PLC0415 - all that apps declare, which only checks and pages need

    found = []
    for name, page in PAGES.items():
        try:
            page()
        except ImproperlyConfigured as error:
            found.append(Error(f"{name}: {error}", id="qkdplatform.E001"))
    return found
