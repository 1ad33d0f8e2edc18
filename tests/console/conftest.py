"""People at the console, and a look at what their pages ask of DynamoDB."""

from collections.abc import Callable, Iterator

import pytest
from botocore.client import BaseClient
from django.contrib.auth.models import Permission
from django.test import Client

from apps.access.models import User
from tests.console import demo


@pytest.fixture
def filled(aws: None) -> demo.Demo:
    """A platform that has been at work."""
    return demo.fill()


@pytest.fixture
def console(aws: None, admin_client: Client) -> Client:
    """An administrator on an empty platform."""
    return admin_client


@pytest.fixture
def person(aws: None, db: None) -> Callable[..., Client]:
    """Sign in a member of staff who holds the permissions named, as ``app.codename``."""

    def sign_in(*permissions: str) -> Client:
        user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
        for name in permissions:
            app, codename = name.split(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the calls to AWS, in order."""
    seen: list[str] = []
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def spy(self: BaseClient, operation: str, arguments: object) -> object:
        seen.append(operation)
        return original(self, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", spy)
    yield seen
    assert "Scan" not in seen
