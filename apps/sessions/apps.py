"""The app is labelled qkd_sessions: Django's own sessions app holds the plain label."""

from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "apps.sessions"
    label = "qkd_sessions"
    verbose_name = "Quantum sessions"
