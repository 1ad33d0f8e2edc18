"""Typed reading of the environment, for ``settings.py`` only."""

import json
import os
from typing import Any

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str | None = None) -> str:
    """The variable's value; without a default it must be set and not empty."""
    value = os.environ.get(name, default)
    if not value and default is None:
        raise ImproperlyConfigured(f"The environment variable {name} must be set.")
    return value or ""


def integer(name: str, default: int, *, low: int = 0, high: int | None = None) -> int:
    """A whole number within ``low`` and ``high``."""
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None
    if number < low or (high is not None and number > high):
        raise ImproperlyConfigured(f"{name} must lie between {low} and {high}.")
    return number


def real(name: str, default: float, *, low: float, high: float) -> float:
    """A number within ``low`` and ``high``."""
    try:
        number = float(os.environ.get(name, default))
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number.") from None
    if not low <= number <= high:
        raise ImproperlyConfigured(f"{name} must lie between {low} and {high}.")
    return number


def flag(name: str, *, default: bool) -> bool:
    """``1/true/yes/on`` or ``0/false/no/off``."""
    value = os.environ.get(name, "").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    if value:
        raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
    return default


def document(name: str) -> dict[str, Any]:
    """A JSON object; empty where the variable is not set."""
    try:
        value = json.loads(os.environ.get(name) or "{}")
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be JSON.") from None
    if not isinstance(value, dict):
        raise ImproperlyConfigured(f"{name} must be a JSON object.")
    return value


def words(name: str, default: str = "") -> list[str]:
    """A list separated by commas."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]
