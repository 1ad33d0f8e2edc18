"""What the sweep of a filled platform passes by: every action's page, empty lists, signing in, refusals. In all four looks."""

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.mfa.totp.internal.auth import time as totp_time
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string
from django.test import RequestFactory
from playwright.sync_api import BrowserContext, Route

from apps.access.users import User
from apps.alerts import services as alerts
from apps.alerts.conditions import COMPROMISED, Noticed
from apps.console.store_admin import StoreAdmin
from tests import requirement
from tests.browser.conftest import Watched
from tests.browser.test_sweep import SIZES, faults_of, look
from tests.console.demo import Demo
from tests.console.pages import LISTS, OTHERS
from tests.console.test_roles import everything  # noqa: F401 - a record in every list

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("scheme", ["light", "dark"]),
    pytest.mark.parametrize("size", SIZES),
]
PASSWORD = "correct horse battery staple"
REFUSALS = ("400.html", "403_csrf.html", "404.html", "429.html", "500.html", "access/no_console.html")


class Gallery:
    """Looks at pages one after the other, and keeps what is wrong with them."""

    def __init__(self, watched: Watched, size: str, scheme: str) -> None:
        self.watched, self.look, self.wrong = watched, f"{size}-{scheme}", list[str]()
        look(watched, size, scheme)

    def hang(self, name: str, url: str | None = None) -> None:
        """Look at the page at an address, or at the one that is open."""
        if url is not None:
            self.watched.open(url)
        self.watched.shoot(f"{self.look}-{name}")
        self.wrong += faults_of(self.watched, name)

    def close(self) -> None:
        assert not self.wrong, "\n".join(self.wrong)
        assert not self.watched.problems, "\n".join(self.watched.problems)


@pytest.fixture
def gallery(watched: Watched, size: str, scheme: str) -> Gallery:
    return Gallery(watched, size, scheme)


def actions(user: User) -> Iterator[tuple[str, str]]:
    """Every action of the console, for a record that it is offered for, or else any."""
    request = RequestFactory().get("/admin/")
    request.user = user
    for model_admin in admin.site._registry.values():
        if isinstance(model_admin, StoreAdmin):
            shown = cast("Any", model_admin.get_changelist_instance(request)).result_list
            for action in model_admin.record_actions:
                fit = [str(one.pk) for one in shown if action.offered(one)] or [str(one.pk) for one in shown]
                assert fit, action
                name = f"do-{model_admin.opts.model_name}-{action.name}"
                chosen = "&id=".join(fit[: 2 if action.several else 1])
                yield name, f"{model_admin.list_url()}do/{action.name}/?id={chosen}"


@requirement("F1", "F5")
def test_every_actions_page_is_right(
    gallery: Gallery,
    sign_in: Callable[[User], None],
    everything: Demo,  # noqa: F811 - imported as a fixture
) -> None:
    user = User.objects.create_superuser("administrator", password=None)
    sign_in(user)
    tapped = everything.compromised.session_id
    about = {"case_id": f"case-{tapped}", "session_id": tapped}
    alert = alerts.raise_alert(Noticed(COMPROMISED, "metro", about))
    gallery.hang(
        "alert", f"/admin/alerts/alert/{alert.alert_id}/change/"
    )  # which loads the console's parts, too
    pages = dict(actions(user))
    assert len(pages) > 30
    for name, url in pages.items():
        gallery.hang(name, url)
    person = User.objects.create_user("operator", is_staff=True)
    gallery.hang("person-link", f"/admin/access/user/{person.pk}/password-link/")
    gallery.hang("person-factors", f"/admin/access/user/{person.pk}/factors/")
    gallery.hang("add-group", "/admin/auth/group/add/")
    gallery.hang("group", "/admin/auth/group/1/change/")
    gallery.hang("nothing-found", "/admin/find/?q=nothing-is-called-so")
    gallery.hang("nothing-matches", "/admin/qkd_sessions/session/?link=nowhere")
    gallery.close()


@requirement("F1")
def test_an_empty_platforms_pages_are_right(
    gallery: Gallery, sign_in: Callable[[User], None], aws: None
) -> None:
    sign_in(User.objects.create_superuser("administrator", password=None))
    gallery.hang("empty-overview", "/admin/")
    for url in (*LISTS.values(), *OTHERS.values()):
        if "letter" not in url and "schedule" not in url:
            gallery.hang(f"empty-{url.rstrip('/').rpartition('/')[2]}", url)
    for name in ("stock", "health", "costs", "recovery"):
        gallery.hang(f"empty-{name}", f"/admin/page/{name}/")
    gallery.close()


@requirement("F6")
def test_signing_in_is_right(gallery: Gallery, context: BrowserContext, aws: None) -> None:
    User.objects.create_superuser("ada", password=PASSWORD)
    page = gallery.watched.page

    def enter() -> None:
        page.get_by_label("Username").fill("ada")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()

    gallery.hang("in-sign-in", "/accounts/login/?next=/admin/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.locator(".errornote").wait_for()
    gallery.hang("in-refused")
    gallery.hang("in-forgotten", "/accounts/password/reset/")
    gallery.hang("in-link-sent", "/accounts/password/reset/done/")
    gallery.hang("in-password-set", "/accounts/password/reset/key/done/")
    gallery.hang("in-link-old", "/accounts/password/reset/key/1-nothing/")
    gallery.hang("in-inactive", "/accounts/inactive/")
    gallery.hang("in-cancelled", "/accounts/cancelled/")
    gallery.watched.open("/accounts/login/?next=/admin/")
    enter()
    page.wait_for_url("**/admin/")
    gallery.hang("in-no-factor", "/accounts/2fa/")
    gallery.hang("in-password", "/accounts/password/change/")
    gallery.hang("in-webauthn", "/accounts/2fa/webauthn/add/")
    gallery.hang("in-totp", "/accounts/2fa/totp/activate/")
    secret = page.locator("code").first.inner_text()
    page.get_by_label("code").fill(format_hotp_value(hotp_value(secret, int(totp_time.time()) // 30)))
    page.get_by_role("button", name="Add the app").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    gallery.hang("in-codes")
    gallery.hang("in-codes-later", "/accounts/2fa/recovery-codes/")
    gallery.hang("in-new-codes", "/accounts/2fa/recovery-codes/generate/")
    gallery.hang("in-factor", "/accounts/2fa/")
    gallery.hang("in-remove-totp", "/accounts/2fa/totp/deactivate/")
    gallery.hang("in-confirm", "/accounts/reauthenticate/")
    gallery.hang("in-confirm-factor", "/accounts/2fa/reauthenticate/")
    gallery.hang("in-sign-out", "/accounts/logout/")
    context.clear_cookies()
    gallery.watched.open("/accounts/login/?next=/admin/")
    enter()
    page.get_by_role("heading", name="Second factor").wait_for()
    gallery.hang("in-second-factor")
    gallery.close()


@requirement("F6")
def test_refusals_are_right(gallery: Gallery, aws: None) -> None:
    gallery.watched.open("/accounts/login/")
    request = RequestFactory().get("/admin/")
    request.user = AnonymousUser()
    request.session = SimpleNamespace(get=lambda *_: None)  # type: ignore[assignment]
    html = {name: render_to_string(name, {}, request) for name in REFUSALS}

    def answer(route: Route) -> None:
        route.fulfill(body=html[route.request.url.partition("?")[2]], content_type="text/html")

    gallery.watched.page.route(re.compile(r"/refused\?"), answer)
    for name in REFUSALS:
        gallery.hang(f"refused-{name.partition('.')[0].replace('/', '-')}", f"/refused?{name}")
    gallery.close()
