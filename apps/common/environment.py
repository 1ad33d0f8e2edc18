"""Settings that the environment gives: typed, each declared with what it is for.

A value may stand in Secrets Manager instead (``apps.common.secret_values``); such settings are read again by
``refresh`` once they are older than SECRETS_MAX_AGE_SECONDS, all others once.

Each app declares its own in ``conf.py``; ``qkdplatform/settings.py`` joins them, and docs/settings.md lists them::

    section = Section("Files")
    DELETION_WINDOW_DAYS = section.integer("DELETION_WINDOW_DAYS", 30, low=1, about="Days until ...")
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parents[2]
# Before any declaration: the defaults of others depend on these
STAGE = os.environ.get("QKD_STAGE", "local")
LOCAL = STAGE == "local"
LOCAL_DIR = BASE_DIR / os.environ.get("LOCAL_DIR", ".local")
SECRETS_MAX_AGE_SECONDS = 300


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
_live: dict[str, Callable[[], Any]] = {}  # how a setting that stands in Secrets Manager is read again


def all_settings() -> list[Setting]:
    """Return every setting that was declared, in the order of declaration."""
    return list(_declared.values())


def refresh() -> dict[str, Any]:
    """Read the settings again that stand in Secrets Manager, where a secret changed; return them by name.

    Raises:
        ImproperlyConfigured: a new value is not allowed; the old ones stay in use.
    """
    if not _live:
        return {}
    from apps.common.secret_values import secrets  # noqa: PLC0415 - imports boto3, which not every process needs

    max_age = float(os.environ.get("SECRETS_MAX_AGE_SECONDS", SECRETS_MAX_AGE_SECONDS))
    return {name: read() for name, read in _live.items()} if secrets.refresh(max_age) else {}


def _value(name: str) -> str | None:
    """Return what the environment says, or Secrets Manager for it; None where the variable is not set."""
    text = os.environ.get(name)
    if text is None or not text.startswith("secretsmanager:"):
        return text
    from apps.common.secret_values import resolve  # noqa: PLC0415 - likewise

    return resolve(text)


def _read(name: str, read: Callable[[], Any]) -> Any:
    """Read a setting, and remember how where it can change."""
    if os.environ.get(name, "").startswith("secretsmanager:"):
        _live[name] = read
    return read()


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
        filled = (fallback or "").replace("{stage}", STAGE).replace("{local_dir}", str(LOCAL_DIR))

        def read() -> str:
            found = _value(name)
            if fallback is None and not found:
                raise ImproperlyConfigured(
                    f"The environment variable {name} must be set. docs/settings.md says what it is for."
                )
            return filled if found is None else found

        return str(_read(name, read))

    def words(self, name: str, default: str = "", *, local: str | None = None, about: str) -> list[str]:
        """Read words separated by commas."""
        self._declare(name, "words", default, about, local=local)
        fallback = local if LOCAL and local is not None else default

        def read() -> list[str]:
            found = _value(name)
            return [
                word.strip() for word in (fallback if found is None else found).split(",") if word.strip()
            ]

        return list(_read(name, read))

    def integer(self, name: str, default: int, *, low: int = 0, high: int | None = None, about: str) -> int:
        """Read a whole number within ``low`` and ``high``."""
        self._declare(name, "whole number", f"{default:,}", about, low=low, high=high)

        def read() -> int:
            text = _value(name)
            try:
                number = default if text is None else int(text)
            except ValueError:
                raise ImproperlyConfigured(
                    f"{name} must be a whole number, not {os.environ.get(name)!r}."
                ) from None
            return int(_within(name, number, low, high))

        return int(_read(name, read))

    def real(self, name: str, default: float, *, low: float, high: float, about: str) -> float:
        """Read a number within ``low`` and ``high``."""
        self._declare(name, "number", str(default), about, low=low, high=high)

        def read() -> float:
            text = _value(name)
            try:
                number = default if text is None else float(text)
            except ValueError:
                raise ImproperlyConfigured(
                    f"{name} must be a number, not {os.environ.get(name)!r}."
                ) from None
            return _within(name, number, low, high)

        return float(_read(name, read))

    def flag(self, name: str, *, default: bool, about: str) -> bool:
        """Read ``1/true/yes/on`` or ``0/false/no/off``."""
        self._declare(name, "true or false", str(default).lower(), about)

        def read() -> bool:
            value = (_value(name) or "").lower()
            if value in {"1", "true", "yes", "on"}:
                return True
            if value in {"0", "false", "no", "off"}:
                return False
            if value:
                raise ImproperlyConfigured(f"{name} must be true or false, not {os.environ.get(name)!r}.")
            return default

        return bool(_read(name, read))

    def document(self, name: str, *, about: str) -> dict[str, Any]:
        """Read a JSON object; it is empty where the variable is not set."""
        self._declare(name, "JSON object", "{}", about)

        def read() -> dict[str, Any]:
            try:
                value = json.loads(_value(name) or "{}")
            except ValueError:
                raise ImproperlyConfigured(f"{name} must be JSON.") from None
            if not isinstance(value, dict):
                raise ImproperlyConfigured(f"{name} must be a JSON object.")
            return value

        return dict(_read(name, read))

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
