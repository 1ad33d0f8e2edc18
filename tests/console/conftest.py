"""People at the console, and a look at what their pages ask of DynamoDB."""

from collections.abc import Callable, Iterator

import pytest
from botocore.client import BaseClient
from django.contrib.auth.models import Permission
from django.test import Client

from apps.access import principals
from apps.access.models import User
from apps.access.roles import Role
from apps.audit.records import system
from tests.conftest import empty_aws
from tests.console import demo


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """Forget what a process remembers of the trail, the people and the queues between two pages."""
    from apps.alerts import admin as alerts
    from apps.audit import admin as entries
    from apps.audit import console as trail
    from apps.console import people
    from apps.custody import console as custody
    from apps.files.console import first_steps
    from apps.jobs import console as jobs

    yield
    alerts.forget()
    trail._kept.clear()
    entries._held.clear()
    people.forget()
    custody.forget()
    first_steps._done.clear()
    jobs._url_of.cache_clear()


@pytest.fixture
def aws(request: pytest.FixtureRequest) -> Iterator[None]:
    """An empty AWS; for a test that asks for ``filled``, one that has been at work."""
    with empty_aws():
        if "filled" in request.fixturenames:
            demo.bring_in()
        yield


@pytest.fixture
def filled(aws: None) -> demo.Demo:
    """A platform that has been at work, since before anybody signed in."""
    return demo.made()


@pytest.fixture
def console(aws: None, admin_client: Client) -> Client:
    """An administrator on an empty platform."""
    return admin_client


@pytest.fixture
def admitted_admin(console: Client) -> None:
    """The administrator admitted as a person who decides, so that they may give what they hold."""
    user = User.objects.get(username="admin")
    principals.admit_person(str(user.pk), "admin", role=Role.ADMINISTRATOR, actor=system("tests"))


@pytest.fixture
def person(aws: None, db: None) -> Callable[..., Client]:
    """Sign in a member of staff who holds the permissions named, as ``app.codename``."""

    def sign_in(*permissions: str) -> Client:
        user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
        for name in ("access.see_every_owner", *permissions):
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
