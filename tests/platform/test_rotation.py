"""A rotation of secrets reaches a process that runs, by every way that work comes to it."""

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import Signer
from django.db import connections
from django.test import Client

from apps.common import environment
from qkdplatform import rotation
from qkdplatform.errors import UnknownEvent
from qkdplatform.lambda_handler import handler
from tests import requirement

pytestmark = pytest.mark.django_db


@pytest.fixture
def rotated(monkeypatch):
    """Values that Secrets Manager has now and the process does not know yet."""
    values: dict[str, object] = {}
    monkeypatch.setattr(environment, "refresh", lambda: dict(values))
    for name in ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "RECORD_KEY", "RECORD_KEY_PREVIOUS"):
        monkeypatch.setattr(settings, name, getattr(settings, name))
    return values


@requirement("E7")
def test_a_request_brings_the_settings_up_to_date(rotated, aws):
    rotated["RECORD_KEY"], rotated["RECORD_KEY_PREVIOUS"] = "new", ["old"]
    Client().get("/api/v1/health")
    assert (settings.RECORD_KEY, settings.RECORD_KEY_PREVIOUS) == ("new", ["old"])


@requirement("E7")
def test_so_does_any_event_of_lambda(rotated):
    rotated["RECORD_KEY"] = "new"
    with pytest.raises(UnknownEvent):
        handler({}, None)
    assert settings.RECORD_KEY == "new"


@requirement("E7")
def test_what_the_old_key_signed_is_still_accepted(rotated):
    signed = Signer().sign("who")
    rotated["DJANGO_SECRET_KEY"], rotated["DJANGO_SECRET_KEY_PREVIOUS"] = "n" * 50, [settings.SECRET_KEY]
    rotation.refresh_settings()
    assert Signer().unsign(signed) == "who"
    assert Signer().sign("who") != signed


@requirement("E7")
def test_the_next_connection_uses_the_new_password(rotated, monkeypatch):
    connection = connections["default"]
    monkeypatch.setattr(connection, "settings_dict", dict(connection.settings_dict))
    monkeypatch.setitem(settings.DATABASES, "default", dict(settings.DATABASES["default"]))
    rotated["DATABASE_URL"] = "postgres://console:new@db.example.com/console"
    rotation.refresh_settings()
    assert connection.settings_dict["PASSWORD"] == "new"


@requirement("E7")
def test_a_value_that_cannot_be_used_changes_nothing(monkeypatch, caplog):
    def refuse():
        raise ImproperlyConfigured("LIMIT must be at least 1.")

    before = settings.RECORD_KEY
    monkeypatch.setattr(environment, "refresh", refuse)
    rotation.refresh_settings()
    assert before == settings.RECORD_KEY
    assert "LIMIT must be at least 1." in caplog.text


@requirement("F1")
def test_the_cache_and_the_sessions_are_those_of_all_processes():
    assert settings.CACHES["default"]["BACKEND"] == "django.core.cache.backends.db.DatabaseCache"
    assert settings.SESSION_ENGINE.endswith("backends.db")
    cache.clear()  # other tests of this process may have left entries
    cache.set("one-time-code", "used", 60)
    assert cache.get("one-time-code") == "used"
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM shared_cache")
        assert cursor.fetchone() == (1,)
