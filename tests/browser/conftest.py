"""A headless Chromium in front of the console."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.console import demo

FLAGS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium; CHROMIUM names another one."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.fail("The browser tests need Chromium: install it, or name it in CHROMIUM.", pytrace=False)
    flags = [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        # Playwright's synchronous API runs an event loop in this thread, which Django takes for async code
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def filled(aws: None) -> demo.Demo:
    """A platform that has been at work."""
    return demo.fill()


GIVEN_UP = "net::ERR_ABORTED"


class Watched:
    """A page and everything that went wrong on it."""

    def __init__(self, page: Page, origin: str, shots: Path | None) -> None:
        self.page, self.origin, self.shots = page, origin, shots
        self.problems: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        page.on("requestfailed", self._failed)
        page.on("request", self._request)
        page.on("response", self._response)

    def _failed(self, request: Any) -> None:
        """Not the icon that the browser itself gave up as the test went on to the next page."""
        if request.failure != GIVEN_UP or not request.url.endswith("/favicon.svg"):
            self.problems.append(f"failed: {request.url} {request.failure}")

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"console: {message.text}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.problems.append(f"another origin: {request.url}")

    def _response(self, response: Any) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status}: {response.url}")

    def open(self, path: str) -> Page:
        self.page.goto(self.origin + path)
        return self.page

    def shoot(self, name: str) -> None:
        """Keep a picture where BROWSER_SHOTS says, for a person to look at."""
        if self.shots is not None:
            self.shots.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=self.shots / f"{name}.png", full_page=True)


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A fresh profile."""
    made = chromium.new_context(viewport={"width": 1280, "height": 800})
    made.set_default_timeout(15_000)
    yield made
    made.close()


@pytest.fixture
def watched(context: BrowserContext, live_server: Any) -> Watched:
    """A page on the console's origin, under watch."""
    shots = os.environ.get("BROWSER_SHOTS")
    return Watched(context.new_page(), live_server.url, Path(shots) if shots else None)


@pytest.fixture
def signed_in(watched: Watched, admin_user: Any, filled: demo.Demo) -> Watched:
    """An administrator who came through the sign-in page."""
    page = watched.open("/")
    page.get_by_label("Username").fill(admin_user.username)
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")
    return watched
