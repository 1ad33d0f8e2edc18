"""Registers the check of declared scopes, what records sign-ins, and the ready roles."""

from collections.abc import Callable
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import register
from django.db.models.signals import post_migrate, pre_delete, pre_save


class AccessConfig(AppConfig):
    name = "apps.access"

    def ready(self) -> None:
        from apps.access.checks import every_api_view_declares_scopes  # noqa: PLC0415 - after the apps are loaded

        register(every_api_view_declares_scopes)
        _record_sign_ins()
        # Sent for each app that has models; with the last one every permission is there
        last = [config for config in apps.get_app_configs() if config.models_module is not None][-1]
        post_migrate.connect(_make_ready_roles, sender=last)


def _record_sign_ins() -> None:
    from allauth.account.signals import authentication_step_completed  # noqa: PLC0415 - likewise
    from allauth.mfa.models import Authenticator  # noqa: PLC0415 - likewise
    from django.contrib.auth import signals  # noqa: PLC0415 - likewise

    signals.user_logged_in.connect(_noted_by("note_sign_in"), weak=False)
    signals.user_logged_in.connect(_forget_expired_sessions)
    signals.user_logged_out.connect(_noted_by("note_sign_out"), weak=False)
    signals.user_login_failed.connect(_noted_by("note_refusal"), weak=False)
    authentication_step_completed.connect(_noted_by("note_step"), weak=False)
    pre_save.connect(_factor_made, sender=Authenticator)
    pre_delete.connect(_factor_lost, sender=Authenticator)


def _noted_by(name: str) -> Callable[..., None]:
    """Let a function of ``sign_ins`` hear a signal; the trail is imported by the first: no call of the API sends one."""

    def noted(**told: Any) -> None:
        from apps.access import sign_ins  # noqa: PLC0415 - likewise

        getattr(sign_ins, name)(**told)

    return noted


def _forget_expired_sessions(**_: Any) -> None:
    """Nobody else removes them: they are made by signing in, and so they end by signing in."""
    from django.contrib.sessions.backends.db import SessionStore  # noqa: PLC0415 - likewise

    SessionStore.clear_expired()


def _factor_made(instance: Any, *, raw: bool = False, **_: Any) -> None:
    if raw:  # of a backup, whose trail has its entry
        return
    from allauth.core import context  # noqa: PLC0415 - likewise

    from apps.access import sign_ins  # noqa: PLC0415 - likewise

    if instance._state.adding:  # noqa: SLF001 - Django's mark of what is not in the database yet
        sign_ins.note_new_factor(context.request, instance.user, instance.type)


def _factor_lost(instance: Any, **_: Any) -> None:
    from allauth.core import context  # noqa: PLC0415 - likewise

    from apps.access import sign_ins  # noqa: PLC0415 - likewise

    sign_ins.note_lost_factor(context.request, instance.user, instance.type)


def _make_ready_roles(**_: Any) -> None:
    from apps.access import ready_roles  # noqa: PLC0415 - likewise

    ready_roles.sync()
