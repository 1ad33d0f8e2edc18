"""Signing in as a person does: by password, and with a security key."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from apps.access.users import User
from tests import requirement
from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), requirement("F6")]
PASSWORD = "correct horse battery staple"


@pytest.fixture
def security_key(context: BrowserContext, watched: Watched) -> None:
    """A security key in the browser, whose owner touches it at once."""
    session = context.new_cdp_session(watched.page)
    session.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "usb", "isUserVerified": True, "hasUserVerification": True}
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def enter(page: Page) -> None:
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.usefixtures("aws", "security_key")
def test_a_security_key_is_added_and_signs_in(watched: Watched) -> None:
    User.objects.create_superuser("ada", password=PASSWORD)
    page = watched.open("/")
    watched.shoot("sign-in")
    enter(page)
    page.wait_for_url("**/admin/")
    watched.open("/accounts/2fa/")
    watched.shoot("your-sign-in")
    page.get_by_role("link", name="Add a security key").click()
    page.wait_for_url("**/webauthn/add/**")  # with its scripts: before, the button has no meaning
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    watched.shoot("recovery-codes")
    page.get_by_role("link", name="I wrote them down").click()
    page.wait_for_url("**/admin/")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/logout/")
    watched.open("/admin/")
    enter(page)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    watched.shoot("second-factor")
    page.wait_for_load_state()
    page.get_by_role("button", name="Use a security key").click()
    page.wait_for_url("**/admin/")
    watched.open("/accounts/2fa/webauthn/")
    watched.shoot("security-keys")
    assert watched.problems == []
