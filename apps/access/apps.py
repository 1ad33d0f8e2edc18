"""Registers the check of declared scopes, what records sign-ins, the guard of the console, and the ready roles."""

from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import register
from django.db.models.signals import post_migrate, pre_delete, pre_save

# What allauth keeps: people have pages of their own for it
HIDDEN = frozenset({"account", "mfa", "socialaccount"})


class AccessConfig(AppConfig):
    name = "apps.access"

    def ready(self) -> None:
        from apps.access.checks import every_api_view_declares_scopes  # noqa: PLC0415 - after the apps are loaded

        register(every_api_view_declares_scopes)
        _record_sign_ins()
        _guard_the_console()
        # Sent for each app that has models; with the last one every permission is there
        last = [config for config in apps.get_app_configs() if config.models_module is not None][-1]
        post_migrate.connect(_make_ready_roles, sender=last)


def _record_sign_ins() -> None:
    from allauth.account.signals import authentication_step_completed  # noqa: PLC0415 - likewise
    from allauth.mfa.models import Authenticator  # noqa: PLC0415 - likewise
    from django.contrib.auth import signals  # noqa: PLC0415 - likewise

    from apps.access import sign_ins  # noqa: PLC0415 - likewise

    signals.user_logged_in.connect(sign_ins.note_sign_in)
    signals.user_logged_in.connect(_forget_expired_sessions)
    signals.user_logged_out.connect(sign_ins.note_sign_out)
    signals.user_login_failed.connect(sign_ins.note_refusal)
    authentication_step_completed.connect(sign_ins.note_step)
    pre_save.connect(_factor_made, sender=Authenticator)
    pre_delete.connect(_factor_lost, sender=Authenticator)


def _forget_expired_sessions(**_: Any) -> None:
    """Nobody else removes them: they are made by signing in, and so they end by signing in."""
    from django.contrib.sessions.backends.db import SessionStore  # noqa: PLC0415 - likewise

    SessionStore.clear_expired()


def _factor_made(instance: Any, **_: Any) -> None:
    from allauth.core import context  # noqa: PLC0415 - likewise

    from apps.access import sign_ins  # noqa: PLC0415 - likewise

    if instance._state.adding:  # noqa: SLF001 - Django's mark of what is not in the database yet
        sign_ins.note_new_factor(context.request, instance.user, instance.type)


def _factor_lost(instance: Any, **_: Any) -> None:
    from allauth.core import context  # noqa: PLC0415 - likewise

    from apps.access import sign_ins  # noqa: PLC0415 - likewise

    sign_ins.note_lost_factor(context.request, instance.user, instance.type)


def _guard_the_console() -> None:
    from django.contrib import admin  # noqa: PLC0415 - likewise

    from apps.access.console import guard  # noqa: PLC0415 - likewise

    guard.install(admin.site)
    hidden = [model for label in HIDDEN for model in apps.get_app_config(label).get_models()]
    admin.site.unregister([model for model in hidden if admin.site.is_registered(model)])


def _make_ready_roles(**_: Any) -> None:
    from apps.access import ready_roles  # noqa: PLC0415 - likewise

    ready_roles.sync()
