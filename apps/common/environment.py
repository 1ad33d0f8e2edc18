"""Settings that the environment gives: read once, typed, each declared with what it is for.

Each app declares its own in ``conf.py``; ``qkdplatform/settings.py`` joins them, and docs/settings.md lists them::

    section = Section("Files")
    DELETION_WINDOW_DAYS = section.integer("DELETION_WINDOW_DAYS", 30, low=1, about="Days until ...")
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parents[2]
# Before any declaration: the defaults of others depend on these
STAGE = os.environ.get("QKD_STAGE", "local")
LOCAL = STAGE == "local"
LOCAL_DIR = BASE_DIR / os.environ.get("LOCAL_DIR", ".local")


@dataclass(frozen=True, slots=True)
class Setting:
    """What one variable of the environment is for; ``default`` is None where it must be set."""

    section: str
    name: str
    type: str
    default: str | None
    about: str
    local: str | None = None
    low: float | None = None
    high: float | None = None
    secret: bool = False


_declared: dict[str, Setting] = {}


def all_settings() -> list[Setting]:
    """Return every setting that was declared, in the order of declaration."""
    return list(_declared.values())


@dataclass(frozen=True, slots=True)
class Section:
    """The settings of one app. Each method declares one and returns its value."""

    title: str

    def text(
        self,
        name: str,
        default: str | None = None,
        *,
        local: str | None = None,
        about: str,
        secret: bool = False,
    ) -> str:
        """Read a text. Without a default it must be set, at the local stage unless ``local`` is given.

        ``{stage}`` in a default stands for the stage, ``{local_dir}`` for the folder of ``make run``.
        """
        self._declare(name, "text", default, about, local=local, secret=secret)
        fallback = local if LOCAL and local is not None else default
        if fallback is None and not os.environ.get(name):
            raise ImproperlyConfigured(
                f"The environment variable {name} must be set. docs/settings.md says what it is for."
            )
        filled = (fallback or "").replace("{stage}", STAGE).replace("{local_dir}", str(LOCAL_DIR))
        return os.environ.get(name, filled)

    def words(self, name: str, default: str = "", *, local: str | None = None, about: str) -> list[str]:
        """Read words separated by commas."""
        self._declare(name, "words", default, about, local=local)
        fallback = local if LOCAL and local is not None else default
        return [word.strip() for word in os.environ.get(name, fallback).split(",") if word.strip()]

    def integer(self, name: str, default: int, *, low: int = 0, high: int | None = None, about: str) -> int:
        """Read a whole number within ``low`` and ``high``."""
        self._declare(name, "whole number", f"{default:,}", about, low=low, high=high)
        text = os.environ.get(name)
        try:
            number = default if text is None else int(text)
        except ValueError:
            raise ImproperlyConfigured(f"{name} must be a whole number, not {text!r}.") from None
        return int(_within(name, number, low, high))

    def real(self, name: str, default: float, *, low: float, high: float, about: str) -> float:
        """Read a number within ``low`` and ``high``."""
        self._declare(name, "number", str(default), about, low=low, high=high)
        text = os.environ.get(name)
        try:
            number = default if text is None else float(text)
        except ValueError:
            raise ImproperlyConfigured(f"{name} must be a number, not {text!r}.") from None
        return _within(name, number, low, high)

    def flag(self, name: str, *, default: bool, about: str) -> bool:
        """Read ``1/true/yes/on`` or ``0/false/no/off``."""
        self._declare(name, "true or false", str(default).lower(), about)
        value = os.environ.get(name, "").lower()
        if value in {"1", "true", "yes", "on"}:
            return True
        if value in {"0", "false", "no", "off"}:
            return False
        if value:
            raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
        return default

    def document(self, name: str, *, about: str) -> dict[str, Any]:
        """Read a JSON object; it is empty where the variable is not set."""
        self._declare(name, "JSON object", "{}", about)
        try:
            value = json.loads(os.environ.get(name) or "{}")
        except ValueError:
            raise ImproperlyConfigured(f"{name} must be JSON.") from None
        if not isinstance(value, dict):
            raise ImproperlyConfigured(f"{name} must be a JSON object.")
        return value

    def _declare(self, name: str, kind: str, default: str | None, about: str, **more: Any) -> None:
        setting = Setting(self.title, name, kind, default, about, **more)
        # The very same again is a module that is loaded again
        if _declared.setdefault(name, setting) != setting:
            raise ImproperlyConfigured(f"The setting {name} is declared twice.")


def _within(name: str, number: float, low: float, high: float | None) -> float:
    if low <= number and (high is None or number <= high):  # NaN is within nothing
        return number
    raise ImproperlyConfigured(
        f"{name} must be at least {low}." if high is None else f"{name} must lie between {low} and {high}."
    )
